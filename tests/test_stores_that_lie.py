"""A damaged store gives the same numbers, or says what is wrong; it never gives other numbers in silence."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lying_stores import KINDS, Damage, Reading, cell_folders, damages, flips, make, moved, read, shard_of, verdict
from robustbench_eff.cli import app
from robustbench_eff.core.errors import StoreError, UsageError
from robustbench_eff.storage import lease
from robustbench_eff.storage.remote_files import Files
from robustbench_eff.storage.repair import check_store
from robustbench_eff.storage.store import Store

HARMLESS = {
    "store.json states 6, as an earlier version did",
    "store.json states 5, as an earlier version did",
    "store.json states 4, as an earlier version did",
    "samples twice, with the same outcomes",
    "cell (1).json next to a record",
    "cell copy.json next to a record",
    ".nfs000000000001 next to a record",
    ".DS_Store next to a record",
    "Thumbs.db next to a record",
    ".cell.json.ab.part next to a record",
    "answers of a model copied",
    "models/*.json: link to nothing",
    "uneven votes",
}
"""Damages after which every number is the same without a word; of the cells here no votes are read."""
FLIPS = 25
"""Flipped bits for each kind of file; scripts/stores_that_lie.py flips more."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Reading]:
    place = make(tmp_path_factory.mktemp("lie") / "sound")
    return place, read(place)


@pytest.fixture
def store(sound: tuple[Path, Reading], tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound[0], tmp_path / "store"))


def test_a_sound_store_is_read_without_a_word(sound: tuple[Path, Reading]) -> None:
    assert sound[1].said == ""
    assert sound[1].seen is not None
    assert not [finding for finding in check_store(sound[0]) if finding.problem or finding.note]


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_changes_a_number_in_silence(kind: str, store: Path) -> None:
    assert set(flips(store, kind, FLIPS)) <= {"same", "said"}


@pytest.mark.parametrize(("name", "damage"), [*damages()])
def test_no_damage_changes_a_number_in_silence(
    name: str, damage: Damage, store: Path, sound: tuple[Path, Reading]
) -> None:
    damage(store)
    outcome = verdict(store, sound[1], None)
    assert outcome == ("same" if name in HARMLESS else "said"), (name, read(store).said)


def test_the_verdict_of_a_changed_number_is_that_it_is_silent(store: Path, sound: tuple[Path, Reading]) -> None:
    """An attacker who computes the checksums again is not noticed, which shows that the property can fail."""
    rows = Store(store).outcomes(cell_folders(store)[1].name)
    shard_of(store).unlink()
    wrong = rows.set_column(rows.column_names.index("correct"), rows.schema.field("correct"), rows["correct_8bit"])
    wrong = wrong.set_column(
        rows.column_names.index("correct"), rows.schema.field("correct"), [[False] * rows.num_rows]
    )
    with Store(store).lock():
        Store(store).write_shard(cell_folders(store)[1].name, wrong)
    assert verdict(store, sound[1], None) == "SILENT"


def test_exchanged_shards_are_named_and_computed_again(store: Path) -> None:
    moved(shard_of, lambda place: shard_of(place, 0), how="exchange")(store)
    cell = cell_folders(store)[1].name
    with pytest.warns(match=f"cells/{cell}/.* is corrupt|holds outcomes of another cell"):
        assert Store(store).outcomes(cell).num_rows == 0
    with pytest.warns(match="set aside"), Store(store).lock():
        pass_through = Store(store)
        pass_through.load_for_resume(cell, ["correct"])
    assert list(store.glob(f"set-aside/cells/{cell}/*.parquet.*"))


def test_a_changed_radius_is_refused_and_the_run_writes_the_record_anew(store: Path) -> None:
    folder = cell_folders(store)[1]
    original = Store(store).cells()
    record = folder / "cell.json"
    record.write_text(record.read_text().replace("4/255", "8/255"))
    with pytest.raises(StoreError, match=r"cells/.*cell\.json has been changed"):
        Store(store).cells()
    again = Store(store)
    with again.lock():
        with pytest.raises(StoreError, match="has been changed"):
            again.restore_cells({})
        with pytest.warns(match="It is written anew"):
            again.restore_cells(original)
    assert Store(store).cells() == original
    assert Store(store).outcomes(folder.name).num_rows == 12


def test_copies_of_a_cell_are_no_second_run_of_it(store: Path, sound: tuple[Path, Reading]) -> None:
    folder = cell_folders(store)[1]
    for suffix in (" (conflicted copy)", "-1"):
        shutil.copytree(folder, folder.with_name(folder.name + suffix))
    with pytest.warns(match="is a copy of cell"):
        assert Store(store).cells().keys() == Store(sound[0]).cells().keys()


def test_check_names_a_finished_cell_whose_folder_is_gone(store: Path) -> None:
    gone = cell_folders(store)[2]
    shutil.rmtree(gone)
    notes = {finding.name: finding.note for finding in check_store(store) if finding.note}
    assert notes == {f"cells/{gone.name}": "finished by a run and now missing; the same command computes it again"}
    shutil.rmtree(cell_folders(store)[1])  # this one the run reports as failed
    assert len([finding for finding in check_store(store) if finding.note]) == len(notes)


