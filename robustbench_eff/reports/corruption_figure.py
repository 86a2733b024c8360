"""Accuracy under corruption as a heat map: severities of one model, or the means of several."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.visible_text import visible
from robustbench_eff.scores.score import Score

from .figure_style import new_figure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

SEVERITIES = range(1, 6)
NAMES = 1.2
"""Inches that names take from the width."""
NUMBER_WIDTH = 0.23
"""Inches that a number in a cell needs."""
ROW = 0.15
"""Height of a row in inches."""
LONGEST_NAME = 28
"""Characters of a model's name that the top of a map shows."""


def corruption_figures(scores: Sequence[Score], width: float) -> Iterator[tuple[str, Figure, list[Score]]]:
    """Yield a map for every benchmark with corrupted images, with its name and the scores that it shows.

    Of one model the columns are severities. Of several the columns are models, with the mean over the five severities
    of each corruption; where one of them is missing the cell is empty. Of several seeds the first counts.

    Args:
        scores: All scores.
        width: Width in inches.
    """
    groups: dict[tuple[Any, ...], list[Score]] = defaultdict(list)
    for score in scores:
        if score.metric == "accuracy" and "severity" in score.configuration and score.value is not None:
            key = (score.benchmark, score.protocol.of_images(), score.configuration.get("constants"))
            groups[key].append(score)
    for (benchmark, *_), group in groups.items():
        models = list(dict.fromkeys(score.model for score in group))
        cells = _by_severity(group) if len(models) == 1 else _means(group)
        columns = [*map(str, SEVERITIES)] if len(models) == 1 else models
        if cells:
            yield f"corruptions-{benchmark}", _map(cells, columns, width), group


def _by_severity(scores: Sequence[Score]) -> dict[tuple[str, str], float]:
    return {(_name(score), str(score.configuration["severity"])): score.value or 0.0 for score in reversed(scores)}


def _means(scores: Sequence[Score]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for score in scores:
        found[_name(score), score.model].setdefault(int(score.configuration["severity"]), score.value or 0.0)
    return {key: sum(of.values()) / len(of) for key, of in found.items() if set(of) >= set(SEVERITIES)}


def _name(score: Score) -> str:
    return str(score.configuration.get("corruption", score.perturbation)).replace("_", " ")


def _map(cells: Mapping[tuple[str, str], float], columns: Sequence[str], width: float) -> Figure:
    import numpy as np

    rows: Sequence[str] = sorted({row for row, _ in cells})
    values = np.array([[100 * cells.get((row, column), np.nan) for column in columns] for row in rows])
    if len(columns) > max(len(rows), len(SEVERITIES)):  # so many names fit down the side only
        rows, columns, values = columns, rows, values.T
    names = [visible(column)[:LONGEST_NAME] for column in columns]
    is_long = max(map(len, names)) > 2
    figure = new_figure(width, 0.75 + ROW * len(rows) + (0.055 * max(map(len, names)) if is_long else 0))
    panel = figure.subplots()
    image = panel.imshow(values, cmap="viridis", vmin=0, vmax=100, aspect="auto")
    panel.set_yticks(range(len(rows)), [visible(row)[:LONGEST_NAME] for row in rows])
    panel.set_xticks(range(len(columns)), names, rotation=90 if is_long else 0)
    panel.tick_params(length=0)
    panel.xaxis.tick_top()
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    if not is_long:
        panel.set_xlabel("severity")
        panel.xaxis.set_label_position("top")
    bar = figure.colorbar(image, ax=panel, orientation="horizontal", aspect=40, pad=0.02)
    bar.set_label("accuracy, %")
    if (width - NAMES) / len(columns) >= NUMBER_WIDTH:
        _write_numbers(panel, values)
    return figure


def _write_numbers(panel: Any, values: npt.NDArray[np.float64]) -> None:
    for row, of_row in enumerate(values.tolist()):
        for column, value in enumerate(of_row):
            if not math.isnan(value):
                ink = "white" if value < 60 else "black"
                panel.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6, color=ink)
