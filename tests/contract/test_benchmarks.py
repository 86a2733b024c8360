"""Every row of the tables of benchmarks and readers passes its battery, and the batteries can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelled_sets import class_folders, flat_csv, npz, parquet
from layouts_arrays import mnist_root, npy, stl10, svhn, write_idx
from layouts_downloaded import gtsrb_of_kaggle, pets, stimuli, tiny_imagenet
from layouts_imagenet import flat_with_devkit_inside, nips, tar_of_class_folders
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.definitions.imagenet import IMAGENET_C
from robustbench_eff.benchmarks.definitions.objectnet import OBJECTNET
from robustbench_eff.benchmarks.reader import Reader
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.readers import READERS
from robustbench_eff.testing import BENCHMARK_CHECKS, READER_CHECKS
from robustbench_eff.testing import benchmarks as checks


@pytest.mark.parametrize("check", BENCHMARK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_keeps_the_contract(name: str, check: Callable[[Benchmark], None]) -> None:
    check(BENCHMARKS[name].load())


def test_a_name_is_that_of_its_benchmark() -> None:
    assert [row.load().name for row in BENCHMARKS.values()] == list(BENCHMARKS)


def cifar(folder: Path) -> Path:
    folder.mkdir()
    records = np.random.default_rng(0).integers(0, 10, (3, 3073), dtype=np.uint8)
    (folder / "test_batch.bin").write_bytes(records.tobytes())
    return folder


def made_by(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """The set that a case of the layouts writes into an empty folder."""

    def made(folder: Path) -> Path:
        folder.mkdir()
        return make(folder)

    return made


SETS: dict[str, Callable[[Path], Path]] = {
    "npz": npz,
    "cifar": cifar,
    "idx_files": lambda folder: write_idx(folder, "t10k"),
    "svhn": made_by(lambda folder: svhn(folder) / "test_32x32.mat"),
    "stl10": made_by(lambda folder: stl10(folder) / "stl10_binary"),
    "tiny_imagenet": made_by(tiny_imagenet),
    "gtsrb": made_by(gtsrb_of_kaggle),
    "listed_photos": made_by(lambda folder: pets(folder) / "oxford-iiit-pet"),
    "dataset_roots": made_by(mnist_root),
    "array_pairs": made_by(npy(x=np.zeros((2, 8, 8, 3), np.uint8), y=np.array([0, 1]))),
    "imagenet_val": made_by(flat_with_devkit_inside),
    "nips_2017": made_by(nips),
    "tar_folders": made_by(tar_of_class_folders),
    "hugging_face": parquet,
    "csv_folder": flat_csv,
    "cue_conflict_folder": made_by(stimuli),
    "class_folders": lambda folder: class_folders(folder, ["0", "1", "0"]),
}


@pytest.mark.parametrize("check", READER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", READERS)
def test_every_reader_keeps_the_contract(tmp_path: Path, name: str, check: Callable[[Reader, Path], None]) -> None:
    check(READERS[name].load(), SETS[name](tmp_path / "set"))


@pytest.mark.parametrize(
    ("check", "broken", "words"),
    [
        (checks.describes_itself, replace(DIGITS, licence=" "), "licence must be one line"),
        (checks.has_consistent_fields, replace(DIGITS, jpeg_quality=0), "jpeg_quality must be 1 to 100"),
        (checks.has_consistent_fields, replace(DIGITS, source_benchmark="digits"), "is the benchmark itself"),
        (checks.has_consistent_fields, replace(DIGITS, stylise_with="fourier"), "needs the source_benchmark"),
        (checks.has_consistent_fields, replace(OBJECTNET, geometry=Geometry(size=8)), "crop_border is ignored"),
        (checks.has_consistent_fields, replace(IMAGENET_C, geometry=None), "need the geometry"),
        (checks.numbers_its_classes_from_zero, replace(IMAGENET_C, num_classes=999), "outside of 0 to 998"),
        (checks.numbers_its_classes_from_zero, replace(OBJECTNET, class_index=dict, num_classes=9), "has 113 classes"),
        (checks.opens_or_names_where_to_get_it, replace(DIGITS, open_bundled=None, download_url=""), "is empty"),
        (
            checks.opens_or_names_where_to_get_it,
            replace(DIGITS, open_bundled=lambda: replace(open_digits(), ids=["a"] * 360)),
            "the same id",
        ),
    ],
)
def test_a_broken_benchmark_fails(check: Callable[[Benchmark], None], broken: Benchmark, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check(broken)


def broken_readers() -> dict[str, Reader]:
    """One reader per check, which only that check needs to notice."""
    good: Reader = READERS["npz"].load()
    calls = []

    def again(path: Path, split: str):
        calls.append(path)
        return replace(good.open(path, split), stamp=str(len(calls)))

    return {
        "understands_its_files": replace(good, understands=lambda path: False),
        "leaves_other_paths_alone": replace(good, understands=lambda path: True),
        "lists_labelled_images": replace(good, open=lambda path, split: replace(good.open(path, split), labels=[0])),
        "lists_the_same_images_again": replace(good, open=again),
        "notices_changed_files": replace(good, open=lambda path, split: replace(good.open(path, split), stamp="x")),
    }


@pytest.mark.parametrize("check", READER_CHECKS, ids=lambda check: check.__name__)
def test_a_broken_reader_fails(tmp_path: Path, check: Callable[[Reader, Path], None]) -> None:
    with pytest.raises(AssertionError):
        check(broken_readers()[check.__name__], npz(tmp_path / "set"))
