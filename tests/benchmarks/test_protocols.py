"""The protocol of an image set has fields, and prints as one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelled_sets import COUNT, npz
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.lazy_images import prepare_published
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.generation.cue_conflict import open_conflicts
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_benchmark

IMAGENET_SIZE = Geometry(size=224, resize=256, interpolation="bilinear")


def photographs(folder: Path, *classes: str) -> Path:
    """Two images per class, of 30 x 32 pixels."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (30, 32), (40 * number, 90, 9)).save(folder / name / f"{number}.png")
    return folder


def protocol(name: str, location: Path, geometry: Geometry, limit: int | None = None) -> Protocol:
    benchmark = build_benchmark.benchmark(name, str(location))
    return prepare(benchmark, open_benchmark(benchmark, str(location)), geometry, limit=limit).protocol


def test_a_limit_is_in_the_sentence(tmp_path: Path) -> None:
    whole, geometry = npz(tmp_path / "set"), Geometry(size=8, mode="none")
    assert str(protocol("mine", whole, geometry)) == f"local files, {COUNT} images, labels as numbers, 8×8 as it is"
    assert (
        str(protocol("mine", whole, geometry, limit=COUNT))
        == f"local files, {COUNT} images, labels as numbers, 8×8 as it is"
    )
    limited = protocol("mine", whole, geometry, limit=3)
    assert (limited.split, limited.count, limited.total, limited.excluded) == ("local files", 3, COUNT, 0)
    assert str(limited) == "local files, first 3 of 6 images, labels as numbers, 8×8 as it is"


def test_images_of_other_classes_and_the_class_map_are_in_the_sentence(tmp_path: Path) -> None:
    clean = photographs(tmp_path / "clean", "n01498041", "n01440764", "n01531178")
    geometry = Geometry(size=16, mode="squash")
    found = protocol("imagenet-r-clean", clean, geometry, limit=3)
    assert (found.count, found.total, found.excluded) == (3, 4, 2)
    assert found.classes == "argmax over 200 of 1000 outputs"
    assert str(found) == (
        "local files, first 3 of 4 images (2 of other classes left out), argmax over 200 of 1000 outputs, "
        "squashed to 16×16, bicubic"
    )


@pytest.mark.parametrize(
    ("model", "words"),
    [(IMAGENET_SIZE, ""), (Geometry(size=160, interpolation="bicubic"), ", then 160×160, bicubic")],
)
def test_jpeg_quality_and_the_size_of_the_model_are_in_the_sentence(
    tmp_path: Path, model: Geometry, words: str
) -> None:
    clean = photographs(tmp_path / "clean", "n01498041")
    found = protocol("imagenet-c-generated", clean, model)
    assert (found.jpeg_quality, found.geometry) == (85, "short side 256, centre 224×224, bilinear")
    sentence = "local files, 2 images, short side 256, centre 224×224, bilinear, corrupted ones saved as JPEG 85"
    assert str(found) == sentence + words


def test_a_border_that_is_cut_off_is_in_the_sentence(tmp_path: Path) -> None:
    objects = photographs(tmp_path / "objects", "alarm_clock")
    assert str(protocol("objectnet", objects, Geometry(size=8))) == (
        "local files, 2 images, 113 classes by the best of 125 of 1000 outputs, "
        "border of 2 cut off, short side 8, centre 8×8, bicubic"
    )


def test_a_source_with_several_commas_stays_one_split() -> None:
    assert str(Protocol(split="mine, nine in ten", count=2, geometry="8×8 as it is")) == (
        "mine, nine in ten, 2 images, 8×8 as it is"
    )


def test_cue_conflict_images_name_their_styliser() -> None:
    benchmark = build_benchmark.benchmark("digits-cue-conflict")
    found = prepare(benchmark, open_conflicts(benchmark, {}), Geometry(size=64), limit=40).protocol
    assert found.split == "digits test with textures of other classes by random_phase(scale=0.06)"
    assert str(found) == f"{found.split}, first 40 of 360 images, 32×32 as it is, then 64×64, bicubic"


def test_the_names_of_stimuli_give_their_classes(tmp_path: Path) -> None:
    (tmp_path / "set" / "cat").mkdir(parents=True)
    Image.new("RGB", (224, 224)).save(tmp_path / "set" / "cat" / "cat4-truck3.png")
    assert str(protocol("cue-conflict", tmp_path / "set", IMAGENET_SIZE)) == (
        "local files, 1 images, 16 classes by the mean probability of 207 of 1000 outputs, 224×224 as it is"
    )


def published(benchmark: Benchmark, location: Path, model: Geometry, limit: int | None = None) -> Protocol:
    assert benchmark.layout is not None
    opened = benchmark.layout.open(location, 1)
    return prepare_published(benchmark, opened, model, limit=limit).protocol


def test_published_files_are_what_they_are(tmp_path: Path) -> None:
    np.save(tmp_path / "fog.npy", np.zeros((20, 32, 32, 3), np.uint8))
    np.save(tmp_path / "labels.npy", np.tile(np.arange(4), 5))
    benchmark = build_benchmark.benchmark("cifar10-c")
    found = published(benchmark, tmp_path / "fog.npy", Geometry(size=32, mode="none"))
    assert str(found) == "published files, 4 images, 32×32 as it is"
    resized = published(benchmark, tmp_path / "fog.npy", Geometry(size=64), limit=3)
    assert str(resized) == "published files, first 3 of 4 images, 32×32 as it is, then 64×64, bicubic"
    assert resized.jpeg_quality is None
