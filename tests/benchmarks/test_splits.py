"""One policy decides which split of a source is opened: never training images for a test, nor the reverse."""

from __future__ import annotations

import pickle
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from layouts_arrays import npy, npz, stl10, svhn
from layouts_downloaded import gtsrb, tiny_imagenet
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.readers.splits import pick_split
from robustbench_eff.core.errors import DataError
from robustbench_eff.registry.open_benchmark import open_location
from world_layouts import encoded, folders

GREY = np.zeros((2, 8, 8), np.uint8)
CLASSES = {"cat": 0, "dog": 1}


def opened(where: Path | str, split: str = "test") -> LabelledImages:
    return open_location(str(where), split)


def records(value: int, count: int = 2) -> bytes:
    return b"".join(bytes([row]) + bytes([value]) * 3072 for row in range(count))


def cifar_binary(folder: Path, tests: bool = True) -> Path:
    place = folder / "cifar-10-batches-bin"
    place.mkdir(parents=True)
    for number in range(1, 6):
        (place / f"data_batch_{number}.bin").write_bytes(records(number))
    if tests:
        (place / "test_batch.bin").write_bytes(records(9))
    return place


def packed(folder: Path, name: str) -> Path:
    """A tar beside a folder that holds it, with its empty folders."""
    with tarfile.open(folder.parent / name, "w") as archive:
        archive.add(folder, folder.name)
    return folder.parent / name


