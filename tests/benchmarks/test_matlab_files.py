"""MATLAB files: refused where they unpack to too much, or hold something else."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from scipy.io import loadmat, savemat

from layouts_downloaded import flowers
from robustbench_eff.benchmarks.readers import matlab_files
from robustbench_eff.benchmarks.readers.matlab_files import parse_matlab, read_matlab
from robustbench_eff.core import outside_archives
from robustbench_eff.core.errors import DataError
from robustbench_eff.registry.open_benchmark import open_location


def saved(value: object, *, compressed: bool = True) -> bytes:
    file = io.BytesIO()
    savemat(file, {"X": value}, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_variables_are_read(compressed: bool) -> None:
    value = np.arange(12).reshape(3, 4)
    assert (parse_matlab(saved(value, compressed=compressed), "a.mat")["X"] == value).all()


def test_a_small_file_that_unpacks_to_much_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved(np.zeros(1_000_000, dtype=np.uint8))
    assert len(content) < 2000
    assert len(parse_matlab(content, "a.mat")["X"].ravel()) == 1_000_000
    monkeypatch.setattr(outside_archives, "MAX_UNPACKED_BYTES", 10_000)
    with pytest.raises(DataError, match=r"a\.mat unpacks to more than 1\d\d,\d{3} bytes"):
        parse_matlab(content, "a.mat")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a MATLAB file of version 5"),
        (b"\x89HDF\r\n\x1a\n" + bytes(400), "is not a MATLAB file of version 5"),
        (saved(np.arange(9))[:150], "ends in the middle of a variable"),
        (saved(np.arange(9), compressed=False)[:150], "ends in the middle of a variable"),
        (saved(np.arange(9))[:128] + np.array([15, 8], "<u4").tobytes() + b"not zlib", "cannot be read: error"),
    ],
    ids=["empty", "HDF5", "cut", "cut, not compressed", "not zlib"],
)
def test_other_and_damaged_files_are_named(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.mat.* ({sentence})"):
        read_matlab(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        *(np.arange(24).reshape(2, 3, 4).astype(kind) for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")),
        *(np.linspace(-1, 1, 6).reshape(2, 3).astype(kind) for kind in ("f4", "f8")),
        *(np.array([[True, False]]), np.array([[300.0]]), np.zeros((0, 3)), np.asfortranarray(np.eye(3))),
    ],
    ids=lambda value: f"{value.dtype} {value.shape}",
)
def test_arrays_are_those_that_scipy_reads(value: np.ndarray, compressed: bool) -> None:
    content = saved(value, compressed=compressed)
    ours, theirs = parse_matlab(content, "a.mat")["X"], loadmat(io.BytesIO(content))["X"]
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert (ours == theirs).all()


@pytest.mark.parametrize("text", ["n01440764", "", "a", "Großer Tümmler", "日本"])
def test_structures_hold_numbers_and_texts(text: str) -> None:
    rows = np.empty((2, 1), dtype=[("number", "O"), ("text", "O"), ("a_longer_name", "O")])
    rows[0, 0], rows[1, 0] = (1.0, text, np.arange(5)), (2.0, "x", np.empty((0, 0)))
    first, second = parse_matlab(saved(rows), "a.mat")["X"]
    assert (first["number"].item(), first["text"], second["number"].item(), second["text"]) == (1, text, 2, "x")
    assert first["a_longer_name"].tolist() == [[0, 1, 2, 3, 4]]
    assert second["a_longer_name"].size == 0


def test_deep_structures_are_refused() -> None:
    value: object = 1.0
    for _ in range(matlab_files.MAX_DEPTH):
        value = {"inner": value}
    with pytest.raises(DataError, match="more than 4 structures within one another"):
        parse_matlab(saved(value), "a.mat")


def test_variables_of_other_kinds_are_left_out() -> None:
    file = io.BytesIO()
    cell = np.empty((1, 1), object)
    cell[0, 0] = 1
    savemat(file, {"X": np.eye(2), "cell": cell, "sparse": scipy.sparse.eye_array(3).tocsc()})
    assert parse_matlab(file.getvalue(), "a.mat").keys() == {"X"}


def test_files_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab_files, "MAX_BYTES", 2**20)
    (tmp_path / "a.mat").write_bytes(bytes(2**20 + 1))
    with pytest.raises(DataError, match="at most 1 MiB are read"):
        read_matlab(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("file", "variables", "sentence"),
    [
        ("setid.mat", {"tstid": np.array([[9]])}, "lists photos in setid.mat without a class"),
        ("setid.mat", {"tstid": np.array([[0]])}, "lists photos in setid.mat without a class"),
        ("setid.mat", {"trnid": np.array([[1]])}, "does not hold the whole numbers tstid"),
        ("imagelabels.mat", {"labels": np.array([["rose"]])}, "does not hold the whole numbers labels"),
        ("imagelabels.mat", {"labels": np.array([[1.5]])}, "does not hold the whole numbers labels"),
    ],
)
def test_lists_of_flowers_that_do_not_fit_are_named(
    file: str, variables: dict[str, np.ndarray], sentence: str, tmp_path: Path
) -> None:
    folder = flowers(tmp_path) / "flowers-102"
    savemat(folder / file, variables)
    with pytest.raises(DataError, match=sentence):
        open_location(str(folder), "test")
