"""Hub datasets of natural shifts in the shapes they were recorded with: columns, kinds of labels, names of files."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from labelled_sets import png
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_benchmark, open_location

GOLDFINCH, STINGRAY = "n01531178", "n01498041"


def subset(letter: str) -> list[str]:
    name = f"imagenet_{letter}_classes.json"
    return json.loads((files("robustbench_eff") / "facts" / name).read_text())["wnids"]


def saved(folder: Path, columns: dict, features: dict, names: list[str] | None = None) -> str:
    """A dataset of two images as `save_to_disk` leaves it."""
    from datasets import Dataset, Features
    from datasets import Image as ImageFeature

    images = [{"bytes": png(row), "path": None if names is None else names[row]} for row in range(2)]
    kinds = Features({"image": ImageFeature(), **features})
    Dataset.from_dict({"image": images, **columns}, features=kinds).save_to_disk(str(folder))
    return str(folder)


def test_imagenet_a_with_class_labels_named_by_wnid(tmp_path: Path) -> None:
    """barkermrl/imagenet-a: image, label; 0 to 199, whose names are wnids."""
    from datasets import ClassLabel

    wnids = subset("a")
    labels = [wnids.index(GOLDFINCH), wnids.index(STINGRAY)]
    where = saved(tmp_path / "a", {"label": labels}, {"label": ClassLabel(names=wnids)})
    for name, expected in (("imagenet-a", labels), ("imagenet-a-1000way", [11, 6])):
        row = build_benchmark.benchmark(name)
        assert resolve_labels(row, open_benchmark(row, where)).labels.tolist() == expected


def test_imagenet_a_numbered_without_names(tmp_path: Path) -> None:
    """clip-benchmark/wds_imagenet-a: cls from 0 to 199, in the order of sorted wnids."""
    from datasets import Value

    position = subset("a").index(GOLDFINCH)
    where = saved(tmp_path / "a", {"cls": [position, 199]}, {"cls": Value("int64")})
    row = build_benchmark.benchmark("imagenet-a-1000way")
    labels = resolve_labels(row, open_benchmark(row, where)).labels.tolist()
    assert labels == [11, build_benchmark.benchmark("imagenet").class_index()[subset("a")[199]]]


def test_imagenet_r_with_a_column_of_wnids(tmp_path: Path) -> None:
    """axiong/imagenet-r: image, wnid, class_name."""
    from datasets import Value

    columns = {"wnid": [GOLDFINCH, STINGRAY], "class_name": ["goldfinch", "stingray"]}
    where = saved(tmp_path / "r", columns, {"wnid": Value("string"), "class_name": Value("string")})
    row = build_benchmark.benchmark("imagenet-r")
    labels = resolve_labels(row, open_benchmark(row, where)).labels.tolist()
    assert [subset("r")[label] for label in labels] == [GOLDFINCH, STINGRAY]


def test_class_labels_whose_names_are_numbers_in_the_order_of_words(tmp_path: Path) -> None:
    """What an image folder of ImageNet-V2 becomes: class 2 stands at position 112."""
    from datasets import ClassLabel

    names = sorted(map(str, range(1000)))
    where = saved(tmp_path / "v2", {"label": [names.index("2"), names.index("10")]}, {"label": ClassLabel(names=names)})
    row = build_benchmark.benchmark("imagenetv2-matched-frequency")
    assert resolve_labels(row, open_benchmark(row, where)).labels.tolist() == [2, 10]


def test_a_texture_beside_a_label_is_no_cue_conflict(tmp_path: Path) -> None:
    from datasets import Value

    kinds = {"label": Value("int64"), "texture": Value("int64")}
    opened = open_location(saved(tmp_path / "set", {"label": [0, 1], "texture": [7, 8]}, kinds), "test")
    assert opened.textures is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ILSVRC2012_val_00000001.JPEG", "a/ILSVRC2012_val_00000002.JPEG"], ["00000001.JPEG", "00000002.JPEG"]),
        (None, ["00000000", "00000001"]),
        (["same.JPEG", "same.JPEG"], ["00000000", "00000001"]),
    ],
)
def test_samples_are_named_by_their_files_where_these_have_names(
    tmp_path: Path, names: list[str] | None, expected: list[str]
) -> None:
    """ReaL labels go by the names of ImageNet's validation images."""
    from datasets import Value

    where = saved(tmp_path / "set", {"label": [0, 1]}, {"label": Value("int64")}, names)
    opened = open_benchmark(build_benchmark.benchmark("imagenet"), where)
    assert [name.removeprefix("ILSVRC2012_val_") for name in opened.ids] == expected
