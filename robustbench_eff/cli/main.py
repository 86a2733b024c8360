"""The `robust-eval` command. Heavy modules are imported only where they are used."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from robustbench_eff import __version__
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.progress import ignore_progress, reported_to
from robustbench_eff.core.stops import raise_stops
from robustbench_eff.evaluation.settings import DEFAULT_STORE
from robustbench_eff.reports import progress

from .certify import certify
from .common import Commands, error_boundary, error_console, interrupted, output_console, print_line
from .compare import compare
from .conflict import conflict
from .convert import convert
from .corrupt import corrupt
from .figures import figures
from .gate import NO_GATE, Gate, GateListener, parse_gate
from .leaderboard import leaderboard_app
from .lists import list_app
from .options import (
    AcceptDoubtedOption,
    AdaptOption,
    AlexNetOption,
    AttackOption,
    BatchSizeOption,
    BenchmarkOption,
    ClassMapOption,
    ClassOrderOption,
    CompileOption,
    CorruptionOption,
    DataOption,
    DeviceOption,
    DownloadOption,
    EngineOption,
    GeometryOption,
    InputSizeOption,
    JsonOption,
    JunitOption,
    LimitOption,
    LogOption,
    MeanOption,
    ModelArgOption,
    ModelOption,
    ModelsFileOption,
    NameOption,
    NumClassesOption,
    PrecisionOption,
    QuietOption,
    RandomWeightsOption,
    RayAddressOption,
    RequireOption,
    RunOptions,
    SampleOption,
    SeedOption,
    ShardSizeOption,
    ShuffleOption,
    SkipMissingOption,
    StdOption,
    StoreOption,
    SuiteOption,
    SummaryOption,
    TargetCiOption,
    TrustCodeOption,
    TrustOption,
    VotesOption,
    WeightsOption,
    WorkersOption,
    parse_run_options,
)
from .plan import plan
from .report import report as write_report
from .score import score
from .store import store_app
from .streams import reported_output
from .sweep import sweep
from .train import train
from .trials import trials
from .try_model import try_model
from .view import view

EXAMPLES = """
How robust is this image classifier, really?

**Examples**

    robust-eval --model digits_standard

    robust-eval --model effnet_b7_advprop --data imagenet=/data/imagenet/val

    robust-eval --model my_model.py:build --weights my.safetensors \\
        --input-size 32 --benchmark cifar10 --data cifar10=test.npz \\
        --attack 'pgd(eps=8/255, steps=50)'

    robust-eval plan --model timm:resnet50 --suite autoattack --price 2.50

    robust-eval score robust-eval-store

Repeat a command to resume it. Exit codes: 0 success, 1 failure while running,
2 wrong usage or missing input, 3 a number that is not what --require demands,
128 and the number of the signal if one stopped the run (130 for Ctrl-C).
"""

app = typer.Typer(
    cls=Commands,
    add_completion=True,
    no_args_is_help=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(list_app, name="list")
app.add_typer(leaderboard_app, name="leaderboard")
app.add_typer(store_app, name="store")
app.command()(certify)
app.command()(compare)
app.command()(corrupt)
app.command()(train)
app.command()(sweep)
app.command()(score)
app.command()(plan)
app.command(name="report")(write_report)
app.command()(figures)
app.command()(view)
app.command()(trials)
app.command()(conflict)
app.command()(convert)
app.command(name="try")(try_model)


def main() -> None:
    """Entry point of the console script."""
    raise_stops()
    with reported_output():
        app(prog_name="robust-eval")


@app.callback(invoke_without_command=True, help=EXAMPLES)
def evaluate(
    context: typer.Context,
    model: ModelOption = None,
    name: NameOption = None,
    models: ModelsFileOption = None,
    suite: SuiteOption = "standard",
    benchmark: BenchmarkOption = None,
    attack: AttackOption = None,
    corruption: CorruptionOption = None,
    adapt: AdaptOption = None,
    data: DataOption = None,
    download: DownloadOption = False,
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
    limit: LimitOption = None,
    sample: SampleOption = None,
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
    votes: VotesOption = None,
    store: StoreOption = DEFAULT_STORE,
    alexnet_baseline: AlexNetOption = None,
    skip_missing: SkipMissingOption = False,
    require: RequireOption = None,
    accept_doubted: AcceptDoubtedOption = False,
    junit: JunitOption = None,
    summary: SummaryOption = None,
    log: LogOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Evaluate models, unless a command was named."""
    if version:
        print(f"robust-eval {__version__}")
        raise typer.Exit
    with error_boundary():
        if context.invoked_subcommand is not None:
            _refuse_options_before_command(context, context.invoked_subcommand)
            return
        run = parse_run_options(context.params)
        gate = parse_gate(context.params, [run.settings.store])
        run_and_print(run, gate, as_json=as_json, quiet=quiet)


