"""`robust-eval try`: a first look at a model on a few images, warnings about its set-up, and what to run next."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.evaluation.settings import Settings
from robustbench_eff.registry.benchmarks import BENCHMARKS

from .common import error_boundary, error_console, output_console, print_line
from .options import (
    ClassMapOption,
    ClassOrderOption,
    DeviceOption,
    GeometryOption,
    InputSizeOption,
    MeanOption,
    ModelArgOption,
    NumClassesOption,
    RandomWeightsOption,
    RunOptions,
    StdOption,
    TrustCodeOption,
    TrustOption,
    WeightsOption,
    parse_run_options,
)

OWN = "mine"
"""Name of the user's own images where they have none."""
SAMPLE, FEW = 64, 8
"""Number of images, and of those that AutoAttack changes."""
ModelArgument = Annotated[str, typer.Argument(help="The model, as for --model: a file, an alias, SOURCE:NAME.")]
DataArgument = Annotated[
    str, typer.Argument(help="Labelled images: a folder, a file, hf:ID, NAME=PATH, or the name of a benchmark.")
]
SampleOption = Annotated[int, typer.Option(help="Number of images, drawn at random.")]
StoreOption = Annotated[str | None, typer.Option(help="Folder or URL of the outcomes; by default they are not kept.")]


def try_model(
    context: typer.Context,
    model: ModelArgument,
    data: DataArgument,
    class_order: ClassOrderOption = None,
    class_map: ClassMapOption = None,
    weights: WeightsOption = None,
    trust_checkpoint: TrustOption = False,
    trust_code: TrustCodeOption = False,
    random_weights: RandomWeightsOption = False,
    num_classes: NumClassesOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    input_size: InputSizeOption = None,
    geometry: GeometryOption = None,
    model_arg: ModelArgOption = None,
    sample: SampleOption = SAMPLE,
    device: DeviceOption = "auto",
    store: StoreOption = None,
) -> None:
    """Take a first look: is the model set up right, and what do attacks and corruptions do to a few images?"""
    with error_boundary(), _folder(store) as place:
        name, location = _images(data)
        located = {} if location is None else {name: location}
        options = {**context.params, "suite": "try", "model": [model], "data": None, "store": place}
        run = parse_run_options(options)
        run = run._replace(settings=replace(run.settings, benchmarks=(name,), data=located))
        if _is_set_up(run):
            _next(run, _evaluate(run))


@contextmanager
def _folder(store: str | None) -> Iterator[str]:
    """The store, or a folder that is deleted in the end."""
    if store is not None:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="robust-eval-try-") as folder:
        yield str(Path(folder) / "store")


def _images(data: str) -> tuple[str, str | None]:
    """The name of the images, and where they are: None for a benchmark whose place is known otherwise."""
    name, equals, location = data.partition("=")
    if equals and name and location and not Path(data).expanduser().exists():
        return name, location
    path = Path(data).expanduser()
    if path.exists() or data.startswith("hf:"):
        stem = path.name.partition(".")[0] if path.is_file() else path.resolve().name
        if stem in BENCHMARKS:
            line = f"assumed: {data} holds the images of the benchmark {stem} ({OWN}={data} for images of your own)"
            print_line(error_console(), line)
            return stem, data
        return OWN, data
    if data in BENCHMARKS:
        return data, None
    raise UsageError(
        f"There are no images at {data}.", "Pass a folder, a file, hf:ID, NAME=PATH or a benchmark's name."
    )


def _is_set_up(run: RunOptions) -> bool:
    """Print what the model gets right, and which set-ups would be better; whether attacks would say anything."""
    from robustbench_eff.diagnostics.other_setups import try_setups
    from robustbench_eff.reports.first_look import setup_lines
    from robustbench_eff.system import devices

    clean = replace(run.settings, attacks=("none",))
    with redirect_stdout(sys.stderr):  # the user's model may print; stdout is for the result
        report = try_setups(run.models[0], clean, devices.resolve_devices(clean.device, None)[0])
    for line in setup_lines(report):
        print_line(output_console(), line)
    best = report.better[0] if report.better else None
    if best is None or best.right.sum() < 2 * report.right:
        return True
    print_line(output_console(), "So no attack was run: its result would say nothing about the network.")
    if best.options and not best.remark:
        command = shlex.join(["robust-eval", *sys.argv[1:], *best.options])
        print_line(output_console(), f"If it was trained like that:\n  {command}")
    return False


def _evaluate(run: RunOptions) -> tuple[str, ...]:
    """Print what attacks and corruptions do; returns the attacks to run next, none for those of the suite."""
    from robustbench_eff.evaluation.evaluate import NullListener, evaluate
    from robustbench_eff.registry import build_benchmark
    from robustbench_eff.reports import first_look, progress, verdicts

    (name,) = run.settings.benchmarks
    attack = next(text for text in build_benchmark.suite("autoattack").perturbations(name) if text != "none")
    display, instead = progress.Display(error_console()), tuple[str, ...]()
    with redirect_stdout(sys.stderr):
        result = evaluate(*run.models, settings=run.settings, listener=display)
        if any(item.cell.kind == "attack" for item in result.failed):  # such as those of a network without gradients
            radius = spec.literal(spec.parse(attack).arguments["eps"])
            attack, instead = f"square(eps={radius}, queries=200)", (f"square(eps={radius})",)
        few = replace(run.settings, suite="standard", attacks=(attack,), sample=min(FEW, run.settings.sample or FEW))
        thorough = evaluate(*run.models, settings=few, listener=NullListener())
    attacked = [score for score in thorough.scores if score.kind == "attack"]
    first_look.accuracy_table([*result.scores, *attacked], output_console())
    suspicions = [verdict for verdict in result.verdicts if verdict.finding == "suspect"]
    verdicts.verdict_lines(suspicions, output_console())
    return instead


def _next(run: RunOptions, instead: tuple[str, ...]) -> None:
    from robustbench_eff.evaluation.suggested_command import command_for

    whole = Settings(
        benchmarks=run.settings.benchmarks,
        data=run.settings.data,
        class_order=run.settings.class_order,
        class_map=run.settings.class_map,
        device=run.settings.device,
        trust_code=run.settings.trust_code,
    )
    attacks = command_for(run.models[0], replace(whole, attacks=instead))
    corruptions = command_for(run.models[0], replace(whole, suite="corruptions"))
    which = "an attack without gradients" if instead else "attacks of several radii"
    print_line(output_console(), f"Next, all images, with {which}:\n  {attacks}")
    print_line(output_console(), f"and with all corruptions:\n  {corruptions}")
