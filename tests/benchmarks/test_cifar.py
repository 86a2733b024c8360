"""CIFAR-10 and CIFAR-100 as their authors publish them."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.benchmarks.definitions.cifar100 import CIFAR100, CLASSES
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.generation.corrupted_files import CorruptionSettings, write_corrupted
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_benchmark
from running import accuracies

COUNT = 6
FINE = [99, 0, 26, 5, 5, 42]
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
FLAT = IMAGES.transpose(0, 3, 1, 2).reshape(COUNT, -1)


def records(*labels: list[int]) -> bytes:
    return np.hstack([*(np.array(each, np.uint8)[:, None] for each in labels), FLAT]).tobytes()


def text(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value


def as_python_2_wrote_it(key: bytes, labels: list[int]) -> bytes:
    """The opcodes of the published files, which Python 3 does not write: 8-bit strings, and bytes as such."""
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"J" + struct.pack("<i", COUNT) + b"J" + struct.pack("<i", 3072) + b"\x86"
    raw = FLAT.tobytes()
    array += b"(K\x01" + shape + kind + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(key) + listed + b"u."


def opened(where: Path, name: str = "cifar100"):
    row = build_benchmark.benchmark(name)
    return prepare(row, open_benchmark(row, str(where)), Geometry(size=32, mode="none"))


def binary(folder: Path) -> None:
    (folder / "test.bin").write_bytes(records([19, 4, 3, 2, 1, 0], FINE))


def python_2(folder: Path) -> None:
    (folder / "test").write_bytes(as_python_2_wrote_it(b"fine_labels", FINE))


def python_3(folder: Path) -> None:
    (folder / "test").write_bytes(
        pickle.dumps({"data": FLAT, "fine_labels": FINE, "filenames": [b"a.png"]}, protocol=2)
    )


def by_columns(folder: Path) -> None:
    (folder / "test").write_bytes(pickle.dumps({b"data": np.asfortranarray(FLAT), b"fine_labels": FINE}, protocol=4))


def test_files_of_cifar10_are_not_taken_for_cifar100(tmp_path: Path) -> None:
    """All their labels would do."""
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": FLAT, b"labels": [0, 1, 2, 3, 4, 5]}, protocol=4))
    with pytest.raises(DataError, match="is CIFAR-10"):
        opened(tmp_path)


@pytest.mark.parametrize("write", [binary, python_2, python_3, by_columns], ids=lambda write: write.__name__)
def test_the_published_files_are_read(tmp_path: Path, write) -> None:
    write(tmp_path)
    found = opened(tmp_path)
    assert np.array_equal(found.pixels[:], IMAGES)
    assert found.labels.tolist() == FINE
    assert str(found.protocol) == "test of CIFAR-100, 6 images, 32×32 as it is"
    (file,) = tmp_path.iterdir()
    assert opened(file).fingerprint == found.fingerprint


def test_what_we_take_for_a_file_of_python_2_is_one(tmp_path: Path) -> None:
    found = pickle.loads(as_python_2_wrote_it(b"fine_labels", FINE), encoding="bytes")
    assert np.array_equal(found[b"data"], FLAT)
    assert found[b"fine_labels"] == FINE


def test_cifar10_has_one_label_an_image(tmp_path: Path) -> None:
    labels = [3, 8, 8, 0, 6, 9]
    (tmp_path / "test_batch.bin").write_bytes(records(labels))
    assert opened(tmp_path, "cifar10").labels.tolist() == labels
    (tmp_path / "test_batch.bin").unlink()
    (tmp_path / "test_batch").write_bytes(as_python_2_wrote_it(b"labels", labels))
    assert np.array_equal(opened(tmp_path, "cifar10").pixels[:], IMAGES)


class Attack:
    def __reduce__(self):
        return eval, ("open('ran', 'w')",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps(Attack()), r"asks for builtins\.eval, which no file of CIFAR needs; nothing of it was run"),
        (pickle.dumps({"data": FLAT, "fine_labels": Attack()}), r"builtins\.eval"),
        (b"cos\nsystem\n(S'touch ran'\ntR.", r"asks for os\.system"),
        (pickle.dumps({"data": FLAT.astype(float), "fine_labels": FINE}, protocol=2), "uint8 of shape"),
        (pickle.dumps({"data": FLAT[:, :-3], "fine_labels": FINE}, protocol=2), "uint8 of shape"),
        (pickle.dumps({"data": FLAT, "fine_labels": FINE[:3]}, protocol=2), "uint8 of shape"),
        (pickle.dumps({"data": FLAT}, protocol=2), "not hold the data and labels of CIFAR"),
        (pickle.dumps([1]), "not hold the data and labels of CIFAR"),
        (b"", "test is empty"),
        (b"\x80", "A pickle of CIFAR cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of git LFS"),
    ],
)
def test_a_pickle_of_anything_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test").write_bytes(content)
    (tmp_path / "meta").write_bytes(b"")
    with pytest.raises(DataError, match=words):
        opened(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test.bin").write_bytes(records(FINE)[:-1])
    (tmp_path / "fine_label_names.txt").touch()
    with pytest.raises(DataError, match="not a whole number of CIFAR's records"):
        opened(tmp_path)


def test_the_fine_classes_are_in_their_order() -> None:
    assert list(CLASSES) == sorted(CLASSES)
    assert len(set(CLASSES)) == CIFAR100.num_classes == 100
    assert (CLASSES[26], CLASSES[72], CLASSES[99]) == ("crab", "seal", "worm")
    assert CIFAR100.class_index()["cra"] == 26, "as the copy on the hub has it"


def test_a_model_of_100_classes_runs(tmp_path: Path) -> None:
    binary(tmp_path)
    model = load_classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 100)).eval(), input_size=32)
    options = {"data": {"cifar100": str(tmp_path)}, "store": tmp_path / "store"}
    quick = evaluate(model, benchmarks=["cifar100"], suite="quick", **options)
    assert {score.benchmark for score in quick.scores} == {"cifar100"}
    assert "pgd(eps=8/255)" in {score.perturbation for score in quick.scores}
    fog = "fog(severity=2, constants='cifar10')"
    corrupted = evaluate(model, benchmarks=["cifar100-c-generated"], corruptions=[fog], **options)
    _, made = accuracies(corrupted.scores)
    assert (made.benchmark, made.perturbation, made.n) == ("cifar100-c-generated", fog, COUNT)


def test_what_is_written_of_cifar100_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    binary(tmp_path / "clean")
    fog = [f"fog(severity={level}, constants='cifar10')" for level in range(1, 6)]
    data = {"cifar100": str(tmp_path / "clean")}
    settings = CorruptionSettings(corruptions=fog)
    assert write_corrupted("cifar100-c-generated", tmp_path / "c", data, settings).images == 5 * COUNT
    torch.manual_seed(0)
    model = load_classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 100)).eval(), input_size=32)
    options = {"corruptions": fog[2:3], "store": tmp_path / "store"}
    data |= {"cifar100-c": str(tmp_path / "c")}
    names = ["cifar100-c", "cifar100-c-generated"]
    scores = evaluate(model, benchmarks=names, data=data, **options).scores
    read, made = (
        next(score for score in scores if score.benchmark == name and score.perturbation != "none") for name in names
    )
    assert read.value == made.value
