"""The options of a run, which `robust-eval` and `robust-eval plan` take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.evaluation.settings import Settings
from robustbench_eff.models import aliases
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.suites import SUITES

from .common import parse_batch_size, parse_geometry, parse_model_args, parse_numbers, parse_target_ci

if TYPE_CHECKING:
    from robustbench_eff.models.request import ModelRequest

MODEL_OPTIONS = ("weights", "num_classes", "mean", "std", "input_size", "geometry", "model_arg", "trust_checkpoint")
"""Options that apply to one model."""
_PLAIN = (
    "suite",
    "limit",
    "device",
    "workers",
    "engine",
    "ray_address",
    "shard_size",
    "precision",
    "seed",
    "shuffle_shards",
    "store",
    "alexnet_baseline",
    "skip_missing",
)
"""Options that are fields of Settings as they are."""


def _complete_model(incomplete: str) -> list[str]:
    return [name for name in aliases.aliases() if name.startswith(incomplete)]


ModelOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Alias, timm:NAME, torchvision:NAME, open_clip:ARCH/TAG, package.module:factory, path/to/file.py:factory, "
        "or the folder of a training; repeat it for several models.",
        autocompletion=_complete_model,
    ),
]
SuiteOption: TypeAlias = Annotated[
    str, typer.Option(help="Shipped suite or YAML file.", autocompletion=lambda: list(SUITES))
]
BenchmarkOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Evaluate on these benchmarks instead of the suite's for the model's label space.",
        autocompletion=lambda: list(BENCHMARKS),
    ),
]
AttackOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Run these attacks instead of the suite's: 'pgd(eps=4/255, steps=50)', or your own: "
        "'path/to/file.py:CLASS(eps=4/255)'."
    ),
]
CorruptionOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="Run these corruptions or sequences instead: 'fog(severity=3)', imagenet_c, rotate_sequence."),
]
DataOption: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Where images are: NAME=PATH or NAME=hf:ID[@SPLIT][#REVISION].")
]
WeightsOption: TypeAlias = Annotated[Path | None, typer.Option(help="safetensors file or PyTorch state_dict.")]
TrustOption: TypeAlias = Annotated[
    bool, typer.Option("--trust-checkpoint", help="Unpickle --weights, which can run code.")
]
NumClassesOption: TypeAlias = Annotated[int | None, typer.Option(help="Number of outputs of the model.")]
MeanOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Normalisation mean per channel, e.g. 0.5 or '0.485,0.456,0.406'.")
]
StdOption: TypeAlias = Annotated[str | None, typer.Option(help="Normalisation standard deviation per channel.")]
InputSizeOption: TypeAlias = Annotated[int | None, typer.Option(help="Side of the input images in pixels.")]
GeometryOption: TypeAlias = Annotated[str | None, typer.Option(help="Resizing: crop, squash or none.")]
ModelArgOption: TypeAlias = Annotated[list[str] | None, typer.Option(help="KEY=VALUE for the model's constructor.")]
LimitOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Evaluate only the first N samples of each benchmark.")
]
DeviceOption: TypeAlias = Annotated[
    str, typer.Option(help="auto, cpu, cuda, cuda:N, several with commas between, or all.")
]
WorkersOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Number of parallel processes; one per device by default.")
]
EngineOption: TypeAlias = Annotated[str, typer.Option(help="What runs the workers: local or ray.")]
RayAddressOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Address of a running Ray cluster; auto finds it.")
]
BatchSizeOption: TypeAlias = Annotated[str, typer.Option(help="Images per forward pass, or auto; changes no outcome.")]
ShardSizeOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Samples per shard; changes outcomes of attacks of other libraries only.")
]
PrecisionOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Precision of the network that attacks query: auto, float32, bfloat16 or float16. The referee judges in "
        "float32."
    ),
]
CompileOption: TypeAlias = Annotated[bool, typer.Option("--compile", help="Compile the network that attacks query.")]
SeedOption: TypeAlias = Annotated[int, typer.Option(help="Seed of all random draws.")]
ShuffleOption: TypeAlias = Annotated[
    bool,
    typer.Option("--shuffle-shards", help="Evaluate samples in random order, so that early numbers are unbiased."),
]
TargetCiOption: TypeAlias = Annotated[
    str | None, typer.Option(help="±POINTS: end a cell once its 95 % interval is this narrow, e.g. ±0.5.")
]
StoreOption: TypeAlias = Annotated[str, typer.Option(help="Folder or URL (s3://BUCKET/NAME) of the outcomes.")]
AlexNetOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="JSON file with AlexNet's errors, to which mCE and mFR are relative.")
]
SkipMissingOption: TypeAlias = Annotated[
    bool, typer.Option("--skip-missing", help="Evaluate what is available if something is missing.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
QuietOption: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")]


class RunOptions(NamedTuple):
    """What the options of a run describe."""

    models: list[ModelRequest]
    settings: Settings


def parse_run_options(options: Mapping[str, Any]) -> RunOptions:
    """Return the models and the settings that the options of a command describe.

    Args:
        options: Values of the options by the names of their parameters, as in the context of the command.

    Raises:
        UsageError: No model was named, an option has a wrong value, or two options exclude each other.
    """
    from robustbench_eff.models.request import ModelRequest

    models: Sequence[str] = options["model"] or ()
    if not models:
        raise UsageError("No model was named.", "Try: robust-eval --model digits_standard, or --help.")
    if len(models) > 1 and (given := [name for name in MODEL_OPTIONS if options[name]]):
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(f"{names} would apply to {len(models)} models.", "Give each of them a command of its own.")
    of_model = {
        "weights": None if options["weights"] is None else Path(options["weights"]),
        "num_classes": options["num_classes"],
        "mean": parse_numbers("--mean", options["mean"]),
        "std": parse_numbers("--std", options["std"]),
        "input_size": options["input_size"],
        "geometry": parse_geometry(options["geometry"]),
        "model_args": parse_model_args(options["model_arg"] or []),
        "trust_checkpoint": options["trust_checkpoint"],
    }
    settings = Settings(
        benchmarks=tuple(options["benchmark"] or ()),
        attacks=tuple(part for text in options["attack"] or () for part in spec.split(text)),
        corruptions=tuple(part for text in options["corruption"] or () for part in spec.split(text)),
        data=locations.from_options(options["data"] or []),
        batch_size=parse_batch_size(options["batch_size"]),
        compile=options["compile_model"],
        target_ci=parse_target_ci(options["target_ci"]),
        **{name: options[name] for name in _PLAIN},
    )
    return RunOptions([ModelRequest(name=name, **of_model) for name in models], settings)
