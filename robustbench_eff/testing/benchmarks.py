"""The batteries that every benchmark and every reader passes; exported by `robustbench_eff.testing` for plugins."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.data_fingerprint import content_of, digest
from robustbench_eff.benchmarks.labelled_images import plain_labels
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.reader import Reader
from robustbench_eff.benchmarks.readers.decode import decode

SPLIT = "test"
"""Split that the checks ask a reader for."""


def describes_itself(benchmark: Benchmark) -> None:
    """Check that name, title, label space, licence and size are single lines of text.

    Args:
        benchmark: The benchmark to check.
    """
    for field in ("name", "title", "label_space", "licence", "size"):
        value = getattr(benchmark, field)
        assert value.strip() and "\n" not in value, f"{field} must be one line, got {value!r}"


def has_consistent_fields(benchmark: Benchmark) -> None:
    """Check that no field contradicts another.

    Args:
        benchmark: The benchmark to check.
    """
    source, quality = benchmark.source_benchmark, benchmark.jpeg_quality
    assert source != benchmark.name, "source_benchmark is the benchmark itself"
    assert quality is None or 1 <= quality <= 100, f"jpeg_quality must be 1 to 100, got {quality}"
    assert benchmark.crop_border >= 0, f"crop_border must be at least 0, got {benchmark.crop_border}"
    assert not (benchmark.crop_border and benchmark.geometry), "crop_border is ignored: put border= into the geometry"
    if benchmark.layout is not None:
        assert source is not None, "published files need the source_benchmark of their clean images"
        assert benchmark.geometry is not None, "published files need the geometry that they have"
        assert benchmark.stylise_with is None, "published files are not stylised"
    if benchmark.stylise_with is not None:
        assert source is not None, "stylise_with needs the source_benchmark of the clean images"


def numbers_its_classes_from_zero(benchmark: Benchmark) -> None:
    """Check that class names and the class map agree with the number of classes.

    Args:
        benchmark: The benchmark to check.
    """
    classes, index_of = benchmark.num_classes, benchmark.class_index()
    assert classes is None or classes >= 2, f"num_classes must be at least 2, got {classes}"
    assert classes is not None or not index_of, "a benchmark that names its classes needs num_classes"
    outside = {name: index for name, index in index_of.items() if not 0 <= index < (classes or 0)}
    assert not outside, f"class indices outside of 0 to {(classes or 0) - 1}: {outside}"
    if benchmark.class_map is not None:
        members = len(benchmark.class_map().members)
        assert members == classes, f"the class map has {members} classes, the benchmark {classes}"


def opens_or_names_where_to_get_it(benchmark: Benchmark) -> None:
    """Check that the installed copy has images with valid labels, or that the user learns where to get them.

    Args:
        benchmark: The benchmark to check.
    """
    if benchmark.open_bundled is None:
        assert benchmark.download_url.strip(), "download_url is empty"
        return
    opened = benchmark.open_bundled()
    assert len(set(opened.ids)) == len(opened.ids), "two samples have the same id"
    assert len(resolve_labels(benchmark, opened).labels) == len(opened) > 0
    decode(content_of(opened, 0), opened.ids[0])


BENCHMARK_CHECKS: tuple[Callable[[Benchmark], None], ...] = (
    describes_itself,
    has_consistent_fields,
    numbers_its_classes_from_zero,
    opens_or_names_where_to_get_it,
)
"""Checks of a definition. Each raises AssertionError with what does not hold."""


def understands_its_files(reader: Reader, path: Path) -> None:
    """Check that the reader recognizes a path of its format.

    Args:
        reader: The reader to check.
        path: A small set in its format.
    """
    assert reader.understands(path) is True, f"does not understand {path}"


def leaves_other_paths_alone(reader: Reader, path: Path) -> None:
    """Check that the reader declines paths of other formats, without an error.

    Args:
        reader: The reader to check.
        path: Not used.
    """
    del path
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        (folder / "notes").mkdir()
        (folder / "notes" / "readme.txt").write_text("Nothing to see here.\n")
        for other in (folder / "empty", folder / "notes", folder / "notes" / "readme.txt", folder / "absent"):
            assert reader.understands(other) is False, f"takes {other.name!r} for its format"


def lists_labelled_images(reader: Reader, path: Path) -> None:
    """Check that every image has a unique id, a label and a texture where any has one, and that all can be decoded.

    Args:
        reader: The reader to check.
        path: A small set in its format.
    """
    opened = reader.open(path, SPLIT)
    assert len(opened) > 0, "lists no images"
    assert len(set(opened.ids)) == len(opened.ids), "two images have the same id"
    assert len(opened.labels) == len(opened.ids), f"{len(opened.ids)} images have {len(opened.labels)} labels"
    assert opened.textures is None or len(opened.textures) == len(opened.ids), "some images lack a texture"
    assert opened.stamp, "the stamp is empty"
    plain_labels(opened)
    for position, identifier in enumerate(opened.ids):
        content = content_of(opened, position)
        if isinstance(content, np.ndarray):
            assert content.dtype == np.uint8 and content.ndim == 3 and content.shape[2] == 3, f"{identifier}: pixels"
        decode(content, identifier)


def lists_the_same_images_again(reader: Reader, path: Path) -> None:
    """Check that ids, labels, bytes and stamp are the same when files are opened again.

    Args:
        reader: The reader to check.
        path: A small set in its format.
    """
    first, second = reader.open(path, SPLIT), reader.open(path, SPLIT)
    assert first.ids == second.ids, "the ids differ"
    assert plain_labels(first) == plain_labels(second), "the labels differ"
    assert first.stamp == second.stamp, "the stamps differ"
    for position in range(len(first)):
        assert digest(first.read(position)) == digest(second.read(position)), f"{first.ids[position]} differs"


def notices_changed_files(reader: Reader, path: Path) -> None:
    """Check that the stamp changes when the files are written again.

    Args:
        reader: The reader to check.
        path: A small set in its format, of which a copy is changed.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / path.name
        shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
        before = reader.open(copy, SPLIT).stamp
        for file in copy.rglob("*") if copy.is_dir() else (copy,):
            os.utime(file, (1, 1))
        assert reader.open(copy, SPLIT).stamp != before, "the stamp does not depend on the time of the files"


READER_CHECKS: tuple[Callable[[Reader, Path], None], ...] = (
    understands_its_files,
    leaves_other_paths_alone,
    lists_labelled_images,
    lists_the_same_images_again,
    notices_changed_files,
)
"""Checks of a reader with a small set in its format. Each raises AssertionError with what does not hold."""
