"""`robust-eval sweep`: an ablation from a YAML file to a table and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.errors import UsageError

from .common import error_boundary, errors, output, resumable


def sweep(
    file: Annotated[Path, typer.Argument(help="YAML: recipes, seeds, benchmarks; see docs/training.md.")],
    out: Annotated[Path, typer.Option(help="Folder of the trained networks and the results.")],
    train_data: Annotated[list[str] | None, typer.Option(help="NAME=PATH of the training images.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="NAME=PATH of images that are evaluated on.")] = None,
    workers: Annotated[int, typer.Option(help="Trainings at a time.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train and evaluate a grid of recipes with several seeds (resumable)."""
    with error_boundary():
        from robustbench_eff.core.disk import atomic_write

        if not file.is_file():
            raise UsageError(f"{file} is not there.", "Shipped ones are in examples/ablations.")
        from robustbench_eff.reports import sweep_plot, sweep_table
        from robustbench_eff.training.sweep import run_sweep
        from robustbench_eff.training.sweep_spec import Sweep

        plan = Sweep.parse(file.read_text(encoding="utf-8"), str(file))
        plan = plan.located(locations.from_options(train_data or []), locations.from_options(data or []))
        total, done = len(plan.recipes()) * len(plan.seeds), 0

        def tell(row: str, seed: int, said: str) -> None:
            nonlocal done
            done += 1
            text = f"{done} of {total}: {row}, seed {seed}: {said}"
            errors().print(text, highlight=False, markup=False, soft_wrap=True)

        with resumable(out):
            result = run_sweep(plan, out, workers, None if quiet else tell)
        for plain in sweep_table.tables(result):
            output().print(sweep_table.rich_table(plain))
        written = ["results.json", "table.md"]
        atomic_write(out / "table.md", sweep_table.markdown(result).encode())
        if result.means:
            atomic_write(out / "plot.png", sweep_plot.png(result))
            written.append("plot.png")
        output().print(f"Written to {out}: {', '.join(written)}.", highlight=False, markup=False, soft_wrap=True)
    if result.failed:
        raise typer.Exit(1)
