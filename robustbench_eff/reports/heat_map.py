"""A picture of accuracy under corruption: one row per corruption, one column per severity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import UsageError
from robustbench_eff.scores.score import Score

from .formatting import percent
from .severity_table import by_subject, constants_of, row_name

SEVERITIES = range(1, 6)
CELL, NAMES, LINE, GAP = (64, 26), 270, 22, 8
"""Pixels: width and height of a cell, width of the names, height of a line of text, space around."""
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
DARK, LIGHT = np.array([8, 48, 107]), np.array([247, 251, 255])
"""Colours of accuracy 0 and of accuracy 1."""


def write(scores: Sequence[Score], path: Path) -> None:
    """Write the heat map to a file.

    Args:
        scores: Scores of a store.
        path: A PNG file.

    Raises:
        UsageError: It is another type of file or cannot be written, or there are no corrupted cells.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"The heat map is a PNG file, got {path}.", "For example heat-map.png.")
    picture = heat_map(scores)
    with reporting_os_errors(path):
        picture.save(path)


def heat_map(scores: Sequence[Score]) -> Image.Image:
    """Return the maps of all models and benchmarks with corrupted cells, one below the other, in percent.

    Args:
        scores: Scores of a store.

    Raises:
        UsageError: There are no corrupted cells.
    """
    chosen = [score for score in scores if _is_severity(score)]
    if not chosen:
        raise UsageError("The store holds no corrupted cells.", "Run a suite such as corruptions first.")
    maps = [_map(title, group) for title, group in by_subject(chosen).items()]
    size = max(picture.width for picture in maps), sum(picture.height for picture in maps)
    sheet = Image.new("RGB", size, "white")
    top = 0
    for picture in maps:
        sheet.paste(picture, (0, top))
        top += picture.height
    return sheet


def _is_severity(score: Score) -> bool:
    """Return whether the score is one cell of the map."""
    if score.metric != "accuracy" or score.value is None:
        return False
    return "severity" in score.configuration


def _map(title: str, scores: Sequence[Score]) -> Image.Image:
    rows: dict[str, dict[int, float]] = {}
    for score in scores:
        rows.setdefault(row_name(score, scores), {})[score.configuration["severity"]] = score.value or 0.0
    font = ImageFont.load_default(14)
    width, height = CELL
    columns = [*map(str, SEVERITIES), "mean"]
    title = f"{title}: accuracy in %{constants_of(scores)}"
    size = max(NAMES + width * len(columns), int(font.getlength(title)) + 100), LINE * 2 + height * len(rows) + 2 * GAP
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, GAP), title, fill="black", font=font)
    for column, name in enumerate(columns):
        draw.text((NAMES + column * width + width // 2, GAP + LINE), name, fill="black", font=font, anchor="ma")
    for index, (name, by_severity) in enumerate(rows.items()):
        top = GAP + 2 * LINE + index * height
        draw.text((GAP, top + height // 2), name, fill="black", font=font, anchor="lm")
        mean = float(np.mean([*by_severity.values()])) if len(by_severity) == len(SEVERITIES) else None
        for column, value in enumerate([*(by_severity.get(severity) for severity in SEVERITIES), mean]):
            if value is not None:
                _cell(draw, (NAMES + column * width, top), value, font)
    return picture


def _cell(draw: ImageDraw.ImageDraw, corner: tuple[int, int], value: float, font: Font) -> None:
    left, top = corner
    width, height = CELL
    colour = tuple(int(level) for level in (DARK + (LIGHT - DARK) * value).round())
    draw.rectangle((left, top, left + width - 2, top + height - 2), fill=colour)
    ink = "white" if value < 0.5 else "black"
    draw.text((left + width // 2, top + height // 2), percent(value, 1), fill=ink, font=font, anchor="mm")
