"""Sets that `robust-eval corrupt` wrote from a user's own images, read again under a name of the user's."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from .published import IMAGE_FOLDERS

RECORD = "made-from.json"
"""File that records what the images of a folder were made from, and how."""
_SEVERITY = re.compile(r"\w+/[1-5]")
_WNID = re.compile(r"n\d{8}")


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
        record = json.loads(file.read_text()) if file.is_file() else {}
        if not any(_SEVERITY.fullmatch(key) for key in record):
            return None
        if "classes" not in record:
            published = str(record["benchmark"]).removesuffix("-generated")
            raise DataError(
                f"{place} holds corrupted images of {published}.",
                f"Read them with --benchmark {published} --data {published}={place}.",
            )
        classes: dict[str, int] = record["classes"]
        num_classes: int | None = record["num_classes"]
        height, width = record["size"]
        source, constants = str(record["benchmark"]), str(record["constants"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be read: {type(error).__name__}: {error}.", "Write the set again.") from error
    # Of a classifier of ImageNet, outputs are found by the wnids of the folders, as for the clean images.
    is_open = num_classes is None or all(map(_WNID.fullmatch, classes))
    return Benchmark(
        name=name,
        title=f"corrupted images of {source}, the user's own",
        label_space=f"custom:{name}",
        licence="the user's",
        download_url=place,
        size="",
        num_classes=None if is_open else num_classes,
        class_index=dict if is_open else classes.copy,
        source_benchmark=source,
        geometry=Geometry(size=(height, width), mode="none"),
        layout=replace(IMAGE_FOLDERS, constants=constants),
    )
