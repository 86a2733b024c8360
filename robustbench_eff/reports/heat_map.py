"""A picture of accuracy under corruption: one row per corruption, one column per severity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from robustbench_eff.core.errors import UsageError
from robustbench_eff.scores.number_text import percent
from robustbench_eff.scores.score import Score

from .png_file import write_png
from .score_rows import flags_below, marked
from .severity_table import by_subject, constants_of, row_name

SEVERITIES = range(1, 6)
CELL, NAMES, LINE, GAP = (64, 26), 270, 22, 8
"""Pixels: width and height of a cell, width of the names, height of a line of text, space around."""
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
DARK, LIGHT = np.array([8.0, 48.0, 107.0]), np.array([247.0, 251.0, 255.0])
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
    write_png(picture, path)


def heat_map(scores: Sequence[Score]) -> Image.Image:
    """Return the maps of all models and benchmarks with corrupted cells, one below the other, in percent.

    Args:
        scores: Scores of a store.

    Raises:
        UsageError: There are no corrupted cells.
    """
    chosen = [score for score in scores if _is_severity(score)]
    if all(score.value is None for score in chosen):
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
    return score.metric == "accuracy" and "severity" in score.configuration


def _map(title: str, scores: Sequence[Score]) -> Image.Image:
    cells = {(row_name(score, scores), str(score.configuration["severity"])): score for score in scores}
    rows = list(dict.fromkeys(row for row, _ in cells))
    font = ImageFont.load_default(14)
    width, height = CELL
    title = f"{title}: accuracy in %{constants_of(scores)}"
    columns = [*map(str, SEVERITIES), "mean"]
    wide = max(NAMES + width * len(columns), int(font.getlength(title)) + 100)
    below = [part for line in flags_below(cells).splitlines() for part in _wrapped(line, wide - 2 * GAP, font)]
    picture = Image.new("RGB", (wide, LINE * (2 + len(below)) + height * len(rows) + 2 * GAP), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, GAP), title, fill="black", font=font)
    for column, name in enumerate(columns):
        draw.text((NAMES + column * width + width // 2, GAP + LINE), name, fill="black", font=font, anchor="ma")
    for index, row in enumerate(rows):
        top = GAP + 2 * LINE + index * height
        draw.text((GAP, top + height // 2), row, fill="black", font=font, anchor="lm")
        _draw_row(draw, top, [cells.get((row, column)) for column in columns[:-1]], font)
    for index, line in enumerate(below):
        draw.text((GAP, GAP + 2 * LINE + height * len(rows) + index * LINE), line, fill="black", font=font)
    return picture


def _draw_row(draw: ImageDraw.ImageDraw, top: int, scores: Sequence[Score | None], font: Font) -> None:
    """Draw the accuracies of one corruption, and their mean if there are all five."""
    values = [None if score is None else score.value for score in scores]
    there = [value for value in values if value is not None]
    texts = [marked(percent(value, 1), score) for value, score in zip(values, scores, strict=True)]
    if len(there) == len(values):
        values.append(float(np.mean(there)))
        texts.append(marked(percent(values[-1], 1), *scores))
    for column, (value, text) in enumerate(zip(values, texts, strict=True)):
        if value is not None or scores[column] is not None:
            _cell(draw, (NAMES + column * CELL[0], top), value, text, font)


def _cell(draw: ImageDraw.ImageDraw, corner: tuple[int, int], value: float | None, text: str, font: Font) -> None:
    """Draw a number on the colour of its value, on white without one."""
    left, top = corner
    width, height = CELL
    colour = LIGHT if value is None else DARK + (LIGHT - DARK) * value
    fill = tuple(int(level) for level in colour.round())
    draw.rectangle((left, top, left + width - 2, top + height - 2), fill=fill)
    ink = "white" if value is not None and value < 0.5 else "black"
    draw.text((left + width // 2, top + height // 2), text, fill=ink, font=font, anchor="mm")


def _wrapped(line: str, width: int, font: Font) -> list[str]:
    """A line in parts that are at most so many pixels wide, broken at spaces."""
    parts: list[str] = []
    for word in line.split(" "):
        if parts and font.getlength(f"{parts[-1]} {word}") <= width:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts
