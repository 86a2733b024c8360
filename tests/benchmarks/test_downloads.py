"""Downloaded benchmarks: the same images and labels as torchvision's, what the protocol says, and safe refusals."""

from __future__ import annotations

import pickle
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets as published

from labelled_sets import own, prepared
from layouts_arrays import LABELS, cifar102, emnist_file, mnist_root, npy, npz, stl10, svhn
from layouts_downloaded import WNIDS, cifar_root, flowers, food, gtsrb, imagenette, pets, tiny_imagenet
from layouts_tables import LFS, hub_download, pictures, table
from robustbench_eff.benchmarks.data_fingerprint import content_of
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import DataError, RobustEvalWarning
from robustbench_eff.registry.open_benchmark import open_location
from world_layouts import encoded, shown, shown_grey

PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>"


def open_here(where: Path | str):
    return open_location(str(where), "test")


def cifar100_root(folder: Path) -> Path:
    return cifar_root(folder, hundred=True)


@pytest.mark.parametrize(
    ("make", "theirs", "options"),
    [
        (cifar_root, published.CIFAR10, {"train": False}),
        (cifar100_root, published.CIFAR100, {"train": False}),
        (mnist_root, published.MNIST, {"train": False}),
        (svhn, published.SVHN, {"split": "test"}),
        (stl10, published.STL10, {"split": "test"}),
        (gtsrb, published.GTSRB, {"split": "test"}),
        (food, published.Food101, {"split": "test"}),
        (pets, published.OxfordIIITPet, {"split": "test"}),
        (flowers, published.Flowers102, {"split": "test"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_root_is_read_as_torchvision_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], theirs: type, options: dict
) -> None:
    monkeypatch.setattr(theirs, "_check_integrity", lambda self: True, raising=False)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    expected = theirs(make(tmp_path), **options)
    opened = open_here(tmp_path)
    labels = resolve_labels(own(tmp_path), opened).labels
    assert len(opened) == len(expected) > 0
    for position, (picture, label) in enumerate(expected):
        found = decode(content_of(opened, position), "one")
        assert (labels[position], found.tobytes()) == (label, picture.convert("RGB").tobytes())


def test_images_of_emnist_lie_as_in_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_here(emnist_file(tmp_path))
    expected = published.EMNIST(tmp_path, split="letters", train=False)
    assert [int(label) for label in opened.labels] == expected.targets.tolist()
    assert np.array_equal(content_of(opened, 3)[..., 0], expected.data[3].numpy())


@pytest.mark.parametrize(
    ("make", "split", "order"),
    [
        (cifar_root, "test of CIFAR-10", "numbers of the dataset"),
        (mnist_root, "test", ""),
        (svhn, "test of SVHN", "the digits, 0 for SVHN's label 10"),
        (stl10, "test of STL-10", "numbers of the dataset, minus 1"),
        (gtsrb, "test of GTSRB", ""),
        (tiny_imagenet, "val of Tiny-ImageNet", "sorted wnids"),
        (imagenette, "local files, split val", "class folders in sorted order"),
        (food, "test of Food-101", "class names in sorted order"),
        (pets, "test of Oxford-IIIT Pet", "numbers of the dataset, minus 1"),
        (flowers, "test of Flowers-102", "numbers of the dataset, minus 1"),
        (cifar102, "test of CIFAR-10.2", ""),
        (npy(cifar10__1_v6_data=np.zeros((1, 32, 32, 3), np.uint8), cifar10__1_v6_labels=[0]), "CIFAR-10.1 v6", ""),
        (npz("x.npz", val_images=np.zeros((2, 8, 8), np.uint8), val_labels=[[0], [1]]), "validation", ""),
        (npz("x.npz", x=np.zeros((2, 8, 8), np.uint8), y=np.eye(2)), "local files", "positions in one-hot labels"),
        (hub_download, "test", "numbers of the dataset"),
    ],
)
def test_the_split_and_the_order_of_the_classes_are_stated(
    tmp_path: Path, make: Callable[[Path], Path], split: str, order: str
) -> None:
    opened = open_here(make(tmp_path))
    assert (opened.split, opened.class_order) == (split, order)


def test_another_set_with_a_test_csv_is_not_taken_for_gtsrb(tmp_path: Path) -> None:
    place = table(["filename,label", "Test/0.png,0"], "Test.csv")(tmp_path)
    pictures(place / "Test", [0])
    assert open_here(place).split == "local files"


def test_a_class_without_images_keeps_its_number(tmp_path: Path) -> None:
    opened = open_here(tiny_imagenet(tmp_path) / "val")
    assert opened.class_names == ("n01443537", "n02124075", "n03255030", "n04067472")
    assert resolve_labels(own(tmp_path), opened).num_classes == 4
    assert len(open_here(cifar_root(tmp_path / "root")).class_names) == 10


def test_the_training_split_may_be_asked_for(tmp_path: Path) -> None:
    digits = open_location(str(mnist_root(tmp_path / "a")), "train")
    assert (digits.split, digits.labels) == ("train", LABELS[::-1].tolist())
    tiny = open_location(str(tiny_imagenet(tmp_path / "b")), "train")
    assert (tiny.split, list(tiny.labels)) == ("train of Tiny-ImageNet", sorted(WNIDS))


class Attack:
    def __reduce__(self):
        return eval, ("open('ran', 'w')",)


def test_an_archive_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("test_batch", "batches.meta"):
        (tmp_path / name).write_bytes(pickle.dumps({"data" if name == "test_batch" else "label_names": Attack()}))
        with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / name, f"cifar-10-batches-py/{name}")
            if name == "batches.meta":
                good = cifar_root(tmp_path / "good") / "cifar-10-batches-py" / "test_batch"
                archive.add(good, "cifar-10-batches-py/test_batch")
        with pytest.raises(DataError, match=r"asks for builtins\.eval, .*nothing of it was run"):
            open_here(tmp_path / "cifar-10-python.tar.gz")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PAGE, r"0/bad.jpg is a web page.\nDownload it again"),
        (LFS, r"0/bad.jpg is a pointer of git LFS, not the file itself.\nRun `git lfs pull`"),
        (b"", r"0/bad.jpg is empty \(0 bytes\)"),
        (b"\0\0", r"0/bad.jpg cannot be decoded: not an image"),
    ],
)
def test_what_stands_in_place_of_an_image_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (pictures(tmp_path / "0", [0]) / "bad.jpg").write_bytes(content)
    with pytest.raises(DataError, match=words):
        prepared(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["x.npz", "x.npy", "test_batch", "cifar-10-binary.tar.gz", "test_32x32.mat", "a.parquet", "labels.csv", "set.zip"],
)
def test_what_stands_in_place_of_a_download_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "y.npy").write_bytes(LFS)
    for content, words in ((PAGE, "is a web page"), (LFS, "git LFS"), (b"", "is empty")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} {'.*' if content == LFS else ''}{words}"):
            open_here(tmp_path / name)


