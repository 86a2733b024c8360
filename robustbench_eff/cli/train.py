"""`robust-eval train`: a defense, an architecture and images to weights with a card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.errors import UsageError
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.reports.formatting import percent

from .common import error_boundary, errors, output, resumable

if TYPE_CHECKING:
    from robustbench_eff.defenses.checkpoint import Epoch


def train(
    out: Annotated[Path, typer.Option(help="Folder of the weights and their card.")],
    defense: Annotated[
        str,
        typer.Option(
            help="A recipe and its fields, as 'pgd_at(eps=4/255)'; `robust-eval list defenses`.",
            autocompletion=lambda: list(DEFENSES),
        ),
    ] = "standard",
    arch: Annotated[
        str, typer.Option(help="effnet_micro, small_cnn, timm:NAME, torchvision:NAME or path/to/file.py:factory.")
    ] = "small_cnn(width=16)",
    benchmark: Annotated[str, typer.Option(help="Whose classes and images.")] = "digits",
    data: Annotated[list[str] | None, typer.Option(help="NAME=PATH of the training images.")] = None,
    validation: Annotated[
        str | None, typer.Option(help="PATH of images that are looked at; else one in ten is held out.")
    ] = None,
    unlabelled: Annotated[str | None, typer.Option(help="PATH of further images, for noisy_student.")] = None,
    passes_per_image: Annotated[
        float | None, typer.Option(help="Forward and backward passes for every image; sets the epochs.")
    ] = None,
    schedule: Annotated[str, typer.Option(help="As 'epochs=20, batch_size=128, learning_rate=0.2, mirror=true'.")] = "",
    limit: Annotated[int | None, typer.Option(help="Train on N images.")] = None,
    validation_attack: Annotated[
        str | None, typer.Option(help="Attack under which accuracy is shown; else PGD-10 at the recipe's radius.")
    ] = None,
    input_size: Annotated[int, typer.Option(help="Pixels a side.")] = 32,
    seed: Annotated[int, typer.Option(help="Of initialisation, order, augmentation and attacks.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train a network with a defense (resumable); several processes with torchrun."""
    with error_boundary():
        places = locations.from_options(data or [])
        if extra := sorted(set(places) - {benchmark}):
            raise UsageError(f"--data names {', '.join(extra)}, but --benchmark is {benchmark}.", "Name the same.")
        from robustbench_eff.system import devices
        from robustbench_eff.training.settings import TrainSettings
        from robustbench_eff.training.train import train as run

        devices.keep_freed_memory()
        settings = TrainSettings(
            out=out,
            defense=defense,
            arch=arch,
            benchmark=benchmark,
            data=places,
            validation=validation,
            unlabelled=unlabelled,
            passes_per_image=passes_per_image,
            schedule=schedule,
            limit=limit,
            validation_attack=validation_attack,
            input_size=input_size,
            seed=seed,
            device=device,
        )
        with resumable(out):
            card = run(settings, None if quiet else _tell)
        if os.environ.get("RANK", "0") != "0":
            return
        console = output()
        for what, value in card.accuracy.items():
            console.print(f"{what}: {percent(value)} %", highlight=False, markup=False, soft_wrap=True)
        console.print(
            f"{card.defense}, {card.passes_per_sample:g} passes for each image. Written to {out}.\n"
            f"To evaluate it: robust-eval --model {out}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _tell(name: str, epoch: Epoch, total: int) -> None:
    looked = "" if epoch.clean is None else f" · clean {percent(epoch.clean, 1)} %"
    looked += "" if epoch.robust is None else f" · attacked {percent(epoch.robust, 1)} %"
    text = f"{name}epoch {epoch.number} of {total} · loss {epoch.loss:.4f}{looked} · {epoch.seconds:.1f} s"
    errors().print(text, highlight=False, markup=False)
