"""Random trees of files, read as torchvision's ImageFolder and `datasets`' imagefolder read them, or as stated here.

The stated differences:

- Hidden files and folders are ignored and counted; torchvision reads them, `datasets` does not.
- More formats are read than torchvision's nine suffixes; `datasets` reads still more.
- Folders that are all numbers are indices; both others sort them as words.
- The first folder is the class, as in torchvision; in `datasets` it is the last.
- A class folder without images keeps its number, as in torchvision with `allow_empty`; `datasets` does not see it.
- Links to folders and files without a suffix are read; torchvision reads the links, `datasets` neither.
- Images beside the class folders are ignored and counted, as in torchvision; `datasets` labels them by the root's name.
"""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.class_folders import EMPTY_CLASS
from robustbench_eff.benchmarks.readers.image_files import SUFFIXES
from robustbench_eff.core.errors import DataError
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location
from world_layouts import encoded

TREES = 200
WORDS = ("b", "a", "Z", "a b", "é", "10", "9", "n01", "x-y", "ABC", "abc", "_u", "0x")
SUFFIX = (".png", ".PNG", ".jpg", ".JPEG", ".jfif", ".ppm", ".webp", ".txt", ".json", ".gif", "", ".tar.gz", ".bmp")
PICTURE = encoded(0)


def tree(root: Path, seed: int) -> Path:
    """Random class folders, some nested, linked, empty or hidden, with files of all kinds."""
    draws = np.random.default_rng(seed)
    elsewhere = root.with_name(f"{root.name}-elsewhere")
    for name in draws.choice(WORDS, size=int(draws.integers(2, 6)), replace=False):
        folder = root / str(name)
        folder.mkdir(parents=True)
        for _ in range(int(draws.integers(0, 4))):
            below = folder / str(draws.choice(["", "", "deep", "deep/er", ".hidden"]))
            if draws.random() < 0.2:
                target = elsewhere / f"{name}{draws.integers(9)}"
                target.mkdir(parents=True, exist_ok=True)
                (folder / "linked").unlink(missing_ok=True)
                (folder / "linked").symlink_to(target)
                below = folder / "linked"
            below.mkdir(parents=True, exist_ok=True)
            stem = str(draws.choice(["1", "2", "10", "photo", "._x", ".y", "ü"]))
            (below / f"{stem}{draws.choice(SUFFIX)}").write_bytes(PICTURE)
    if draws.random() < 0.3:
        (root / ".cache").mkdir()
        (root / ".cache" / "1.png").write_bytes(PICTURE)
    if draws.random() < 0.3:
        (root / "beside.png").write_bytes(PICTURE)
    return root


def read(root: Path) -> tuple[dict[str, int], int]:
    """Label of every file as this package reads them, and the number of ignored files; no label without images."""
    try:
        opened = open_location(str(root), "test")
    except DataError as error:
        assert "no images in them" in error.message
        return {}, 0
    labels = resolve_labels(build_benchmark.benchmark("mine", str(root)), opened).labels.tolist()
    return dict(zip(opened.ids, labels, strict=True)), sum(
        item.count for item in opened.ignored if item.reason != EMPTY_CLASS
    )


def is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in Path(path).parts)


def class_folders(root: Path) -> list[str]:
    return [child.name for child in root.iterdir() if child.is_dir() and not child.name.startswith(".")]


@pytest.mark.parametrize("first", range(0, TREES, 50))
def test_the_files_and_labels_of_torchvision(tmp_path: Path, first: int) -> None:
    compared = 0
    for seed in range(first, first + 50):
        root = tree(tmp_path / str(seed), seed)
        ours, ignored = read(root)
        theirs = ImageFolder(str(root), allow_empty=True)
        names = {index: name for name, index in theirs.class_to_idx.items()}
        files = {str(Path(path).relative_to(root)): names[index] for path, index in theirs.samples}
        expected = {path: name for path, name in files.items() if not is_hidden(path)}
        shared = {path: label for path, label in ours.items() if path.lower().endswith(IMG_EXTENSIONS)}
        assert shared.keys() == expected.keys()
        for path in ours.keys() - shared.keys():
            assert Path(path).suffix.lower() in SUFFIXES or not Path(path).suffix
        folders = class_folders(root)
        numbers = all(name.isdecimal() for name in folders)
        order = {name: int(name) if numbers else index for index, name in enumerate(sorted(folders))}
        assert shared == {path: order[name] for path, name in expected.items()}
        if not ours:
            continue
        everything = [path for path in root.rglob("*") if not path.is_dir()]
        linked = [path for link in root.glob("*/linked") for path in link.iterdir()]
        assert len(ours) + ignored == len(everything) + len(linked), "a file is neither read nor ignored"
        compared += len(shared)
    assert compared > 50


@pytest.mark.parametrize("first", range(0, TREES, 50))
def test_the_files_and_labels_of_datasets(tmp_path: Path, first: int) -> None:
    compared = 0
    datasets.disable_progress_bars()
    for seed in range(first, first + 50):
        root = tree(tmp_path / str(seed), seed)
        ours = {path for path in read(root)[0] if Path(path).suffix and "linked" not in Path(path).parts}
        if not ours:
            continue
        loaded = datasets.load_dataset(
            "imagefolder", data_dir=str(root), split="train", cache_dir=str(tmp_path / "cache"), drop_labels=False
        ).cast_column("image", datasets.Image(decode=False))
        names = loaded.features["label"].names
        theirs = {
            str(Path(image["path"]).relative_to(root)): names[label]
            for image, label in zip(loaded["image"], loaded["label"], strict=True)
        }
        theirs.pop("beside.png", None)
        assert theirs.keys() == ours
        assert theirs == {path: Path(path).parts[-2] for path in ours}
        if all(len(Path(path).parts) == 2 for path in ours):
            assert [name for name in names if name != root.name] == sorted({Path(path).parts[0] for path in ours})
        compared += len(ours)
    assert compared > 50
