"""A damaged cache changes no number: what does not fit its checksum is decoded again, and said."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import filelock
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelled_sets import class_folders, npz, own, pixels, png, prepared
from robustbench_eff import evaluate
from robustbench_eff.benchmarks import pixel_file
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.disk import cache_folder
from robustbench_eff.core.errors import RobustEvalWarning, StoreError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.registry.open_benchmark import open_location
from robustbench_eff.storage.store import Store
from robustbench_eff.system import locks
from robustbench_eff.training import data as training_data

FLIPS = 60
COUNT = 50


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))


def fifty(folder: Path) -> Path:
    np.savez(folder / "set.npz", x=np.stack([pixels(seed) for seed in range(COUNT)]), y=np.arange(COUNT) % 3)
    return folder / "set.npz"


def cached(kind: str) -> Path:
    (path,) = cache_folder().rglob(kind)
    return path


def flip(path: Path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def outcome(where: Path) -> tuple[bytes, str, list[int]]:
    found = prepared(where)
    return found.pixels[:].tobytes(), found.fingerprint, found.labels.tolist()


def test_sixty_flipped_bits_change_nothing_and_are_said_sixty_times(tmp_path: Path) -> None:
    where, draws = fifty(tmp_path), random.Random(0)
    undisturbed = outcome(where)
    said = same = 0
    for number in range(FLIPS):
        # Nine in ten lie in the pixels and their checksums, the others in the note with the fingerprint.
        path = cached("*.json") if number % 10 == 0 else cached("*.pixels")
        flip(path, draws.randrange(path.stat().st_size), draws.randrange(8))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            same += outcome(where) == undisturbed
        said += any("image cache" in str(each.message) for each in caught)
    assert (same, said) == (FLIPS, FLIPS)


def test_a_repaired_cache_is_silent(tmp_path: Path) -> None:
    where = fifty(tmp_path)
    undisturbed = outcome(where)
    whole = cached("*.pixels").read_bytes()
    flip(cached("*.pixels"), 1000, 3)
    with pytest.warns(RobustEvalWarning, match="does not fit its checksums: damaged images are decoded again"):
        prepared(where).pixels[[3, 5, 6]]
    assert cached("*.pixels").read_bytes() == whole
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert outcome(where) == undisturbed


def test_only_damaged_images_are_decoded_again(tmp_path: Path) -> None:
    prepared(fifty(tmp_path))
    flip(cached("*.pixels"), 8 * 8 * 3 * 7, 0)
    decoded: list[int] = []

    def again(position: int) -> np.ndarray:
        decoded.append(position)
        return pixels(position)

    opened = pixel_file.open_pixels(cached("*.pixels"), (COUNT, 8, 8, 3), again)
    assert opened is not None
    opened[10:20], opened[[0, 49]]
    assert decoded == []
    with pytest.warns(RobustEvalWarning):
        opened[:]
    assert decoded == [7]


@pytest.mark.parametrize("attack", ["half of it is zero", "cut short", "empty", "of another set"])
def test_a_damaged_file_is_decoded_again(tmp_path: Path, attack: str) -> None:
    where = fifty(tmp_path)
    undisturbed = outcome(where)
    path = cached("*.pixels")
    content = path.read_bytes()
    if attack == "of another set":
        np.savez(tmp_path / "other.npz", x=np.stack([pixels(seed + COUNT) for seed in range(COUNT)]), y=[0] * COUNT)
        prepared(tmp_path / "other.npz")
        (other,) = set(cache_folder().rglob("*.pixels")) - {path}
        content = other.read_bytes()
    elif attack == "half of it is zero":
        content = bytes(len(content) // 2) + content[len(content) // 2 :]
    else:
        content = content[: len(content) // 2] if attack == "cut short" else b""
    path.write_bytes(content)
    with pytest.warns(RobustEvalWarning, match="image cache"):
        assert outcome(where) == undisturbed
    assert path.read_bytes() != content


@pytest.mark.parametrize(
    "note", [b"", b"{", b"[]", b"5", b'{"checksum": 1}', b'{"fingerprint": "a", "t": 0}', b"\xff" * 9]
)
def test_a_bad_note_is_made_again(tmp_path: Path, note: bytes) -> None:
    where = fifty(tmp_path)
    undisturbed = outcome(where)
    record = cached("*.json")
    whole = record.read_bytes()
    record.write_bytes(note)
    with pytest.warns(RobustEvalWarning, match="does not fit its checksum"):
        assert outcome(where) == undisturbed
    assert record.read_bytes() == whole


def test_what_earlier_versions_wrote_is_not_trusted_and_goes(tmp_path: Path) -> None:
    where = fifty(tmp_path)
    undisturbed = outcome(where)
    path = cached("*.pixels")
    path.unlink()
    np.save(path.with_suffix(".npy"), np.zeros((COUNT, 8, 8, 3), np.uint8))
    assert outcome(where) == undisturbed
    assert not path.with_suffix(".npy").exists()


def test_a_cache_that_disappears_or_shrinks_during_a_run_changes_nothing(tmp_path: Path) -> None:
    found = prepared(fifty(tmp_path))
    path = cached("*.pixels")
    with path.open("r+b") as file:
        file.truncate(100)
    with pytest.warns(RobustEvalWarning, match="does not fit"):
        assert np.array_equal(found.pixels[30:32], [pixels(30), pixels(31)])
    path.unlink()
    with pytest.warns(RobustEvalWarning, match="cannot be read any more .No such file"):
        assert np.array_equal(found.pixels[[49, 2]], [pixels(49), pixels(2)])


def test_an_image_that_is_decoded_otherwise_now_is_an_error_not_a_mixture(tmp_path: Path) -> None:
    prepared(fifty(tmp_path))
    flip(cached("*.pixels"), 0, 0)
    opened = pixel_file.open_pixels(cached("*.pixels"), (COUNT, 8, 8, 3), lambda position: pixels(99))
    assert opened is not None
    with (
        pytest.warns(RobustEvalWarning),
        pytest.raises(StoreError, match=r"decoded otherwise now(.|\n)*Delete that file"),
    ):
        opened[:1]


def test_an_evaluation_on_a_damaged_cache_has_the_same_outcomes(tmp_path: Path) -> None:
    def outcomes(name: str) -> list[tuple[str, list]]:
        evaluate("digits_standard", benchmarks=["digits"], attacks=["none"], limit=40, store=tmp_path / name)
        store = Store(tmp_path / name)
        return [(cell, store.outcomes(cell)["prediction"].to_pylist()) for cell in store.cells()]

    first = outcomes("first")
    content = bytearray(cached("*.pixels").read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    cached("*.pixels").write_bytes(content)
    with pytest.warns(RobustEvalWarning, match="decoded again"):
        assert outcomes("second") == first


def test_a_training_reads_checked_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = fifty(tmp_path)
    undisturbed = training_data.samples_of(prepared(where), 3).pixels
    monkeypatch.setattr(training_data, "IN_MEMORY", 0)
    monkeypatch.setattr(pixel_file, "_BLOCK_BYTES", 1000)
    flip(cached("*.pixels"), 5000, 1)
    with pytest.warns(RobustEvalWarning, match="decoded again"):
        mapped = training_data.samples_of(prepared(where), 3).pixels
    assert mapped.equal(undisturbed)


def test_the_copy_of_a_parquet_file_is_checked(tmp_path: Path) -> None:
    rows = {
        "image": [{"bytes": png(seed), "path": None} for seed in range(9)],
        "label": [seed % 3 for seed in range(9)],
    }
    pq.write_table(pa.table(rows), tmp_path / "test.parquet")
    undisturbed = outcome(tmp_path / "test.parquet")
    copy = cached("*.arrow")
    labels = np.array([seed % 3 for seed in range(9)], np.int64).tobytes()
    flip(copy, copy.read_bytes().index(labels) + 8, 1)
    with pytest.warns(RobustEvalWarning, match="does not fit its checksums. Its images are read again"):
        assert outcome(tmp_path / "test.parquet") == undisturbed
    copy.write_bytes(copy.read_bytes()[:-500])
    with pytest.warns(RobustEvalWarning, match="is damaged"):
        assert outcome(tmp_path / "test.parquet") == undisturbed


KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from labelled_sets import prepared
    def progress(title, done, total):
        if done == 10:
            print("decoding", flush=True)
            signal.pause() if sys.argv[2] == "wait" else os.kill(os.getpid(), signal.SIGKILL)
    prepared(sys.argv[1], progress=progress)
    """
)


