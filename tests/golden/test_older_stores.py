"""Stores that earlier versions wrote keep their scores, and a run continues them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import StoreError
from robustbench_eff.storage.store import Store

GOLDEN = Path(__file__).parent
RUN = ["--model", "digits_standard", "--suite", str(GOLDEN / "store-format-4-suite.yaml"), "--limit", "24"]
RUN += ["--benchmark", "digits", "--benchmark", "digits-cue-conflict", "--device", "cpu"]


NEW_CELLS = {4: 6, 5: 6, 6: 0}
"""How many cells a repeated run adds, by format: before format 6 a model had another digest."""


@pytest.fixture(params=NEW_CELLS)
def format_of_store(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old_store(tmp_path: Path, format_of_store: int) -> Path:
    return Path(shutil.copytree(GOLDEN / f"store-format-{format_of_store}", tmp_path / "store"))


def contents(store: Path) -> dict[str, bytes]:
    """Every file of the cells, by its path."""
    return {str(path.relative_to(store)): path.read_bytes() for path in store.glob("cells/*/*")}


def test_scores_of_an_older_store_have_not_changed(old_store: Path, format_of_store: int) -> None:
    """In any digit, except for the ends of intervals, whose last digits depend on the version of scipy."""
    printed = CliRunner().invoke(app, ["score", str(old_store), "--json"])
    expected = json.loads((GOLDEN / f"store-format-{format_of_store}-scores.json").read_text())
    found, known = json.loads(printed.stdout)["scores"], expected["scores"]
    assert len(known) == 33
    ends = [[(score.pop("low"), score.pop("high")) for score in scores] for scores in (found, known)]
    assert found == known
    for (low, high), expected_ends, score in zip(*ends, known, strict=True):
        assert (low, high) == pytest.approx(expected_ends, abs=1e-9), score


def test_reading_an_older_store_changes_nothing(old_store: Path, format_of_store: int) -> None:
    cells = Store.existing(old_store).cells()
    assert {cell.kind for cell in cells.values()} == {"none", "attack", "corruption", "sequence"}
    assert {cell.uses for cell in cells.values() if cell.kind == "attack"} == {"gradients"}
    assert json.loads((old_store / "store.json").read_text()) == {"format": format_of_store}


def test_a_repeated_run_leaves_the_old_cells_alone_and_computes_its_own(old_store: Path, format_of_store: int) -> None:
    before = contents(old_store)
    result = CliRunner().invoke(app, [*RUN, "--store", str(old_store)])
    assert result.exit_code == 0, result.output
    after = contents(old_store)
    assert before.items() <= after.items()
    assert json.loads((old_store / "store.json").read_text()).items() > {"format": 7, "oldest": format_of_store}.items()
    cells = Store.existing(old_store).cells()
    assert len(cells) == 6 + NEW_CELLS[format_of_store]
    assert len({cell.model_digest for cell in cells.values()}) == (2 if NEW_CELLS[format_of_store] else 1)


def test_a_changed_configuration_of_an_older_store_is_refused(old_store: Path) -> None:
    """The id is computed again from the record, which has no checksum."""
    for record in old_store.glob("cells/*/cell.json"):
        text = record.read_text()
        if "8/255" in text:
            record.write_text(text.replace("0.031372", "0.041372"))
    with pytest.raises(StoreError, match=r"cell\.json has been changed or moved"):
        Store.existing(old_store).cells()
