"""Labels become indices, or stop with their sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelled_sets import (
    class_folders,
    own,
    pixels,
    prepared,
)
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.core.errors import DataError
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location


def test_class_folders_are_dealt_one_image_a_class(tmp_path: Path) -> None:
    found = prepared(class_folders(tmp_path, ["b", "a", "b", "a", "b", "c"]))
    assert found.sample_ids == ["a/1.png", "b/0.png", "c/5.png", "a/3.png", "b/2.png", "b/4.png"]
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 1]
    opened = open_location(str(tmp_path), "test")
    found_labels = resolve_labels(own(tmp_path), opened)
    assert (found_labels.num_classes, found_labels.all_known) == (3, True)


def test_numeric_folders_are_numbers_not_words(tmp_path: Path) -> None:
    found = prepared(class_folders(tmp_path, ["0", "1", "10", "2", "11"]))
    assert dict(zip(found.sample_ids, found.labels.tolist(), strict=True)) == {
        "0/0.png": 0,
        "1/1.png": 1,
        "10/2.png": 10,
        "2/3.png": 2,
        "11/4.png": 11,
    }
    assert [name.split("/")[0] for name in found.sample_ids] == ["0", "1", "2", "10", "11"]
    opened = open_location(str(tmp_path), "test")
    found_labels = resolve_labels(own(tmp_path), opened)
    assert (found_labels.num_classes, found_labels.all_known) == (12, False)


@pytest.mark.parametrize("names", [["n01440764", "n07565083"], ["tench", "menu"], ["0", "922"]])
def test_imagenet_folders_may_be_wnids_names_or_indices(tmp_path: Path, names: list[str]) -> None:
    found = prepared(class_folders(tmp_path, names), build_benchmark.benchmark("imagenet"))
    assert sorted(found.labels.tolist()) == [0, 922]


def test_an_ambiguous_or_unknown_class_name_is_refused(tmp_path: Path) -> None:
    row = build_benchmark.benchmark("imagenet")
    with pytest.raises(DataError, match=r"'tenchh' is not a class of imagenet.\nDid you mean 'tench'"):
        prepared(class_folders(tmp_path / "a", ["tenchh"]), row)
    with pytest.raises(DataError, match="'crane' is not a class"):
        prepared(class_folders(tmp_path / "b", ["crane"]), row)


@pytest.mark.parametrize(
    ("names", "words"), [(["0", "1000"], "has label 1000"), (["1", "1000"], "Labels from 1 to 1000 may be")]
)
def test_labels_out_of_range_are_named(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        prepared(class_folders(tmp_path, names), build_benchmark.benchmark("imagenet"))


def test_labels_from_one_have_the_hint_of_their_benchmark(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has label 10; .*\nThe labels seem to count from 1: subtract 1"):
        prepared(class_folders(tmp_path / "a", ["1", "10"]), build_benchmark.benchmark("cifar10"))
    with pytest.raises(DataError, match=r"has label 1000; .*\n.*ILSVRC2012_ID.*meta\.mat.*TensorFlow's .*subtract 1"):
        prepared(class_folders(tmp_path / "b", ["2", "1000"]), build_benchmark.benchmark("imagenet"))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["2.0", "10.0", "0.0"], [2, 10, 0]),
        ([b"2", b"10", b"0"], [2, 10, 0]),
        ([2.0, 10.0, 0.0], [2, 10, 0]),
        ([" b ", "a", "10"], [2, 1, 0]),
    ],
)
def test_labels_are_numbers_however_they_are_written(tmp_path: Path, labels: list, expected: list[int]) -> None:
    np.savez(tmp_path / "set.npz", x=np.stack([pixels(seed) for seed in range(3)]), y=labels)
    assert prepared(tmp_path / "set.npz").labels.tolist() == expected


def test_of_a_folder_of_splits_the_benchmarks_own_is_opened(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", ["a", "b"])
    class_folders(tmp_path / "val", ["b", "a", "a"])
    opened = open_location(str(tmp_path), "validation")
    assert (len(opened), opened.split) == (3, "local files, split val")
    assert open_location(str(tmp_path), "test").ids == opened.ids, "without test images, those of validation are opened"
    assert open_location(str(tmp_path), "train").split == "local files, split train"


def test_training_images_are_not_taken_for_test_images(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", ["a", "b"])
    with pytest.raises(DataError, match="has only the split 'train', where 'test' is wanted"):
        open_location(str(tmp_path), "test")