def start(where: Path, then: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(each for each in sys.path if each)
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, "-c", KILLED, str(where), then]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_process_left_is_removed_and_never_what_a_live_one_writes(tmp_path: Path) -> None:
    where, other = fifty(tmp_path), npz(tmp_path / "other")
    assert start(where, "kill").wait() == -signal.SIGKILL
    (left,) = cache_folder().rglob(".*.part")
    with start(where, "wait") as live:
        assert live.stdout is not None and live.stdout.readline() == "decoding\n"
        (written,) = cache_folder().rglob(".*.part")
        assert written != left, "the live process removed what the dead one left"
        prepared(other)
        assert written.exists(), "another run removed what a live process writes"
        live.kill()
    prepared(other)
    assert written.exists(), "images that are in the cache need no look at it"
    prepared(npz(tmp_path / "third"), limit=3)
    assert not list(cache_folder().rglob(".*.part"))


def test_two_processes_decode_once_and_the_second_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.2)
    where = fifty(tmp_path)
    with start(where, "wait") as live:
        assert live.stdout is not None and live.stdout.readline() == "decoding\n"
        timer = threading.Timer(1.0, live.kill)
        timer.start()
        with pytest.warns(RobustEvalWarning, match="Another process decodes the same images"):
            assert prepared(where).pixels[:].shape == (COUNT, 8, 8, 3)
        timer.join()


