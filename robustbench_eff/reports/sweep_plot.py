"""A sweep as a picture: one panel per column, with the mean over seeds, its interval and the seeds of every row."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .sweep_table import of_seeds

if TYPE_CHECKING:
    from robustbench_eff.training.sweep import SweepResult


def png(result: SweepResult) -> bytes:
    """Return the picture as PNG.

    Args:
        result: The result of a sweep.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    means = result.means
    rows = list(means)
    columns = list(dict.fromkeys(column for summaries in means.values() for column in summaries))
    figure = Figure(figsize=(2.2 + 2.6 * len(columns), 1.3 + 0.3 * len(rows)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for panel, column in zip(panels, columns, strict=True):
        _draw_panel(panel, column, rows, result)
    panels[0].set_yticks(list(range(len(rows))), rows, fontsize=9)
    panels[0].invert_yaxis()
    figure.suptitle(f"{result.sweep.title}: mean over {len(result.sweep.seeds)} seeds, 95 % interval", fontsize=10)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_panel(panel: Any, column: str, rows: Sequence[str], result: SweepResult) -> None:
    means = result.means
    panel.set_title(column.replace(", ", "\n", 1), fontsize=9)
    panel.set_xlabel("%")
    panel.grid(axis="x", alpha=0.3)
    baseline = means.get(result.sweep.compared_with, {}).get(column)
    if baseline is not None:
        panel.axvline(100 * baseline.mean, color="0.6", linestyle="--", linewidth=1)
    for height, row in enumerate(rows):
        if column not in means[row]:
            continue
        summary = means[row][column]
        values = [100 * of_seed[column] for of_seed in result.values[row].values() if column in of_seed]
        panel.plot(values, [height] * len(values), "|", color="0.5", markersize=8)
        if summary.low is not None and summary.high is not None:
            panel.plot([100 * summary.low, 100 * summary.high], [height, height], color="C0", linewidth=1.5)
        panel.plot([100 * summary.mean], [height], "o", color="C0", markersize=4)
        if few := of_seeds(summary, len(result.sweep.seeds)):
            panel.annotate(
                few, (100 * summary.mean, height), (0, 4), textcoords="offset points", ha="center", fontsize=7
            )
