"""The labels of ILSVRC 2012's development kit, whose numbers have an order of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_archives import files_of_tar
from robustbench_eff.core.outside_files import as_text, read_bytes, read_text

from .matlab_files import parse_matlab

ARCHIVE = "ILSVRC2012_devkit_t12.tar.gz"
"""Name of the kit as it is downloaded."""
GROUND_TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
"""Its file with a number for each validation image, and the one that says which wnid each number stands for."""


def wnids_of_folder(ground_truth: Path) -> list[str]:
    """Return the wnid of every validation image, in the order of the images.

    Args:
        ground_truth: The file of the unpacked kit, next to its `meta.mat`.

    Raises:
        DataError: `meta.mat` is missing, or the two do not fit.
    """
    meta = ground_truth.with_name(META)
    if not meta.is_file():
        raise DataError(
            f"{ground_truth} holds the devkit's own numbers, which are not those of a model's outputs.",
            f"Put the devkit's {META} next to it: it says which wnid each number stands for.",
        )
    return _wnids(read_text(ground_truth), parse_matlab(read_bytes(meta), str(meta)), str(meta))


def wnids_of_archive(path: Path) -> list[str]:
    """Return the wnid of every validation image, in the order of the images.

    Args:
        path: The kit as it is downloaded.

    Raises:
        DataError: A file is missing in it, or the two do not fit.
    """
    contents: dict[str, bytes] = {}
    for file in files_of_tar(path, (GROUND_TRUTH, META)):
        name = PurePosixPath(file.name).name
        if name in (GROUND_TRUTH, META) and file.content is not None:
            contents[name] = file.content
    if missing := {GROUND_TRUTH, META} - contents.keys():
        raise DataError(f"{path} does not hold {min(missing)}.", f"Download {ARCHIVE} again.")
    name = f"{META} in {path}"
    return _wnids(as_text(contents[GROUND_TRUTH], str(path)), parse_matlab(contents[META], name), name)


def _wnids(ground_truth: str, meta: Mapping[str, Any], name: str) -> list[str]:
    """The wnid of every number in the ground truth; `name` says where the table of the numbers is from."""
    try:
        wnid_of = {int(row["ILSVRC2012_ID"].item()): str(row["WNID"]) for row in meta["synsets"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{name} does not hold the numbers and wnids of `synsets`.", "Download it again.") from error
    numbers = [int(line) for line in ground_truth.split()]
    if unknown := sorted(set(numbers) - wnid_of.keys()):
        raise DataError(f"{name} does not know the number {unknown[0]}.", "Take both files from the same devkit.")
    return [wnid_of[number] for number in numbers]
