"""The `robust-eval` command. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from robustbench_eff import __version__, benchmark_table, report, spec
from robustbench_eff.api.settings import DEFAULT_STORE
from robustbench_eff.benchmarks import locations
from robustbench_eff.errors import Interrupted, UsageError
from robustbench_eff.zoo import aliases

from .compare import compare
from .conflict import conflict
from .convert import convert
from .corrupt import corrupt
from .leaderboard import leaderboard_app
from .lists import list_app
from .report import report as write_report
from .score import score
from .sweep import sweep
from .train import train
from .trials import trials
from .words import errors as error_console
from .words import output, parse_batch_size, parse_geometry, parse_model_args, parse_numbers, parse_until, reported

if TYPE_CHECKING:
    pass

EXAMPLES = """
How robust is this image classifier, really?

**Examples**

    robust-eval --model digits_standard

    robust-eval --model effnet_b7_advprop --data imagenet=/data/imagenet/val

    robust-eval --model my_model.py:build --weights my.safetensors --input-size 32
                --benchmark cifar10 --data cifar10=test.npz --attack 'pgd(eps=8/255, steps=50)'

    robust-eval score robust-eval-store

The same command again continues where it stopped. Exit codes: 0 all done, 1 failed while running,
2 bad usage or missing input, 130 interrupted.
"""

app = typer.Typer(
    add_completion=True, no_args_is_help=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
)
app.add_typer(list_app, name="list")
app.add_typer(leaderboard_app, name="leaderboard")
app.command()(compare)
app.command()(corrupt)
app.command()(train)
app.command()(sweep)
app.command()(score)
app.command(name="report")(write_report)
app.command()(trials)
app.command()(conflict)
app.command()(convert)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="robust-eval")


def _complete_model(incomplete: str) -> list[str]:
    return [name for name in aliases.aliases() if name.startswith(incomplete)]


@app.callback(invoke_without_command=True, help=EXAMPLES)
def evaluate(
    context: typer.Context,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Alias, timm:NAME, torchvision:NAME, open_clip:ARCH/TAG, package.module:factory or "
            "path/to/file.py:factory; repeat for several.",
            autocompletion=_complete_model,
        ),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="Shipped suite or YAML file.", autocompletion=lambda: list(benchmark_table.SUITES))
    ] = "standard",
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            help="Run on these instead of the suite's for the model's label space.",
            autocompletion=lambda: list(benchmark_table.BENCHMARKS),
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
    precision: Annotated[
        str, typer.Option(help="Attacks': auto, float32, bfloat16 or float16. The referee's is float32.")
    ] = "auto",
    compile_model: Annotated[bool, typer.Option("--compile", help="Compile the network attacks query.")] = False,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    shuffle_shards: Annotated[
        bool, typer.Option("--shuffle-shards", help="Samples in random order: early numbers are fair estimates.")
    ] = False,
    until: Annotated[
        str | None, typer.Option(help="±POINTS: end a cell when its interval is this narrow; e.g. ±0.5.")
    ] = None,
    store: Annotated[str, typer.Option(help="Folder or URL (s3://BUCKET/NAME) of the outcomes.")] = DEFAULT_STORE,
    normalisers: Annotated[Path | None, typer.Option(help="JSON with AlexNet's figures, for mCE and mFR.")] = None,
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="Run what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"robust-eval {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        given_too = [name for name in context.params if _was_typed(context, name)]
        if given_too:
            names = ", ".join(
                "--" + {"as_json": "json", "compile_model": "compile"}.get(name, name).replace("_", "-")
                for name in given_too
            )
            error_console().print(f"error: {names} before `{context.invoked_subcommand}` does not go with it.")
            raise typer.Exit(2)
        return
    with reported():
        if not model:
            raise UsageError("No model was named.", "Try: robust-eval --model digits_standard, or --help.")
        given = {
            "weights": weights,
            "num_classes": num_classes,
            "mean": parse_numbers("--mean", mean),
            "std": parse_numbers("--std", std),
            "input_size": input_size,
            "geometry": parse_geometry(geometry),
            "model_args": parse_model_args(model_arg or []),
            "trust_checkpoint": trust_checkpoint,
        }
        options: dict[str, Any] = {
            "suite": suite,
            "benchmarks": tuple(benchmark or ()),
            "attacks": tuple(part for text in attack or () for part in spec.split(text)),
            "corruptions": tuple(part for text in corruption or () for part in spec.split(text)),
            "data": locations.from_options(data or []),
            "limit": limit,
            "device": device,
            "batch_size": parse_batch_size(batch_size),
            "precision": precision,
            "compile": compile_model,
            "seed": seed,
            "workers": workers,
            "engine": engine,
            "ray_address": ray_address,
            "shuffle_shards": shuffle_shards,
            "until": parse_until(until),
            "store": store,
            "normalisers": normalisers,
            "skip_missing": skip_missing,
        }
        _evaluate(model, given, options, as_json=as_json, quiet=quiet)


def _evaluate(models: list[str], given: dict[str, Any], options: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    if len(models) > 1 and (set_options := [name for name, value in given.items() if value]):
        names = ", ".join("--" + name.removesuffix("s").replace("_", "-") for name in set_options)
        raise UsageError(f"{names} would apply to {len(models)} models.", "Give such models a command each.")
    from robustbench_eff.api import hardware
    from robustbench_eff.api.evaluate import evaluate as run
    from robustbench_eff.api.settings import Settings
    from robustbench_eff.zoo.request import ModelRequest

    hardware.keep_freed_memory()
    settings = Settings(**options)
    requests = [ModelRequest(name=name, **given) for name in models]
    errors = error_console()
    try:
        with redirect_stdout(sys.stderr):  # a model of the user may print; stdout is for the result
            result = run(*requests, settings=settings, listener=report.Display(errors, quiet=quiet))
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"Interrupted. What was finished is in {settings.store}.",
            f"To go on, repeat the command:\n  {shlex.join(['robust-eval', *sys.argv[1:]])}",
        ) from stop
    if as_json:
        print(report.json_object(result.scores, str(result.store), result.missing, result.verdicts))
        return
    report.score_table(result.scores, output())
    report.verdict_lines(result.verdicts, output())
    if result.other_seeds and not quiet:
        seeds = ", ".join(str(number) for number in result.other_seeds)
        errors.print(f"The store also holds these evaluations with seed {seeds}; they are kept apart.")
    for item in result.missing:
        errors.print(f"skipped, missing: {item}", markup=False, highlight=False, soft_wrap=True)
    output().print(f"Outcomes: {result.store}", highlight=False, soft_wrap=True)


@app.command()
def verify() -> None:
    """Test this installation: formulas and kernels against references that came with it."""
    with reported():
        from robustbench_eff.api.verify import checks

        table = Table("", "what", "expected", "found", box=None)
        wrong = 0
        for check in checks():
            table.add_row("[green]✓" if check.good else "[red]✗", check.what, check.expected, Text(check.found))
            wrong += not check.good
        output().print(table)
        output().print("All as expected." if not wrong else f"{wrong} are not as expected.")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks for an evaluation."""
    with reported():
        from robustbench_eff.doctor import findings

        table = Table(box=None, show_header=False)
        fine = True
        for what, finding, good in findings():
            table.add_row("[green]✓" if good else "[red]✗", Text(what), Text(finding))
            fine = fine and good
        output().print(table)
    raise typer.Exit(0 if fine else 1)


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
