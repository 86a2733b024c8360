"""ImageNet's validation images as they are downloaded: ids, order, threads, and hints that work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from labelled_sets import own
from layouts_imagenet import (
    SHOWN,
    WNIDS,
    caffe,
    flat,
    flat_with_devkit_inside,
    folders,
    jpeg,
    kaggle,
    name,
    official_tar,
    packed,
    tar,
    write,
)
from robustbench_eff import evaluate
from robustbench_eff.benchmarks.definitions.imagenet import IMAGENET
from robustbench_eff.benchmarks.imagenet_labels import with_imagenet_outputs
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.core.errors import DataError
from robustbench_eff.evaluation.resolve_cells import clean_positions
from robustbench_eff.registry.open_benchmark import open_location
from running import accuracies
from world_layouts import seeing


def test_flat_folder_and_tar_have_the_same_images_under_the_same_ids(tmp_path: Path) -> None:
    packed(tmp_path)
    opened = [open_location(str(where), "validation") for where in (flat(tmp_path / "val"), official_tar(tmp_path))]
    for found in opened:
        assert found.ids == [name(number) for number in range(1, 7)]
        assert found.labels == [WNIDS[label] for label in SHOWN]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(found.read, [*range(6)] * 20)) == [jpeg(label) for label in SHOWN] * 20


def test_other_files_beside_the_images_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "val.txt", caffe())
    (flat(tmp_path) / "cat.JPEG").write_bytes(jpeg(1))
    (tmp_path / f"._{name(1)}").write_bytes(b"macOS")
    (ignored,) = open_location(str(tmp_path), "validation").ignored
    assert (ignored.count, ignored.example) == (1, "cat.JPEG")


def test_another_file_of_labels_is_another_source(tmp_path: Path) -> None:
    write(flat(tmp_path) / "val.txt", caffe())
    before = open_location(str(tmp_path), "validation").stamp
    write(tmp_path / "val.txt", [*caffe(), ""])
    assert open_location(str(tmp_path), "validation").stamp != before


def test_kaggle_s_list_of_files_is_no_hindrance_after_its_hint_is_followed(tmp_path: Path) -> None:
    where = kaggle(tmp_path, "ILSVRC/Data/CLS-LOC/val")
    write(where / "val.txt", [f"{name(number)[:-5]} {number}" for number in range(1, 7)])
    with pytest.raises(DataError, match="without labels") as caught:
        open_location(str(where), "validation")
    assert "Remove it" in caught.value.hint
    (where / "val.txt").unlink()
    assert len(open_location(str(where), "validation")) == 6


def test_each_file_that_the_hint_names_is_enough(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not tell their classes") as caught:
        open_location(str(flat(tmp_path / "a")), "validation")
    assert str(tmp_path / "a") in caught.value.hint
    makers = {
        "ILSVRC2012_devkit_t12.tar.gz": lambda at: packed(at),
        "LOC_val_solution.csv": lambda at: (at / "LOC_val_solution.csv").write_bytes(
            (kaggle(tmp_path / "kaggle") / "LOC_val_solution.csv").read_bytes()
        ),
        "val.txt": lambda at: write(at / "val.txt", caffe()),
    }
    for number, (file, make) in enumerate(makers.items()):
        assert file in caught.value.hint
        make(where := flat(tmp_path / str(number)))
        labels = resolve_labels(IMAGENET, open_location(str(where), "validation")).labels
        assert labels.tolist() == list(SHOWN)


def test_a_list_of_labels_in_the_users_own_words_is_named(tmp_path: Path) -> None:
    write(flat(tmp_path) / "val.txt", ["ILSVRC2012_val_00000001.JPEG sea snake"])
    with pytest.raises(DataError, match=r"val\.txt, line 1: .* is not a file name and a label"):
        open_location(str(tmp_path), "validation")


@pytest.mark.parametrize("file", ["meta.mat", "ILSVRC2012_devkit_t12.tar.gz"])
def test_a_damaged_devkit_is_named(tmp_path: Path, file: str) -> None:
    flat(tmp_path)
    (tmp_path / file).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    write(tmp_path / "ILSVRC2012_validation_ground_truth.txt", SHOWN) if file == "meta.mat" else None
    with pytest.raises(DataError, match=r"(meta\.mat is not a MATLAB file|t12\.tar\.gz cannot be read)"):
        open_location(str(tmp_path), "validation")


def test_kaggle_s_copy_under_a_name_of_ones_own(tmp_path: Path) -> None:
    opened = open_location(str(kaggle(tmp_path)), "test")
    seen = with_imagenet_outputs(own(tmp_path), opened)
    outputs = [member for (member,) in seen.class_map().members]
    assert outputs == sorted(SHOWN)
    assert [outputs[label] for label in resolve_labels(seen, opened).labels] == list(SHOWN)


def test_kaggle_s_training_images_are_opened_for_training(tmp_path: Path) -> None:
    folders(kaggle(tmp_path) / "ILSVRC" / "Data" / "CLS-LOC" / "train", WNIDS[:3], range(3))
    assert open_location(str(tmp_path), "train").labels == WNIDS[:3]
    assert len(open_location(str(tmp_path), "validation")) == len(SHOWN)


def test_a_folder_of_one_class_is_no_flat_copy_of_the_set(tmp_path: Path) -> None:
    (tmp_path / WNIDS[0]).mkdir()
    (tmp_path / WNIDS[0] / name(1)).write_bytes(jpeg(0))
    assert open_location(str(tmp_path), "validation").labels == [WNIDS[0]]


def test_class_folders_in_a_tar_are_dealt_one_image_a_class(tmp_path: Path) -> None:
    members = [(f"set/{label}/{k}.png", b"") for k, label in enumerate(("b", "a", "b", "a", "b", "10", "9"))]
    found = open_location(str(tar(tmp_path / "set.tar", members)), "test")
    assert found.ids == ["9/6.png", "10/5.png", "a/1.png", "b/0.png", "a/3.png", "b/2.png", "b/4.png"]
    assert found.labels == ["9", "10", "a", "b", "a", "b", "b"]


def test_of_several_splits_in_a_tar_the_benchmarks_own_is_opened(tmp_path: Path) -> None:
    members = [(f"set/{split}/{label}/{label}.png", b"") for split in ("train", "val") for label in "ba"]
    found = open_location(str(tar(tmp_path / "set.tar", members)), "validation")
    assert (found.ids, found.split) == (["a/a.png", "b/b.png"], "local files, split val")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (["set/train/a/1.png", "set/training/a/2.png"], "has the splits train, training, not 'test'"),
        (["set/a/1.png", "set/2.png"], "outside of any class folder"),
    ],
)
def test_a_tar_without_clear_classes_is_refused(tmp_path: Path, members: list[str], words: str) -> None:
    tar(tmp_path / "set.tar", [(member, b"") for member in members])
    with pytest.raises(DataError, match=words):
        open_location(str(tmp_path / "set.tar"), "test")


def test_of_a_few_classes_the_argmax_is_over_all_outputs(tmp_path: Path) -> None:
    moved = [500 if label == 5 else label for label in range(1000)]  # 500 is no class of the images
    result = evaluate(
        seeing(1000, moved, num_classes=1000),
        benchmarks=["imagenet"],
        data={"imagenet": str(folders(tmp_path / "set", [WNIDS[label] for label in (3, 5, 999)], (3, 5, 999)))},
        attacks=["none"],
        store=tmp_path / "store",
        device="cpu",
    )
    (score,) = accuracies(result.scores)
    assert (round(score.value * score.n), score.n, "argmax" in str(score.protocol)) == (2, 3, False)


class _Ids:
    def __init__(self, *sample_ids: str) -> None:
        self.sample_ids = list(sample_ids)


@pytest.mark.parametrize(
    ("corrupted", "clean", "expected"),
    [
        (["n01/val_1.JPEG", "n02/val_2.JPEG"], ["val_2.JPEG", "val_1.png"], [1, 0]),
        (["a/1.png", "b/1.png"], ["1.png", "2.png"], [-1, -1]),
        (["a/1.png"], ["b/1.png"], [-1]),
        (["a/1.jpg", "2.jpg"], ["a/1.png", "2.jpg"], [0, 1]),
    ],
)
def test_clean_images_without_class_folders_match_by_their_names(corrupted, clean, expected) -> None:
    assert np.array_equal(clean_positions(_Ids(*corrupted), _Ids(*clean)), expected)  # type: ignore[arg-type]


def test_validation_images_are_not_trained_on(tmp_path: Path) -> None:
    where = flat_with_devkit_inside(tmp_path)
    with pytest.raises(DataError, match="holds validation images, not those for training"):
        open_location(str(where), "train")
