"""`robust-eval train`: train a network with a defense."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.errors import UsageError
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.scores.number_text import percent

from .common import error_boundary, error_console, output_console, print_line, resumable
from .options import QuietOption, TrustCodeOption

if TYPE_CHECKING:
    from robustbench_eff.defenses.training_state import Epoch
    from robustbench_eff.training.settings import TrainSettings


def train(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the weights and their card.")],
    defense: Annotated[
        str,
        typer.Option(
            help="Recipe and its fields, such as 'pgd_at(eps=4/255)'; see `robust-eval list defenses`. Without eps, "
            "recipes that train on adversarial images have the benchmark's usual one.",
            autocompletion=lambda: list(DEFENSES),
        ),
    ] = "standard",
    arch: Annotated[
        str,
        typer.Option(
            help="Architecture: effnet_micro, small_cnn, timm:NAME, torchvision:NAME or path/to/file.py:factory."
        ),
    ] = "small_cnn(width=16)",
    benchmark: Annotated[
        str, typer.Option(help="Benchmark whose classes and training images to use; or a name for your own images.")
    ] = "digits",
    data: Annotated[list[str] | None, typer.Option(help="Training images: NAME=PATH, NAME as in --benchmark.")] = None,
    validation: Annotated[
        str | None,
        typer.Option(
            help="PATH of the validation images; by default the benchmark's own, or else one training image in ten."
        ),
    ] = None,
    unlabelled: Annotated[str | None, typer.Option(help="PATH of unlabelled images, for noisy_student.")] = None,
    passes_per_image: Annotated[
        float | None,
        typer.Option(help="Budget of forward and backward passes per image, which sets the number of epochs."),
    ] = None,
    schedule: Annotated[
        str,
        typer.Option(help="Schedule, such as 'epochs=20, batch_size=128, learning_rate=0.2, mirror=true'."),
    ] = "",
    limit: Annotated[int | None, typer.Option(help="Train on N images only.")] = None,
    validation_attack: Annotated[
        str | None,
        typer.Option(help="Attack on validation images; by default PGD-10 at the recipe's eps, or else at 8/255."),
    ] = None,
    input_size: Annotated[int, typer.Option(help="Side length of the input images in pixels.")] = 32,
    seed: Annotated[
        int, typer.Option(help="Seed of the initialization, the order of images, augmentation and attacks.")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    trust_code: TrustCodeOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network with a defense (resumable); start it with torchrun for several processes."""
    with error_boundary():
        paths = locations.from_options(data or [])
        if others := sorted(set(paths) - {benchmark}):
            raise UsageError(
                f"--data names {', '.join(others)}, but --benchmark is {benchmark}.",
                f"Add --benchmark {others[0]}, or write --data {benchmark}=PATH.",
            )
        from robustbench_eff.training.settings import TrainSettings

        fields = {name: value for name, value in context.params.items() if name not in ("data", "quiet")}
        _train(TrainSettings(**{**fields, "out": out, "data": paths}), quiet=quiet)


def _train(settings: TrainSettings, *, quiet: bool) -> None:
    from robustbench_eff.models.architectures import users_code
    from robustbench_eff.system import devices
    from robustbench_eff.training.train import train as run

    devices.keep_freed_memory()
    if settings.assumed:
        print_line(error_console(), settings.assumed)
    with resumable(Path(settings.out)):
        card = run(settings, None if quiet else _print_epoch)
    if os.environ.get("RANK", "0") != "0":
        return
    console = output_console()
    for name, accuracy in card.accuracy.items():
        print_line(console, f"{name}: {percent(accuracy)} %")
    passes = f"{card.passes_per_sample:g} passes per image"
    print_line(console, f"{card.defense}, {passes}. Written to {settings.out}.")
    trust = "" if users_code(settings.arch) is None else " --trust-code"
    print_line(console, f"To evaluate it: robust-eval --model {settings.out}{trust}")


def _print_epoch(stage: str, epoch: Epoch, total: int) -> None:
    accuracy = "" if epoch.clean is None else f" · clean {percent(epoch.clean, 1)} %"
    accuracy += "" if epoch.robust is None else f" · attacked {percent(epoch.robust, 1)} %"
    text = f"{stage}epoch {epoch.number} of {total} · loss {epoch.loss:.4f}{accuracy} · {epoch.seconds:.1f} s"
    print_line(error_console(), text)