def _refuse_options_before_command(context: typer.Context, command: str) -> None:
    """Refuse options of an evaluation that stand before the name of a command, which would ignore them."""
    names = {"as_json": "json", "compile_model": "compile"}
    typed = [f"--{names.get(name, name).replace('_', '-')}" for name in context.params if _was_typed(context, name)]
    if typed:
        verb = "does" if len(typed) == 1 else "do"
        message = f"{', '.join(typed)} before `{command}` {verb} not apply to it."
        raise UsageError(message, f"Options of `{command}` follow its name; see robust-eval {command} --help.")


def run_and_print(run: RunOptions, gate: Gate = NO_GATE, *, as_json: bool, quiet: bool) -> None:
    """Evaluate models and print the scores, and whether they are what is required.

    Args:
        run: The models and the settings.
        gate: What is required.
        as_json: Print one JSON object instead of tables.
        quiet: Print no progress.
    """
    from robustbench_eff.evaluation.evaluate import evaluate as evaluate_models
    from robustbench_eff.reports import incomplete_means, json_report, score_tables, verdicts
    from robustbench_eff.system import devices

    devices.keep_freed_memory()
    display = progress.Display(error_console(), quiet=quiet)
    try:
        # The user's model may print; stdout is for the result.
        with redirect_stdout(sys.stderr), reported_to(ignore_progress) if quiet else nullcontext():
            listener = GateListener(display, gate)
            result = evaluate_models(*run.models, settings=run.settings, listener=listener)
    except KeyboardInterrupt as interrupt:
        raise interrupted(f"The outcomes so far are in {run.settings.store}.", interrupt) from interrupt
    if as_json:
        judgements = gate.judge(result.scores)
        parts = (result.scores, result.store, result.missing, result.verdicts, result.failed)
        print(json_report.json_object(*parts, judgements))
        gate.finish(result.scores, judgements, error_console())
        result.check()
        return
    score_tables.score_table(result.scores, output_console())
    incomplete_means.incomplete_lines(result.scores, output_console())
    verdicts.verdict_lines(result.verdicts, output_console())
    if result.other_seeds and not quiet:
        seeds = ", ".join(map(str, result.other_seeds))
        message = f"The store also holds these evaluations with seed {seeds}; they are scored separately."
        print_line(error_console(), message)
    for item in result.missing:
        print_line(error_console(), f"skipped, missing: {item}")
    print_line(output_console(), f"Outcomes: {result.store}")
    gate.finish(result.scores, gate.judge(result.scores), output_console())
    result.check()


@app.command()
def verify() -> None:
    """Test this installation: compare formulas and kernels with stored references."""
    with error_boundary():
        from robustbench_eff.diagnostics.verify import Status, checks

        marks = {Status.PASSED: "[green]✓", Status.FAILED: "[red]✗", Status.SKIPPED: "[yellow]–"}
        table = Table("", "check", "expected", "result", box=None)
        counts = dict.fromkeys(Status, 0)
        for check in checks():
            table.add_row(marks[check.status], check.subject, check.expected, Text(check.result))
            counts[check.status] += 1
        failed, skipped = counts[Status.FAILED], counts[Status.SKIPPED]
        output_console().print(table)
        output_console().print(f"Failed checks: {failed}." if failed else "All checks passed.")
        if skipped:
            output_console().print(f"Skipped for lack of a stored reference: {skipped}.")
    raise typer.Exit(1 if failed else 0)


@app.command()
def doctor() -> None:
    """Check what this machine offers for evaluations: versions, devices, data, network."""
    with error_boundary():
        from robustbench_eff.diagnostics.doctor import findings

        table = Table(box=None, show_header=False)
        is_fine = True
        for finding in findings():
            table.add_row("[green]✓" if finding.fine else "[red]✗", Text(finding.subject), Text(finding.result))
            is_fine = is_fine and finding.fine
        output_console().print(table)
    raise typer.Exit(0 if is_fine else 1)


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
