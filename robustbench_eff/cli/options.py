"""The options of a run, which several commands take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.evaluation.settings import DEFAULT_STORE, Settings
from robustbench_eff.models import aliases
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.suites import SUITES

from .common import parse_batch_size, parse_geometry, parse_model_args, parse_numbers, parse_target_ci

if TYPE_CHECKING:
    from robustbench_eff.models.request import ModelRequest

Command = TypeVar("Command", bound=Callable[..., None])
OF_MODEL = ("weights", "num_classes", "mean", "std", "input_size", "geometry", "model_arg", "trust_checkpoint")
"""Options that are about one model."""


def _complete_model(incomplete: str) -> list[str]:
    return [name for name in aliases.aliases() if name.startswith(incomplete)]


def run_options(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Alias, timm:NAME, torchvision:NAME, open_clip:ARCH/TAG, package.module:factory or "
            "path/to/file.py:factory; repeat for several.",
            autocompletion=_complete_model,
        ),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="Shipped suite or YAML file.", autocompletion=lambda: list(SUITES))
    ] = "standard",
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            help="Run on these instead of the suite's for the model's label space.",
            autocompletion=lambda: list(BENCHMARKS),
        ),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(help="Run these instead of the suite's, e.g. 'pgd(eps=4/255, steps=50)'."),
    ] = None,
    corruption: Annotated[
        list[str] | None,
        typer.Option(help="The same of corruptions and sequences: 'fog(severity=3)', imagenet_c, rotate_sequence."),
    ] = None,
    data: Annotated[list[str] | None, typer.Option(help="NAME=PATH or NAME=hf:ID[@SPLIT].")] = None,
    weights: Annotated[Path | None, typer.Option(help="safetensors or PyTorch state_dict.")] = None,
    trust_checkpoint: Annotated[bool, typer.Option("--trust-checkpoint", help="Unpickle --weights.")] = False,
    num_classes: Annotated[int | None, typer.Option(help="Outputs of the model.")] = None,
    mean: Annotated[str | None, typer.Option(help="Per channel, e.g. 0.5 or '0.485,0.456,0.406'.")] = None,
    std: Annotated[str | None, typer.Option(help="Per channel.")] = None,
    input_size: Annotated[int | None, typer.Option(help="Pixels a side.")] = None,
    geometry: Annotated[str | None, typer.Option(help="crop, squash or none.")] = None,
    model_arg: Annotated[list[str] | None, typer.Option(help="KEY=VALUE for the constructor.")] = None,
    limit: Annotated[int | None, typer.Option(help="The first N samples of each benchmark.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, several with commas between, or all.")] = "auto",
    workers: Annotated[int | None, typer.Option(help="Processes side by side; one a device unless said.")] = None,
    engine: Annotated[str, typer.Option(help="Who runs the workers: local or ray.")] = "local",
    ray_address: Annotated[str | None, typer.Option(help="A Ray cluster that is there; auto finds it.")] = None,
    batch_size: Annotated[str, typer.Option(help="auto or a number; changes no outcome.")] = "auto",
    shard_size: Annotated[
        int | None, typer.Option(help="Samples worked off together; matters to other libraries' attacks only.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Attacks': auto, float32, bfloat16 or float16. The referee's is float32.")
    ] = "auto",
    compile_model: Annotated[bool, typer.Option("--compile", help="Compile the network attacks query.")] = False,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    shuffle_shards: Annotated[
        bool, typer.Option("--shuffle-shards", help="Samples in random order: early numbers are fair estimates.")
    ] = False,
    target_ci: Annotated[
        str | None, typer.Option(help="±POINTS: end a cell when its interval is this narrow; e.g. ±0.5.")
    ] = None,
    store: Annotated[str, typer.Option(help="Folder or URL (s3://BUCKET/NAME) of the outcomes.")] = DEFAULT_STORE,
    alexnet_baseline: Annotated[Path | None, typer.Option(help="JSON with AlexNet's figures, for mCE and mFR.")] = None,
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="Run what is there.")] = False,
) -> None:
    """What is said of a run; only its signature is used."""


def with_options_of(template: Callable[..., None]) -> Callable[[Command], Command]:
    """A command that gets the options of `template`, too, in its `**options`."""

    def decorate(command: Command) -> Command:
        hints = get_type_hints(template, include_extras=True) | get_type_hints(command, include_extras=True)
        own = [each for each in inspect.signature(command).parameters.values() if each.kind != each.VAR_KEYWORD]
        taken = [*own[:1], *inspect.signature(template).parameters.values(), *own[1:]]
        parameters = [each.replace(annotation=hints[each.name], kind=each.KEYWORD_ONLY) for each in taken]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


def asked(options: Mapping[str, Any]) -> tuple[list[ModelRequest], Settings]:
    """The models and the settings that these options are; UsageError for what does not go together."""
    from robustbench_eff.models.request import ModelRequest

    models: list[str] = options["model"] or []
    if not models:
        raise UsageError("No model was named.", "Try: robust-eval --model digits_standard, or --help.")
    if len(models) > 1 and (given := [name for name in OF_MODEL if options[name]]):
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(f"{names} would apply to {len(models)} models.", "Give such models a command each.")
    of_model = {
        "weights": options["weights"],
        "num_classes": options["num_classes"],
        "mean": parse_numbers("--mean", options["mean"]),
        "std": parse_numbers("--std", options["std"]),
        "input_size": options["input_size"],
        "geometry": parse_geometry(options["geometry"]),
        "model_args": parse_model_args(options["model_arg"] or []),
        "trust_checkpoint": options["trust_checkpoint"],
    }
    as_they_are = (
        "suite limit device workers engine ray_address shard_size precision seed shuffle_shards store alexnet_baseline "
        "skip_missing"
    )
    settings = Settings(
        benchmarks=tuple(options["benchmark"] or ()),
        attacks=tuple(part for text in options["attack"] or () for part in spec.split(text)),
        corruptions=tuple(part for text in options["corruption"] or () for part in spec.split(text)),
        data=locations.from_options(options["data"] or []),
        batch_size=parse_batch_size(options["batch_size"]),
        compile=options["compile_model"],
        target_ci=parse_target_ci(options["target_ci"]),
        **{name: options[name] for name in as_they_are.split()},
    )
    return [ModelRequest(name=name, **of_model) for name in models], settings