def test_a_file_system_without_locks_still_has_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock.FileLock, "acquire", none)
    calls: list[int] = []
    where = npz(tmp_path / "set")
    for _ in range(2):
        prepared(where, progress=lambda _, done, total: calls.append(done)).pixels[:]
    assert calls == [1, 2, 3, 4, 5, 6]


def test_a_disk_that_fills_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = pixel_file.PixelWriter.write, []

    def full(self: pixel_file.PixelWriter, position: int, image: np.ndarray) -> None:
        written.append(position)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, position, image)

    monkeypatch.setattr(pixel_file.PixelWriter, "write", full)
    with pytest.raises(StoreError, match="is full"):
        prepared(fifty(tmp_path))
    assert not list(cache_folder().rglob("*.part")) + list(cache_folder().rglob("*.pixels"))


def test_a_cache_of_somebody_else_is_read_or_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, new = fifty(tmp_path), class_folders(tmp_path / "new", ["0", "1"])
    undisturbed = outcome(where)
    flip(cached("*.pixels"), 0, 0)
    opener = Path.open

    def read_only(self: Path, mode: str = "r", *arguments, **options):
        if set(mode) & set("wxa+"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opener(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", read_only)
    for _ in range(2):  # it cannot be repaired, so that it is said again
        with pytest.warns(RobustEvalWarning, match="decoded again"):
            assert outcome(where) == undisturbed
    with pytest.raises(StoreError, match=r"Permission denied(.|\n)*ROBUST_EVAL_CACHE"):
        prepared(new)
    monkeypatch.undo()
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))

    def unreadable(self: Path, mode: str = "r", *arguments, **options):
        if self.suffix in (".pixels", ".json"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opener(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", unreadable)
    with pytest.raises(StoreError, match="cannot be read: Permission denied"):
        prepared(where)


def test_a_cache_that_is_a_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(StoreError, match=r"Cannot write to(.|\n)*Set ROBUST_EVAL_CACHE to another folder"):
        prepared(npz(tmp_path / "set"))


def test_an_empty_variable_is_the_default_and_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.setenv("ROBUST_EVAL_CACHE", "")
    assert cache_folder() == Path("/somewhere/robustbench_eff")
    monkeypatch.setenv("ROBUST_EVAL_CACHE", "~/here")
    assert cache_folder() == Path.home() / "here"

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("ROBUST_EVAL_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    with pytest.raises(UsageError, match="Set ROBUST_EVAL_CACHE to a folder"):
        cache_folder()


def test_checked_images_survive_every_geometry(tmp_path: Path) -> None:
    where = fifty(tmp_path)
    for size in (4, 8, 13):
        found = prepare(own(where), open_location(str(where), "test"), Geometry(size=size, mode="squash"))
        assert found.pixels[:].shape == found.pixels.shape == (COUNT, size, size, 3)
