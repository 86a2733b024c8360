"""Sets that `robust-eval corrupt` wrote from a user's own images, read again under a name of the user's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import read_json
from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages
from ..readers.image_files import RECORD
from .published import IMAGE_FOLDERS

_SEVERITY = re.compile(r"\w+/[1-5]")


def written_set(name: str, place: str) -> Benchmark | None:
    """Return the benchmark of a folder that `robust-eval corrupt` wrote; None for any other place.

    Args:
        name: The user's name for the set.
        place: Its location.

    Raises:
        DataError: The folder was written from ImageNet or CIFAR, and has the name of a published benchmark; or its
            record is damaged.
    """
    file = Path(place) / RECORD
    try:
        record = read_json(file) if file.exists() else {}
        if not any(_SEVERITY.fullmatch(key) for key in record):
            return None
        if "classes" not in record:
            published = str(record["benchmark"]).removesuffix("-generated")
            raise DataError(
                f"{place} holds corrupted images of {published}.",
                f"Read them with --benchmark {published} --data {published}={place}.",
            )
        index_of: dict[str, int] = record["classes"]
        names = tuple(record["class_names"])
        height, width = record["size"]
        source, constants = str(record["benchmark"]), str(record["constants"])
        if source == name:
            raise DataError(
                f"{place} holds corrupted images that were made from {name}.",
                f"Give them a name of their own: --benchmark {name}-c --suite corruptions --data {name}-c={place}.",
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file} cannot be read: {type(error).__name__}: {error}.", "Write the set again.") from error
    return Benchmark(
        name=name,
        title=f"corrupted images of {source}, the user's own",
        label_space=f"custom:{name}",
        licence="the user's",
        download_url=place,
        size="",
        num_classes=None,
        source_benchmark=source,
        geometry=Geometry(size=(height, width), mode="none"),
        layout=replace(IMAGE_FOLDERS, constants=constants, open=partial(_open, index_of, names)),
    )


def _open(index_of: Mapping[str, int], names: tuple[str, ...], folder: Path, level: int) -> LabelledImages:
    """Open the class folders of a severity, with the classes in the order of the images they were made from."""
    opened = IMAGE_FOLDERS.open(folder, level)
    if unknown := sorted(set(opened.labels) - index_of.keys()):
        raise DataError(f"{folder} has a class folder {unknown[0]!r} that {RECORD} does not name.", "Remove it.")
    indices = [index_of[label] for label in opened.labels]
    order = f"in the order of {RECORD}"
    return replace(
        opened,
        labels=[names[index] for index in indices] if names else indices,
        class_names=names,
        class_order=order if names else f"labels as numbers {order}",
    )
