"""A sweep as a picture: of every row the mean over seeds, its interval and the seeds, a panel a column."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robustbench_eff.training.sweep import SweepResult


def png(result: SweepResult) -> bytes:
    """As PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    means = result.means
    rows = list(means)
    columns = list(dict.fromkeys(column for found in means.values() for column in found))
    figure = Figure(figsize=(2.2 + 2.6 * len(columns), 1.3 + 0.3 * len(rows)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    places = range(len(rows))
    for panel, column in zip(panels, columns, strict=True):
        panel.set_title(column.replace(", ", "\n", 1), fontsize=9)
        panel.set_xlabel("%")
        panel.grid(axis="x", alpha=0.3)
        baseline = means.get(result.sweep.compared_with, {}).get(column)
        if baseline is not None:
            panel.axvline(100 * baseline.mean, color="0.6", linestyle="--", linewidth=1)
        for place, row in zip(places, rows, strict=True):
            if column not in means[row]:
                continue
            summary = means[row][column]
            values = [100 * found[column] for found in result.values[row].values() if column in found]
            panel.plot(values, [place] * len(values), "|", color="0.5", markersize=8)
            if summary.low is not None and summary.high is not None:
                panel.plot([100 * summary.low, 100 * summary.high], [place, place], color="C0", linewidth=1.5)
            panel.plot([100 * summary.mean], [place], "o", color="C0", markersize=4)
    panels[0].set_yticks(list(places), rows, fontsize=9)
    panels[0].invert_yaxis()
    figure.suptitle(f"{result.sweep.title}: mean over {len(result.sweep.seeds)} seeds, 95 % interval", fontsize=10)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
