"""The models of a store: listed, renamed, dropped and restored, and what nothing reads is deleted when asked."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import StoreError, UsageError
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.storage import edit
from robustbench_eff.storage.store import Store
from running import run

ATTACK = "fgsm(eps=8/255)"
MODELS = ("digits_standard", "digits_sat")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("evaluated") / "store"
    run(store, *MODELS, attacks=[ATTACK], limit=8)
    return store


@pytest.fixture
def store(evaluated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(evaluated, tmp_path / "store"))


def command(store: Path, name: str, *words: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, ["store", name, str(store), *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout, found.stderr


def listed(store: Path) -> dict[str, dict]:
    return {model["name"]: model for model in json.loads(command(store, "list", "--json")[1])}


def in_tables(store: Path) -> set[str]:
    return {score.model for score in store_scores(Store(store))}


def test_the_models_are_listed_with_how_much_is_done(store: Path) -> None:
    code, printed, _ = command(store, "list")
    assert code == 0
    assert all(name in printed for name in MODELS)
    (model, other) = listed(store).values()
    assert (model["done"], model["samples"], len(model["cells"])) == (16, 16, 2)
    assert (other["source"], other["benchmarks"]) == ("shipped:digits_sat", ["digits"])
    next(store.glob(f"cells/{model['cells'][1]}/*.parquet")).unlink()
    assert "8 of 16" in command(store, "list")[1]


def test_a_model_gets_another_name_and_keeps_its_numbers(store: Path) -> None:
    before = {score.metric: score.value for score in store_scores(Store(store)) if score.model == "digits_sat"}
    code, printed, _ = command(store, "rename", "digits_sat", "Smooth (ours)")
    assert (code, printed) == (0, "digits_sat is called Smooth (ours): 2 cells.\n")
    assert in_tables(store) == {"digits_standard", "Smooth (ours)"}
    after = {score.metric: score.value for score in store_scores(Store(store)) if score.model == "Smooth (ours)"}
    assert after == before
    assert command(store, "check")[0] == 0
    run(store, *MODELS, attacks=[ATTACK], limit=8)  # computes nothing anew, and changes no name
    assert in_tables(store) == {"digits_standard", "Smooth (ours)"}


def test_a_dropped_model_is_in_no_table_and_comes_back_whole(store: Path) -> None:
    before = sorted(path.relative_to(store) for path in store.glob("cells/*/*"))
    assert command(store, "drop", "digits_sat")[0] == 0
    assert in_tables(store) == {"digits_standard"}
    assert listed(store)["digits_sat"]["is_dropped"]
    assert command(store, "check")[0] == 0
    assert command(store, "restore", "digits_sat")[0] == 0
    assert sorted(path.relative_to(store) for path in store.glob("cells/*/*")) == before
    assert in_tables(store) == set(MODELS)


def test_a_drop_that_was_cut_in_the_middle_is_finished_by_the_next(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renames, rename = [], edit.Files.rename

    def dying(files: edit.Files, name: str, other: str) -> None:
        if len(renames) == 2:
            raise KeyboardInterrupt
        renames.append(name)
        rename(files, name, other)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(edit.Files, "rename", dying)
        edit.drop_cells(store, listed(store)["digits_sat"]["cells"])
    assert set(listed(store)) == set(MODELS), "still readable"
    left = [model for model in json.loads(command(store, "list", "--json")[1]) if not model["is_dropped"]]
    edit.drop_cells(store, next(model["cells"] for model in left if model["name"] == "digits_sat"))
    assert in_tables(store) == {"digits_standard"}
    edit.restore_cells(store, edit.dropped_cells(store))
    assert in_tables(store) == set(MODELS)


def test_what_was_evaluated_again_is_not_mixed_with_what_was_dropped(store: Path) -> None:
    command(store, "drop", "digits_sat")
    run(store, "digits_sat", attacks=[ATTACK], limit=8)
    code, _, said = command(store, "restore", "digits_sat")
    assert code == 2
    assert "2 of 2 cells were evaluated again" in said
    assert command(store, "drop", "digits_sat")[0] == 2
    assert command(store, "gc", "--yes")[0] == 0  # as both hints say
    assert command(store, "drop", "digits_sat")[0] == 0


def test_only_gc_with_yes_deletes(store: Path) -> None:
    command(store, "drop", "digits_sat")
    cell = next(store.glob("cells/*"))
    (cell / ".1234.parquet.x.part").write_bytes(b"unfinished")
    (store / "notes.txt").write_text("mine")
    code, printed, _ = command(store, "gc")
    assert code == 0
    assert printed.splitlines()[-1] == f"{len(printed.splitlines()) - 1} files would be deleted."
    assert (store / "dropped").is_dir()
    assert command(store, "gc", "--yes")[0] == 0
    assert not (store / "dropped").exists()
    assert not list(store.rglob("*.part"))
    assert (store / "notes.txt").exists()
    assert in_tables(store) == {"digits_standard"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rename", "digits_sat", ""), "is empty"),
        (("rename", "digits_sat", "two\nlines"), "line break"),
        (("rename", "digits_sat", "x" * 300), "has 300 characters"),
        (("rename", "digits_sat", "digits_standard"), "Another model of .* is called digits_standard"),
        (("rename", "digits_sta", "x"), "has no model 'digits_sta'.*Did you mean 'digits_s"),
        (("drop", "nobody"), "has no model 'nobody'.*It has 'digits_standard' and 'digits_sat'|It has"),
        (("restore", "digits_sat"), "has no dropped model 'digits_sat'.*It has none"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(store: Path, words: tuple[str, ...], sentence: str) -> None:
    code, _, said = command(store, *words)
    assert code == 2
    assert re.search(sentence, said, re.DOTALL)
    assert in_tables(store) == set(MODELS)


def test_another_process_is_not_disturbed(store: Path) -> None:
    with Store(store).lock(), pytest.raises(StoreError, match="writing"):
        edit.drop_cells(store, listed(store)["digits_sat"]["cells"])
    with pytest.raises(UsageError, match="not a store"):
        edit.garbage(store.parent)


def test_two_models_of_one_name_are_told_apart_by_their_marks(tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(store, "digits_sat", attacks=["none"], limit=4)
    run(store, "digits_standard", attacks=["none"], limit=4)
    edit.rename_model(store, listed(store)["digits_sat"]["cells"], "net")
    with pytest.raises(UsageError, match="Another model"):
        edit.rename_model(store, listed(store)["digits_standard"]["cells"], "net")
