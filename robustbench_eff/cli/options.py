"""The options of a run, shared by `robust-eval` and `robust-eval plan`."""

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
from robustbench_eff.registry.adaptations import ADAPTATIONS
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.model_sources import FORMS
from robustbench_eff.registry.suites import SUITES

from .common import parse_batch_size, parse_radii, parse_target_ci
from .model_requests import model_requests

if TYPE_CHECKING:
    from robustbench_eff.models.request import ModelRequest

_PLAIN = (
    "suite",
    "adapt",
    "class_order",
    "class_map",
    "limit",
    "sample",
    "device",
    "workers",
    "engine",
    "ray_address",
    "shard_size",
    "precision",
    "seed",
    "shuffle_shards",
    "store",
    "votes",
    "alexnet_baseline",
    "trust_code",
    "skip_missing",
)
"""Options that become fields of `Settings` unchanged."""


def _complete_model(incomplete: str) -> list[str]:
    return [name for name in aliases.aliases() if name.startswith(incomplete)]


ModelOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help=f"Model: alias, {FORMS}; may be repeated.",
        autocompletion=_complete_model,
    ),
]
NameOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="What tables call the model; one for each --model, in the same order."),
]
ModelsFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--models", help="YAML file of models: what tables call each, what finds it, and its weights, mean and so on."
    ),
]
SuiteOption: TypeAlias = Annotated[
    str, typer.Option(help="Name of a shipped suite, or YAML file.", autocompletion=lambda: list(SUITES))
]
BenchmarkOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Evaluate on this benchmark instead of those that the suite chooses for the model; may be repeated.",
        autocompletion=lambda: list(BENCHMARKS),
    ),
]
AttackOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Run this attack instead of the suite's, such as 'pgd(eps=4/255, steps=50)', or your own, such as "
        "'mine.py:MyAttack(eps=4/255)'; may be repeated."
    ),
]
CorruptionOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Run this corruption or sequence instead of the suite's, such as 'fog(severity=3)', imagenet_c or "
        "rotate_sequence; may be repeated."
    ),
]
AdaptOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="How the network depends on batch, order or past: 'batches(size=1)', 'bn1(batch_size=200)', "
        "'tent(batch_size=200, order=iid, reset=never)'; part of the protocol.",
        autocompletion=lambda: list(ADAPTATIONS),
    ),
]
DataOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="Images of a benchmark: NAME=PATH or NAME=hf:ID[@SPLIT][#REVISION]; may be repeated."),
]
DownloadOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--download",
        help="Download the images of each --data NAME=FOLDER into that folder, where they are not there yet.",
    ),
]
ClassOrderOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Order of the classes of your own images: sorted, natural, numeric, or a file with their names in the "
        "order of the model's outputs."
    ),
]
ClassMapOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="JSON or CSV file: which outputs of the model each class of your own images stands for."),
]
WeightsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Weights: safetensors file or PyTorch state_dict, or its address: https://HOST/FILE[#sha256=HEX] or "
        "hf://ORG/NAME/FILE[@REVISION]."
    ),
]
TrustOption: TypeAlias = Annotated[
    bool, typer.Option("--trust-checkpoint", help="Unpickle --weights, which can run code.")
]
TrustCodeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--trust-code",
        help="Run the programs that files name, such as a suite or the folder of a model; they can do anything.",
    ),
]
RandomWeightsOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--random-weights", help="Draw weights that no file gives at random, under a fixed seed; every row says so."
    ),
]
NumClassesOption: TypeAlias = Annotated[int | None, typer.Option(help="Number of outputs of the model.")]
MeanOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Normalization mean per channel: 0.5 or 0.485 0.456 0.406; of pixels up to 1 or 255."),
]
StdOption: TypeAlias = Annotated[str | None, typer.Option(help="Normalization standard deviation per channel.")]
InputSizeOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Side length of the input images in pixels, or height and width: 224x160.")
]
GeometryOption: TypeAlias = Annotated[str | None, typer.Option(help="How images are resized: crop, squash or none.")]
ModelArgOption: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Argument of the model's constructor, as KEY=VALUE; may be repeated.")
]
LimitOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Evaluate only the first N samples of each benchmark.")
]
SampleOption: TypeAlias = Annotated[int | None, typer.Option(help="Evaluate N samples per benchmark, drawn at random.")]
DeviceOption: TypeAlias = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, a comma-separated list, or all.")]
WorkersOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Number of parallel processes; one per device by default.")
]
EngineOption: TypeAlias = Annotated[str, typer.Option(help="Engine that runs the workers: local or ray.")]
RayAddressOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Address of a running Ray cluster, or auto to find it.")
]
BatchSizeOption: TypeAlias = Annotated[
    str, typer.Option(help="Images per forward pass, or auto; does not change outcomes.")
]
ShardSizeOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Samples per shard; changes the outcomes of third-party attacks only.")
]
PrecisionOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Precision of the network that attacks query: auto, float32, bfloat16 (for gradients) or float16; the "
        "referee always uses float32."
    ),
]
CompileOption: TypeAlias = Annotated[bool, typer.Option("--compile", help="Compile the network that attacks query.")]
SeedOption: TypeAlias = Annotated[int, typer.Option(help="Seed of all random draws.")]
ShuffleOption: TypeAlias = Annotated[
    bool,
    typer.Option("--shuffle-shards", help="Evaluate samples in random order, so that early numbers are unbiased."),
]
TargetCiOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Stop a cell once its 95 % interval is within ± this many percentage points, such as ±0.5."),
]
VotesOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        help="Classify every image this often; by itself only for networks that draw random numbers, often enough for "
        "±1 percentage point."
    ),
]
StoreOption: TypeAlias = Annotated[str, typer.Option(help="Folder or URL (s3://BUCKET/NAME) of the outcomes.")]
AlexNetOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="JSON file of AlexNet's errors, the baseline of mCE and mFR.")
]
RadiiOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="L2 radii of certified accuracies, such as 0,0.25,0.5; by default a grid that suits the noise."),
]
RequireOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="What a number must reach, such as 'pgd(eps=1/255) >= 30 %', 'clean >= 0.9 for MODEL on BENCHMARK' or "
        "'mCE <= 80'; its 95 % interval is compared, in 'value(clean) >= 0.9' the value; exit code 3 if it does not; "
        "may be repeated."
    ),
]
AcceptDoubtedOption: TypeAlias = Annotated[
    bool,
    typer.Option("--accept-doubted", help="Let numbers meet --require that gradient masking may have made too good."),
]
JunitOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="XML file: also write what became of each --require, as JUnit tests.")
]
SummaryOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Markdown file: also write numbers and requirements, as for a pull request."),
]
LogOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="Also log: csv=FILE, tensorboard=FOLDER, mlflow=ADDRESS, wandb=PROJECT; may be repeated."),
]
SkipMissingOption: TypeAlias = Annotated[
    bool, typer.Option("--skip-missing", help="Skip evaluations whose models or images are missing.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
QuietOption: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress, but what was assumed.")]


class RunOptions(NamedTuple):
    """The parsed options of a run."""

    models: list[ModelRequest]
    """One request per --model."""
    settings: Settings
    """Settings of the evaluation."""


def parse_run_options(options: Mapping[str, Any]) -> RunOptions:
    """Return the models and the settings of a run.

    Args:
        options: Values of the options by parameter name, as in `typer.Context.params`; settings that a command does not
            offer have their defaults.

    Raises:
        UsageError: No model is given, an option has a wrong value, or two options exclude each other.
        SpecError: A number or a component cannot be read.
    """
    requests = model_requests(options)
    read: dict[str, Any] = {"batch_size": parse_batch_size, "target_ci": parse_target_ci, "radii": parse_radii}
    settings = Settings(
        benchmarks=tuple(options.get("benchmark") or ()),
        attacks=_components("--attack", options.get("attack")),
        corruptions=_components("--corruption", options.get("corruption")),
        data=_data(options.get("data") or [], download=options.get("download", False)),
        compile=options.get("compile_model", False),
        **{name: parse(options[name]) for name, parse in read.items() if name in options},
        **{name: options[name] for name in _PLAIN if name in options},
    )
    return RunOptions(requests, settings)


def _data(texts: Sequence[str], *, download: bool) -> dict[str, str]:
    """The locations that --data names; those of images to download become the downloaded files."""
    named = locations.from_options(texts)
    if not download:
        return named
    if not named:
        raise UsageError("--download needs the folder to download into.", "For example --data cifar10=data --download.")
    from robustbench_eff.benchmarks.downloaded_images import download_images
    from robustbench_eff.registry.build_benchmark import benchmark

    for name, place in named.items():
        if place.startswith("hf:"):
            raise UsageError(f"--data {name}={place} is not a folder to download into.", "Leave out --download.")
        named[name] = str(download_images(benchmark(name, None), Path(place).expanduser()))
    return named


def _components(option: str, texts: Sequence[str] | None) -> tuple[str, ...]:
    """The components that an option names; one that names none would stand for all of the suite's."""
    for text in texts or ():
        if not spec.split(text):
            raise UsageError(f"{option} {text!r} names nothing.", "Leave it out, or name one.")
    return tuple(part for text in texts or () for part in spec.split(text))
