"""The picture of accuracy under corruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.reports.heat_map import CELL, DARK, GAP, LIGHT, LINE, NAMES, write
from robustbench_eff.reports.severity_table import by_subject
from robustbench_eff.scores.score import Score


def score(name: str, severity: int, value: float) -> Score:
    text = f"{name}(severity={severity})"
    common = {"model": "m", "benchmark": "b", "protocol": Protocol(description="p"), "n": 9, "low": 0.0, "high": 1.0}
    configuration = {"corruption": name, "severity": severity, "constants": "imagenet"}
    return Score(
        perturbation=text, kind="corruption", metric="accuracy", value=value, configuration=configuration, **common
    )


def colour(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """Of the upper left corner of a cell, where no number stands."""
    return picture[GAP + 2 * LINE + row * CELL[1] + 2, NAMES + column * CELL[0] + 2]


def test_a_cell_has_the_colour_of_its_accuracy(tmp_path: Path) -> None:
    scores = [score("fog", level, 1 - level / 5) for level in range(1, 6)] + [score("snow", 2, 1.0)]
    write(scores, tmp_path / "map.png")
    picture = np.array(Image.open(tmp_path / "map.png"))
    for level in range(1, 6):
        expected = DARK + (LIGHT - DARK) * (1 - level / 5)
        assert np.abs(colour(picture, 0, level - 1) - expected).max() <= 1
    assert np.abs(colour(picture, 0, 5) - (DARK + (LIGHT - DARK) * 0.4)).max() <= 1, "the mean"
    assert colour(picture, 1, 1).tolist() == LIGHT.tolist()
    for absent in (0, 2, 5):
        assert colour(picture, 1, absent).tolist() == [255, 255, 255], "nothing was measured, nothing is drawn"


def test_every_seed_has_a_map_of_its_own(tmp_path: Path) -> None:
    drawn = [replace(score("fog", 1, seed / 4), protocol=Protocol(description="p", seeds=(seed,))) for seed in (1, 2)]
    tables = by_subject([*drawn, score("contrast", 1, 0.5)])
    assert list(tables) == ["m · b · n = 9 · seed 1", "m · b · n = 9 · seed 2"]
    for seed, (_, scores) in enumerate(tables.items(), 1):
        assert [one.value for one in scores] == [seed / 4, 0.5], "what is not drawn stands in both"
    assert len(by_subject([score("fog", 1, 0.5), replace(score("fog", 2, 0.5), n=3)])) == 2


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no corrupted cells"):
        write([], tmp_path / "map.png")
    with pytest.raises(UsageError, match="PNG file"):
        write([score("fog", 1, 0.5)], tmp_path / "map.jpg")
    with pytest.raises(UsageError, match="cannot be written"):
        write([score("fog", 1, 0.5)], tmp_path / "nowhere" / "map.png")