def test_ids_of_files_elsewhere_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    for machine in ("one", "another"):
        pictures(tmp_path / machine / "data" / "a")
        lines = [f"{tmp_path / machine}/data/a/{row}.png,0" for row in range(2)]
        place = tmp_path / machine / "tables"
        place.mkdir()
        pictures(place)
        (place / "labels.csv").write_text("\n".join(["file,label", *lines, "3.png,1"]))
        assert open_here(place).ids == ["data/a/0.png", "data/a/1.png", "tables/3.png"]


def test_paths_below_the_folder_have_the_same_ids_however_they_are_written(tmp_path: Path) -> None:
    lines = ["0.png,0", "{}/1.png,1", "./2.png,2", "{}/../set/3.png,3"]
    assert open_here(table(["file,label", *lines])(tmp_path)).ids == [f"{row}.png" for row in range(4)]


def test_of_several_columns_the_one_with_the_labels_is_stated(tmp_path: Path) -> None:
    place = table(["file,category,label", *(f"{row}.png,x,{row}" for row in range(4))])(tmp_path)
    with pytest.warns(RobustEvalWarning, match=r"labels.csv: labels are read from 'label', not from 'category'"):
        assert open_here(place).labels == ["0", "1", "2", "3"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_here(table(["file,size,label", "0.png,x,0"])(tmp_path / "other"))


def test_two_samples_of_one_id_are_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from robustbench_eff.benchmarks.image_cache import shared_ids

    pq.write_table(pa.table({"image": [encoded(0)] * 2, "label": [0, 1]}), tmp_path / "a.parquet")
    opened = open_here(tmp_path / "a.parquet")
    opened.ids[:] = ["cat.png", "cat.png"]
    with pytest.raises(DataError, match=r"two samples with the same id, 'cat.png'"):
        shared_ids(opened, None)


def test_of_a_hub_folder_only_one_split_is_read(tmp_path: Path) -> None:
    """The training images of ImageNet take 140 GB, and converting them as much again."""
    place = hub_download(tmp_path)
    train = place / "plain_text" / "train-00000-of-00001.parquet"
    train.write_bytes(train.read_bytes()[:-100])
    assert len(open_here(place)) == 4


def test_a_picture_tells_its_class_in_color_and_in_grey() -> None:
    from world_layouts import label_of

    for label in (0, 1, 25, 651, 999):
        assert label_of(Image.fromarray(shown(label))) == label
    assert label_of(Image.fromarray(shown_grey(25)).convert("RGB")) == 25