def parquet(path: Path, count: int = 2, **columns: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": encoded(row), "path": None} for row in range(count)]
    pq.write_table(pa.table({"image": images, "label": list(range(count)), **columns}), path)
    return path


@pytest.mark.parametrize(
    ("split", "available", "expected"),
    [
        ("test", ["train", "test"], "test"),
        ("test", ["train", "val"], "val"),
        ("validation", ["train", "test"], "test"),
        ("validation", ["dev", "test"], "dev"),
        ("train", ["Training", "test"], "Training"),
        ("test", ["test", "test_hard"], "test"),
        ("sketch", ["sketch", "train"], "sketch"),
        ("test", [""], ""),
        ("train", [""], ""),
        ("test", ["default"], "default"),
    ],
)
def test_a_split_is_picked(split: str, available: list[str], expected: str) -> None:
    assert pick_split(split, available, "set") == expected


@pytest.mark.parametrize(
    ("split", "available", "words"),
    [
        ("test", ["train"], "set has only the split 'train', where 'test' is wanted.\nPass the files"),
        ("train", ["test"], "only the split 'test', where 'train' is wanted.\nPass training images"),
        ("train", ["validation"], "only the split 'validation', where 'train' is wanted"),
        ("test", ["val", "valid"], "has the splits val, valid, not 'test'"),
        ("test", ["val_matched", "val_other"], "has the splits val_matched, val_other, not 'test'"),
        ("test", ["", "train"], "has the splits one without a name, train, not 'test'"),
        ("test", ["a", "b"], "has the splits a, b, not 'test'"),
    ],
)
def test_no_split_is_guessed(split: str, available: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        pick_split(split, available, "set")


def test_cifar_s_training_images_are_opened_for_training(tmp_path: Path) -> None:
    place = cifar_binary(tmp_path)
    for where in (place, place.parent):
        training = opened(where, "train")
        assert [int(training.read(row)[0, 0, 0]) for row in range(10)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
        assert (training.split, list(training.labels)) == ("train of CIFAR-10", [0, 1] * 5)
        assert (len(opened(where)), opened(where).split) == (2, "test of CIFAR-10")
    (place / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"lacks data_batch_3\.bin, a part of its images"):
        opened(place, "train")
    assert opened(place / "data_batch_1.bin").split == "local files of CIFAR-10", "the user named it"


def test_an_archive_of_cifar_is_opened_for_training(tmp_path: Path) -> None:
    where = packed(cifar_binary(tmp_path), "cifar-10-binary.tar")
    assert (len(opened(where, "train")), len(opened(where))) == (10, 2)


def test_the_python_version_of_cifar_is_opened_for_training(tmp_path: Path) -> None:
    for name, count in (("train", 3), ("test", 2)):
        content = {"data": np.zeros((count, 3072), np.uint8), "fine_labels": [0] * count}
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    assert (len(opened(tmp_path, "train")), len(opened(tmp_path))) == (3, 2)


def kaggle_gtsrb(folder: Path, training: bool = True) -> Path:
    (folder / "Test").mkdir()
    (folder / "Test" / "0.png").write_bytes(encoded(3))
    (folder / "Test.csv").write_text("Width,Height,ClassId,Path\n8,8,3,Test/0.png\n")
    if training:
        folders(folder / "Train", {"0": 0, "3": 3})
    return folder


def gtsrb_of_torchvision(folder: Path) -> Path:
    place = gtsrb(folder)
    (images,) = place.rglob("Final_Test")
    folders(images.parent / "Training", {"00000": 0, "00003": 3})
    return place


@pytest.mark.parametrize(
    ("make", "split"),
    [
        (lambda at: stl10(at) / "stl10_binary", "train of STL-10"),
        (tiny_imagenet, "train of Tiny-ImageNet"),
        (kaggle_gtsrb, "train of GTSRB"),
        (gtsrb_of_torchvision, "train of GTSRB"),
        (svhn, "train of SVHN"),
    ],
)
def test_of_published_sets_training_opens_the_training_images(
    tmp_path: Path, make: Callable[[Path], Path], split: str
) -> None:
    assert opened(make(tmp_path), "train").split == split


def cifar_without_training(folder: Path) -> Path:
    place = cifar_binary(folder)
    for file in place.glob("data_batch_*"):
        file.unlink()
    return place


def stl10_without_training(folder: Path) -> Path:
    (stl10(folder) / "stl10_binary" / "train_X.bin").unlink()
    return folder / "stl10_binary"


def tar_of_training(folder: Path) -> Path:
    folders(folder / "ds" / "test", CLASSES)
    return packed(folder / "ds", "ds.tar")


@pytest.mark.parametrize(
    "make",
    [
        cifar_without_training,
        lambda at: cifar_binary(at) / "test_batch.bin",
        stl10_without_training,
        lambda at: stl10(at) / "stl10_binary" / "test_X.bin",
        lambda at: svhn(at) / "test_32x32.mat",
        lambda at: kaggle_gtsrb(at, training=False),
        lambda at: tiny_imagenet(at) / "val",
        npz("set.npz", x_test=GREY, y_test=[0, 1]),
        npz("set-test.npz", x=GREY, y=[0, 1]),
        npy(x_test=GREY, y_test=[0, 1]),
        lambda at: npy(x_test=GREY, y_test=[0, 1])(at) / "x_test.npy",
        lambda at: folders(at / "val", CLASSES).parent,
        tar_of_training,
        lambda at: parquet(at / "test-00000-of-00001.parquet"),
        lambda at: parquet(at / "test-00000-of-00001.parquet").parent,
        lambda at: parquet(at / "test" / "test-00000-of-00001.parquet").parent,
    ],
)
def test_training_never_opens_other_images(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    where = make(tmp_path)
    with pytest.raises(DataError, match=r"Pass training images\."):
        opened(where, "train")
    assert len(opened(where)) > 0


def saved_training(folder: Path) -> Path:
    rows = {"image": [{"bytes": encoded(0), "path": None}], "label": [0]}
    DatasetDict({"train": Dataset.from_dict(rows)}).save_to_disk(str(folder / "saved"))
    return folder / "saved"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda at: cifar_binary(at, tests=False), "data_batch_1.bin"),
        (lambda at: parquet(at / "train-00000-of-00001.parquet").parent, "train-00000-of-00001.parquet"),
        (lambda at: folders(at / "train", CLASSES).parent, "train"),
        (npy(x_train=GREY, y_train=[0, 1]), "x_train.npy"),
        (saved_training, "train"),
    ],
)
def test_training_images_alone_are_opened_for_a_test_if_the_user_names_them(
    tmp_path: Path, make: Callable[[Path], Path], named: str
) -> None:
    where = make(tmp_path)
    with pytest.raises(DataError, match=r"has only the split 'train', where 'test' is wanted\.\nPass"):
        opened(where)
    assert len(opened(where / named)) > 0


def test_a_set_that_is_all_train_on_the_hub_keeps_its_split(tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    assert opened(tmp_path, "train").split == "train", "as ImageNet-Sketch asks"


def test_the_split_in_the_names_of_parquet_files_is_stated(tmp_path: Path) -> None:
    assert opened(parquet(tmp_path / "a" / "test-00000-of-00001.parquet").parent).split == "test"
    assert opened(parquet(tmp_path / "b" / "train-00000-of-00001.parquet")).split == "train"
    assert opened(parquet(tmp_path / "c" / "0000.parquet").parent).split == "local files"
    for shard in (0, 1):
        parquet(tmp_path / "train" / f"train-0000{shard}-of-00002.parquet")
    assert (len(opened(tmp_path / "train")), opened(tmp_path / "train").split) == (4, "train")


def test_a_lone_training_split_on_the_hub_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"image": [{"bytes": encoded(0), "path": None}], "label": [0]}
    monkeypatch.setattr("datasets.get_dataset_split_names", lambda name, revision: ["train"])
    monkeypatch.setattr("datasets.load_dataset", lambda name, split, revision: Dataset.from_dict(rows))
    with pytest.raises(DataError, match=r"hf:a/b has only the split 'train', .*\nChoose one: hf:a/b@SPLIT"):
        opened("hf:a/b")
    assert opened("hf:a/b@train").split == "a/b@train"
    assert opened("hf:a/b", "train").split == "a/b@train"
    with pytest.raises(DataError, match="has the splits train, not 'tset'"):
        opened("hf:a/b@tset")


SPLIT_ROWS = ("train", "Train", "val", "test")


def table(folder: Path, column: str = "split", values: Sequence[str] = SPLIT_ROWS) -> Path:
    for row in (2, 3):  # files of other splits need not be there
        (folder / f"{row}.png").write_bytes(encoded(row))
    lines = [f"{row}.png,{row},{value}" for row, value in enumerate(values)]
    (folder / "labels.csv").write_text("\n".join([f"filename,label,{column}", *lines]))
    return folder


@pytest.mark.parametrize("make", [table, lambda at: parquet(at / "a.parquet", 4, split=SPLIT_ROWS)])
def test_of_a_table_the_rows_of_the_split_are_read(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    where = make(tmp_path)
    assert (list(map(int, opened(where).labels)), opened(where).split) == ([3], "local files, rows with split test")
    assert list(map(int, opened(where, "validation").labels)) == [2]


def test_of_a_table_the_training_rows_are_read_for_training(tmp_path: Path) -> None:
    where = parquet(tmp_path / "a.parquet", 4, Subset=SPLIT_ROWS)
    assert list(opened(where, "train").labels) == [0, 1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("test", "test", "test", "fold 3"), "the column 'set' holds 'fold 3', which is not train, validation or test"),
        (("", "test", "test", "test"), "the column 'set' holds ''"),
        (("train",) * 4, "column 'set', has only the split 'train', .*\nTo open all rows, remove the column 'set'"),
    ],
)
def test_an_unclear_column_of_splits_is_refused(tmp_path: Path, values: Sequence[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        opened(table(tmp_path, "set", values))
    with pytest.raises(DataError, match=words):
        opened(parquet(tmp_path / "a.parquet", 4, set=values))


def mixed_tree(folder: Path) -> Path:
    place = folders(folder / "ds", {"cat": 1, "10": 0, "dog": 2})
    for name in ("ant", "@eaDir", ".ipynb_checkpoints"):
        (place / name).mkdir()
    for name in (".ipynb_checkpoints/cat.png", "@eaDir/cat.png", "cat/._0.png", "dog/notes.txt"):
        (place / name).write_bytes(encoded(9))
    return place


def test_a_tar_is_read_as_its_folder(tmp_path: Path) -> None:
    place = mixed_tree(tmp_path)
    folder, archive = opened(place), opened(packed(place, "ds.tar"))
    assert folder.class_names == ("10", "ant", "cat", "dog")
    for field in ("ids", "labels", "class_names", "class_order", "split"):
        assert getattr(archive, field) == getattr(folder, field), field
    counts = [{item.reason: item.count for item in each.ignored} for each in (folder, archive)]
    assert counts[0] == counts[1]
    assert counts[0] == {
        "hidden": 3,
        "not an image (.txt)": 1,
        "class folder without images, which keeps its number": 1,
    }


@pytest.mark.parametrize("pack", [False, True])
def test_splits_of_a_tar_are_those_of_its_folder(tmp_path: Path, pack: bool) -> None:
    place = folders(tmp_path / "ds" / "train", CLASSES).parent
    where = packed(place, "ds.tar") if pack else place
    with pytest.raises(DataError, match="has only the split 'train', where 'test' is wanted"):
        opened(where)
    assert opened(where, "train").split == "local files, split train"
    folders(place / "val", {"cat": 0})
    (place / "val" / "dog").mkdir()
    (place / "logs").mkdir()
    where = packed(place, "ds.tar") if pack else place
    found = opened(where)
    assert (found.split, found.class_names, len(found)) == ("local files, split val", ("cat", "dog"), 2)
    folders(place, {"bird": 2})
    where = packed(place, "ds.tar") if pack else place
    with pytest.raises(DataError, match=r"holds splits \(train, val\) beside bird, which is none"):
        opened(where)


def test_a_tar_without_its_folders_listed_is_no_set_of_classes_in_train(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "ds.tar", "w") as archive:
        for name in folders(tmp_path / "x", CLASSES).rglob("*.png"):
            archive.add(name, f"ds/train/{name.parent.name}/{name.name}")
    with pytest.raises(DataError, match="has only the split 'train'"):
        opened(tmp_path / "ds.tar")


def test_a_class_may_be_named_like_a_split(tmp_path: Path) -> None:
    assert opened(folders(tmp_path, {"test": 1, "production": 0})).class_names == ("production", "test")


def test_a_split_may_hold_a_table(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.png").write_bytes(encoded(0))
    with pytest.raises(DataError, match="test has neither class folders nor a table of labels"):
        opened(tmp_path)
    (tmp_path / "test" / "metadata.csv").write_text("file_name,label\na.png,cat\n")
    assert (opened(tmp_path).labels, opened(tmp_path).split) == (["cat"], "local files, split test")


def test_a_tar_may_begin_with_other_files(tmp_path: Path) -> None:
    place = folders(tmp_path / "ds", CLASSES)
    (place / "about").mkdir()
    for number in range(20):
        (place / "about" / f"{number}.txt").touch()
    assert opened(packed(place, "ds.tar")).class_names == ("about", "cat", "dog")


def test_a_tar_without_labels_says_so(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "flat.tar", "w") as archive:
        for number in range(2):
            (tmp_path / f"{number}.png").write_bytes(encoded(number))
            archive.add(tmp_path / f"{number}.png", f"{number}.png")
    with pytest.raises(DataError, match="is a tar without labels"):
        opened(tmp_path / "flat.tar")


@pytest.mark.parametrize(("name", "content"), [("test", b"notes"), ("train", b"(x"), ("test.bin", b"12")])
def test_a_file_named_test_is_not_cifar(tmp_path: Path, name: str, content: bytes) -> None:
    folders(tmp_path, CLASSES)
    (tmp_path / name).write_bytes(content)
    assert len(opened(tmp_path)) == 4
