"""`robust-eval sweep`: an ablation from a YAML file to a table and a plot."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_files import read_text

from .common import error_boundary, error_console, output_console, print_line, resumable
from .options import QuietOption, TrustCodeOption

if TYPE_CHECKING:
    from robustbench_eff.training.sweep import SweepCallback, SweepResult


def sweep(
    file: Annotated[Path, typer.Argument(help="YAML file of recipes, seeds and benchmarks; see docs/training.md.")],
    out: Annotated[Path, typer.Option(help="Folder for the trained networks and the results.")],
    train_data: Annotated[list[str] | None, typer.Option(help="Training images: NAME=PATH.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="Images to evaluate on: NAME=PATH.")] = None,
    workers: Annotated[int, typer.Option(help="Number of trainings that run at the same time.")] = 1,
    trust_code: TrustCodeOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train and evaluate a grid of recipes with several seeds (resumable)."""
    with error_boundary():
        if not file.exists():
            raise UsageError(f"{file} does not exist.", "The repository has examples in examples/ablations.")
        from robustbench_eff.reports import sweep_table
        from robustbench_eff.training.sweep import run_sweep
        from robustbench_eff.training.sweep_spec import Sweep

        plan = Sweep.parse(read_text(file, UsageError), str(file))
        plan = plan.located(locations.from_options(train_data or []), locations.from_options(data or []))
        for line in plan.assumed():
            print_line(error_console(), line)
        with resumable(out):
            on_job = None if quiet else _job_printer(len(plan.recipes()) * len(plan.seeds))
            result = run_sweep(plan, out, workers, on_job, trust_code=trust_code)
        for table in sweep_table.tables(result):
            output_console().print(sweep_table.rich_table(table))
            for line in table.below:
                print_line(output_console(), line)
        written = _write_results(result, out)
        print_line(output_console(), f"Written to {out}: {', '.join(written)}.")
    if result.failed:
        raise typer.Exit(1)


def _job_printer(total: int) -> SweepCallback:
    numbers = count(1)

    def print_job(row: str, seed: int, message: str) -> None:
        print_line(error_console(), f"{next(numbers)} of {total}: {row}, seed {seed}: {message}")

    return print_job


def _write_results(result: SweepResult, out: Path) -> list[str]:
    """Write the table, and the plot if a training succeeded; return the names of all files of the results."""
    from robustbench_eff.core.disk import atomic_write, reporting_os_errors
    from robustbench_eff.reports import sweep_plot, sweep_table

    with reporting_os_errors(out / "table.md"):
        atomic_write(out / "table.md", sweep_table.markdown(result).encode())
    if not result.means:
        return ["results.json", "table.md"]
    with reporting_os_errors(out / "plot.png"):
        atomic_write(out / "plot.png", sweep_plot.png(result))
    return ["results.json", "table.md", "plot.png"]
