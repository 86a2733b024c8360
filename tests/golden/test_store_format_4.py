"""A store that an earlier version wrote in format 4 keeps its scores, and a run continues it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.storage.store import Store

GOLDEN = Path(__file__).parent
RUN = ["--model", "digits_standard", "--suite", str(GOLDEN / "store-format-4-suite.yaml"), "--limit", "24"]
RUN += ["--benchmark", "digits", "--benchmark", "digits-cue-conflict", "--device", "cpu"]


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "store-format-4", tmp_path / "store"))


def contents(store: Path) -> dict[str, bytes]:
    """Every file of the cells, by its path."""
    return {str(path.relative_to(store)): path.read_bytes() for path in store.glob("cells/*/*")}


def test_scores_of_a_store_of_format_4_have_not_changed(old_store: Path) -> None:
    """In any digit, except for the ends of intervals, whose last digits depend on the version of scipy."""
    printed = CliRunner().invoke(app, ["score", str(old_store), "--json"])
    expected = json.loads((GOLDEN / "store-format-4-scores.json").read_text())
    found, known = json.loads(printed.stdout)["scores"], expected["scores"]
    assert len(known) == 33
    ends = [[(score.pop("low"), score.pop("high")) for score in scores] for scores in (found, known)]
    assert found == known
    for (low, high), expected_ends, score in zip(*ends, known, strict=True):
        assert (low, high) == pytest.approx(expected_ends, abs=1e-9), score


def test_reading_a_store_of_format_4_changes_nothing(old_store: Path) -> None:
    cells = Store.existing(old_store).cells()
    assert {cell.kind for cell in cells.values()} == {"none", "attack", "corruption", "sequence"}
    assert {cell.uses for cell in cells.values() if cell.kind == "attack"} == {"gradients"}
    assert json.loads((old_store / "store.json").read_text()) == {"format": 4}


def test_a_repeated_run_leaves_the_old_cells_alone_and_computes_its_own(old_store: Path) -> None:
    before = contents(old_store)
    result = CliRunner().invoke(app, [*RUN, "--store", str(old_store)])
    assert result.exit_code == 0, result.output
    after = contents(old_store)
    assert before.items() <= after.items()
    assert json.loads((old_store / "store.json").read_text()).items() > {"format": 7, "oldest": 4}.items()
    cells = Store.existing(old_store).cells()
    assert len(cells) == 2 * len([name for name in before if name.endswith("cell.json")])
    assert len({cell.model_digest for cell in cells.values()}) == 2
