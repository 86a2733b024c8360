"""What cannot be compared between models, and that the reason is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from compared_stores import by_hand
from outcome_tables import attack_cell, cell, table
from robustbench_eff.cli.main import app
from robustbench_eff.scores.compare import compare
from robustbench_eff.scores.per_sample import sample_contributions


def run(*words: str):
    return CliRunner().invoke(app, ["compare", *words])


def test_what_only_one_has_or_is_unfinished_is_said(tmp_path: Path) -> None:
    clean, pgd = cell(4), attack_cell(4, "pgd(eps=8/255)", 8 / 255)
    whole = [(clean, table(4, correct=[True] * 4)), (pgd, table(4, correct=[True] * 4))]
    half = [(clean, table(4, correct=[False] * 4)), (pgd, table(2, correct=[True] * 2))]
    store = by_hand(tmp_path / "store", {"whole": whole, "half": half})
    result = run("whole", "half", "--store", str(Path(store.place)))
    assert "not compared: digits, pgd(eps=8/255): incomplete for half, 2 of 4 samples" in result.output
    assert "not compared: digits, pgd(eps=8/255): only whole" in result.output


def pgd(samples: int = 4, stored: int | None = None, **fields):
    """An attack on `samples` images, of which the store holds the first `stored`."""
    cell_of_attack = attack_cell(samples, "pgd(eps=8/255)", 8 / 255, **{"seed": 0} | fields)
    return cell_of_attack, table(stored or samples, correct=[True] * (stored or samples))


def searched():
    record = attack_cell(4, "fmn", None)
    return record, table(4, correct=[True] * 4, distance=np.arange(4.0))


@pytest.mark.parametrize(
    ("one", "two", "reason"),
    [
        (pgd(), pgd(4, 2), "digits, pgd(eps=8/255): incomplete for two, 2 of 4 samples"),
        (pgd(), pgd(8), "digits, pgd(eps=8/255): 4 and 8 samples"),
        (pgd(), pgd(data="other"), "digits, pgd(eps=8/255): other images"),
        (pgd(), pgd(seed=1), "digits, pgd(eps=8/255): seeds 0 and 1"),
        (pgd(), pgd(configuration={"surrogate": "b"}), "digits, pgd(eps=8/255): surrogate None and b"),
        (searched(), searched(), "digits, fmn: two has only a median distance"),
        (pgd(), (cell(4), table(4, correct=[True] * 4)), "digits, none: only two"),
    ],
)
def test_models_without_a_common_score_are_told_why(tmp_path: Path, one, two, reason: str) -> None:
    store = by_hand(tmp_path / "store", {"one": [one], "two": [two]})
    result = run("one", "two", "--store", str(store.place))
    assert (result.exit_code, "do not have a score on the same samples" in result.output) == (2, True)
    assert reason in result.output


def test_numbers_that_are_not_finite_are_not_compared(tmp_path: Path) -> None:
    """A radius in a store of another program; the accuracies at radii remain."""
    configuration = {"smoothing": {"sigma": 0.25, "n": 1000, "n0": 100, "alpha": 0.001, "version": 1}}
    record = cell(2, "smoothing(sigma=0.25, n=1000)", kind="certificate", configuration=configuration)
    outcomes = table(2, correct=[True, True], radius=[np.nan, 0.5])
    found, left_out = sample_contributions(by_hand(tmp_path / "store", {"a": [(record, outcomes)]}), "a")
    name = "digits, smoothing(sigma=0.25, n=1000)"
    assert left_out == [f"{name}: average_certified_radius of a is not finite"]
    assert found and all(entry.metric.startswith("certified_accuracy") for entry in found.values())


def test_another_seed_is_another_draw_and_not_compared(tmp_path: Path) -> None:
    right = table(4, correct=[True] * 4)
    cells = {
        name: [(cell(4), right), (attack_cell(4, "pgd(eps=8/255)", 8 / 255, seed=seed), right)]
        for name, seed in (("one", 0), ("two", 1))
    }
    store = by_hand(tmp_path / "store", cells)
    assert len(compare(*(sample_contributions(store, name)[0] for name in cells))) == 1
