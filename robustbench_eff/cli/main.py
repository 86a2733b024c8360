"""The `robust-eval` command. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from robustbench_eff import __version__
from robustbench_eff.core.errors import Interrupted
from robustbench_eff.evaluation.settings import DEFAULT_STORE
from robustbench_eff.reports import console, json_report, progress, verdicts

from .common import error_boundary, output
from .common import errors as error_console
from .compare import compare
from .conflict import conflict
from .convert import convert
from .corrupt import corrupt
from .leaderboard import leaderboard_app
from .lists import list_app
from .options import (
    AlexNetOption,
    AttackOption,
    BatchSizeOption,
    BenchmarkOption,
    CompileOption,
    CorruptionOption,
    DataOption,
    DeviceOption,
    EngineOption,
    GeometryOption,
    InputSizeOption,
    JsonOption,
    LimitOption,
    MeanOption,
    ModelArgOption,
    ModelOption,
    NumClassesOption,
    PrecisionOption,
    QuietOption,
    RayAddressOption,
    SeedOption,
    ShardSizeOption,
    ShuffleOption,
    SkipMissingOption,
    StdOption,
    StoreOption,
    SuiteOption,
    TargetCiOption,
    TrustOption,
    WeightsOption,
    WorkersOption,
    parse_run_options,
)
from .plan import plan
from .report import report as write_report
from .score import score
from .sweep import sweep
from .train import train
from .trials import trials

if TYPE_CHECKING:
    from robustbench_eff.evaluation.settings import Settings
    from robustbench_eff.models.request import ModelRequest

EXAMPLES = """
How robust is this image classifier, really?

**Examples**

    robust-eval --model digits_standard

    robust-eval --model effnet_b7_advprop --data imagenet=/data/imagenet/val

    robust-eval --model my_model.py:build --weights my.safetensors --input-size 32
                --benchmark cifar10 --data cifar10=test.npz --attack 'pgd(eps=8/255, steps=50)'

    robust-eval plan --model timm:resnet50 --suite autoattack --device all --price 2.50

    robust-eval score robust-eval-store

The same command again resumes. Exit codes: 0 all done, 1 failed while running,
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
app.command()(plan)
app.command(name="report")(write_report)
app.command()(trials)
app.command()(conflict)
app.command()(convert)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="robust-eval")


@app.callback(invoke_without_command=True, help=EXAMPLES)
def evaluate(
    context: typer.Context,
    model: ModelOption = None,
    suite: SuiteOption = "standard",
    benchmark: BenchmarkOption = None,
    attack: AttackOption = None,
    corruption: CorruptionOption = None,
    data: DataOption = None,
    weights: WeightsOption = None,
    trust_checkpoint: TrustOption = False,
    num_classes: NumClassesOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    input_size: InputSizeOption = None,
    geometry: GeometryOption = None,
    model_arg: ModelArgOption = None,
    limit: LimitOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    ray_address: RayAddressOption = None,
    batch_size: BatchSizeOption = "auto",
    shard_size: ShardSizeOption = None,
    precision: PrecisionOption = "auto",
    compile_model: CompileOption = False,
    seed: SeedOption = 0,
    shuffle_shards: ShuffleOption = False,
    target_ci: TargetCiOption = None,
    store: StoreOption = DEFAULT_STORE,
    alexnet_baseline: AlexNetOption = None,
    skip_missing: SkipMissingOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Evaluate models, unless a command was named."""
    if version:
        print(f"robust-eval {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        _refuse_options_before_command(context)
        return
    with error_boundary():
        run = parse_run_options(context.params)
        _evaluate(run.models, run.settings, as_json=as_json, quiet=quiet)


def _refuse_options_before_command(context: typer.Context) -> None:
    """The options of an evaluation do not apply to a command that follows them."""
    names = {"as_json": "json", "compile_model": "compile"}
    typed = [f"--{names.get(name, name).replace('_', '-')}" for name in context.params if _was_typed(context, name)]
    if typed:
        error_console().print(f"error: {', '.join(typed)} before `{context.invoked_subcommand}` does not apply to it.")
        raise typer.Exit(2)


def _evaluate(requests: list[ModelRequest], settings: Settings, *, as_json: bool, quiet: bool) -> None:
    from robustbench_eff.evaluation.evaluate import evaluate as run
    from robustbench_eff.system import devices

    devices.keep_freed_memory()
    errors = error_console()
    try:
        with redirect_stdout(sys.stderr):  # the user's model may print; stdout is for the result
            result = run(*requests, settings=settings, listener=progress.Display(errors, quiet=quiet))
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"Interrupted. What was finished is in {settings.store}.",
            f"To resume, repeat the command:\n  {shlex.join(['robust-eval', *sys.argv[1:]])}",
        ) from stop
    if as_json:
        print(json_report.json_object(result.scores, str(result.store), result.missing, result.verdicts))
        return
    console.score_table(result.scores, output())
    verdicts.verdict_lines(result.verdicts, output())
    if result.other_seeds and not quiet:
        seeds = ", ".join(map(str, result.other_seeds))
        errors.print(f"The store also holds these evaluations with seed {seeds}; they are kept apart.")
    for item in result.missing:
        errors.print(f"skipped, missing: {item}", markup=False, highlight=False, soft_wrap=True)
    output().print(f"Outcomes: {result.store}", highlight=False, soft_wrap=True)


@app.command()
def verify() -> None:
    """Test this installation: formulas and kernels against references that came with it."""
    with error_boundary():
        from robustbench_eff.diagnostics.verify import Status, checks

        marks = {Status.PASSED: "[green]✓", Status.FAILED: "[red]✗", Status.SKIPPED: "[yellow]–"}
        table = Table("", "what", "expected", "found", box=None)
        counts = dict.fromkeys(Status, 0)
        for check in checks():
            table.add_row(marks[check.status], check.subject, check.expected, Text(check.result))
            counts[check.status] += 1
        wrong, skipped = counts[Status.FAILED], counts[Status.SKIPPED]
        output().print(table)
        output().print("All as expected." if not wrong else f"{wrong} are not as expected.")
        if skipped:
            output().print(f"{skipped} skipped: no reference is stored.")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks for an evaluation."""
    with error_boundary():
        from robustbench_eff.diagnostics.doctor import findings

        table = Table(box=None, show_header=False)
        fine = True
        for finding in findings():
            table.add_row("[green]✓" if finding.fine else "[red]✗", Text(finding.subject), Text(finding.result))
            fine = fine and finding.fine
        output().print(table)
    raise typer.Exit(0 if fine else 1)


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
