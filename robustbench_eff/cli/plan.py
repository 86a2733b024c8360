"""`robust-eval plan`: what a run would do, how long it would take and what it would cost."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer

from robustbench_eff.reports import cost_table, progress

from .common import error_boundary, errors, output
from .options import asked, run_options, with_options_of

LEGEND = (
    "Measured: on some samples. From the store: from the passes that its samples took. At most: from the most passes "
    "that the attack can take; samples it beats early take far fewer."
)


@with_options_of(run_options)
def plan(
    context: typer.Context,
    price: Annotated[float | None, typer.Option(help="Of an hour of one device, in any currency.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    **options: Any,
) -> None:
    """Say what a run with these options would do: cells, shards, passes, and the time they take after a short trial."""
    del context
    with error_boundary():
        requests, settings = asked(options)
        from robustbench_eff.evaluation.cost_estimate import estimate_cost
        from robustbench_eff.system import devices

        devices.keep_freed_memory()
        display = progress.Display(errors(), quiet=as_json)
        with redirect_stdout(sys.stderr):  # a model of the user may print; stdout is for the result
            found = estimate_cost(*requests, settings=settings, preparing=display.preparing)
        if as_json:
            print(json.dumps({"devices": cost_table.plan_rows(found, price)}, ensure_ascii=False))
            return
        for table, sums in cost_table.plan_tables(found, price):
            output().print(table)
            output().print(sums, highlight=False, markup=False, soft_wrap=True)
        output().print(LEGEND, style="dim", markup=False, highlight=False, soft_wrap=True)