def test_check_names_what_is_wrong_and_repair_sets_it_aside(store: Path) -> None:
    record = cell_folders(store)[2] / "cell.json"
    record.write_text(record.read_text().replace("pgd", "fgsm"))
    (cell_folders(store)[1] / "cell (1).json").write_text("{}")
    (store / "notes.txt").write_text("mine")
    before = {path.read_bytes() for path in store.rglob("*") if path.is_file()}
    result = CliRunner().invoke(app, ["store", "check", str(store)])
    assert result.exit_code == 1
    for part in ("cell.json has been changed", "cell (1).json is no file of a store", "files are wrong"):
        assert part in " ".join(result.output.split())
    repaired = CliRunner().invoke(app, ["store", "check", str(store), "--repair"])
    assert repaired.exit_code == 0, repaired.output
    assert before <= {path.read_bytes() for path in store.rglob("*") if path.is_file()}, "nothing is deleted"
    assert CliRunner().invoke(app, ["store", "check", str(store)]).exit_code == 0
    assert len(Store.existing(store).cells()) == 2
    assert (store / "notes.txt").exists()


def test_check_writes_a_damaged_format_anew(store: Path) -> None:
    (store / "store.json").write_text("[]")
    with pytest.raises(StoreError, match=r"store\.json"):
        Store.existing(store)
    check_store(store, repair=True)
    assert len(Store.existing(store).cells()) == 3


def test_models_with_one_digest_do_not_take_each_other_s_cells_after_a_repair(store: Path) -> None:
    from dataclasses import replace

    from lying_stores import ANSWERS, OTHER_ANSWERS

    cell = next(iter(Store(store).cells().values()))
    first = Store(store)
    with first.lock():
        first.write_cell(replace(cell, model_digest="digest+1", preprocessing="as it is").identified())
    next(store.glob("models/*.json")).write_text("")
    check_store(store, repair=True)
    with first.lock():
        assert [first.variant("digest", "as it is", answers) for answers in (OTHER_ANSWERS, ANSWERS)] == [2, 3]


def test_a_newer_format_is_never_repaired(store: Path) -> None:
    (store / "store.json").write_text(json.dumps({"format": 8}))
    with pytest.raises(StoreError, match="store format 8"):
        check_store(store, repair=True)
    with pytest.raises(UsageError, match="not a store"):
        check_store(store / "cells")


def test_an_upgrade_changes_one_file(store: Path) -> None:
    old = Path(shutil.copytree(Path(__file__).parent / "golden" / "store-format-6", store.with_name("old")))
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    with Store(old).lock():
        pass
    after = {path: path.read_bytes() for path in old.rglob("*") if path.is_file() and path.name != ".lock"}
    assert {path.name for path in after if before.get(path) != after[path]} == {"store.json"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"text", b"\xff\xfe", b'{"pid": -1}', b"[" * 5000])
def test_a_lease_that_says_nothing_expires(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "LEASE_TIMEOUT_SECONDS", 0.1)
    store = Store(f"memory://lease-{content.hex()[:20]}-{len(content)}")
    store._files.write(lease.NAME, content)
    with store.lock():
        assert b"token" in store._files.read(lease.NAME)
    assert not store._files.exists(lease.NAME)


def test_a_writer_that_lost_its_lease_writes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was suspended, and another process has taken over."""
    store = Store("memory://fenced")
    with store.lock():
        store.write_run("first", {})
        other = Files.at("memory://fenced")
        other.write(lease.NAME, b'{"host": "h", "machine": "m", "pid": 1, "token": "other", "beat": 0}')
        with pytest.raises(StoreError, match=r"taken over memory://fenced.*\nWhat is stored is safe"):
            store.write_run("second", {})
    assert other.exists("runs/first.json")
    assert not other.exists("runs/second.json")
    assert b"other" in other.read(lease.NAME), "the lease of the other process stays"


def test_two_that_want_a_lease_at_once_do_not_both_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(files: Files, machine: str) -> None:
        files.write(lease.NAME, b'{"host": "h", "machine": "m", "pid": 1, "token": "other", "beat": 0}')

    monkeypatch.setattr(lease, "_wait_for_holder", late)
    with pytest.raises(StoreError, match="Another process"), Store("memory://at-once").lock():
        pass


def test_an_archive_is_read_or_refused_in_one_sentence(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "LEASE_TIMEOUT_SECONDS", 0.1)
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", store)
    with pytest.raises(UsageError, match="cannot be opened"):
        Store(f"zip://::{tmp_path / 'nothing.zip'}")
    opened = Store.existing(f"zip://::{archive}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert opened.cells() == Store(store).cells()
        assert opened.runs() == Store(store).runs()
        for cell in opened.cells():
            assert opened.outcomes(cell).equals(Store(store).outcomes(cell))
    with pytest.raises(StoreError), opened.lock():
        pass
