"""The files of a local copy of a hub dataset: none is fetched from elsewhere, and each of them is in the stamp."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import parse_yaml, read_text

from ..labelled_images import file_stamp

_DESCRIPTIONS = ("README.md", ".huggingface.yaml")
"""Files of a folder in which `datasets` looks for the names of its data files."""
_REMOTE = re.compile(r"\w+://|::")
"""In the names of files on other machines, or in archives."""


@contextmanager
def local_only() -> Iterator[None]:
    """Keep `datasets` from asking the hub, even to count downloads, and from drawing progress bars."""
    import datasets

    was_offline, were_disabled = datasets.config.HF_HUB_OFFLINE, datasets.are_progress_bars_disabled()
    datasets.config.HF_HUB_OFFLINE = True
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = was_offline
        if not were_disabled:
            datasets.enable_progress_bars()


def refuse_remote_files(folder: Path) -> None:
    """Refuse a folder whose description says that its data files are on other machines, or in archives.

    Args:
        folder: A copy of a hub dataset.

    Raises:
        DataError: A data file is named by an address, or the description is not YAML.
    """
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    for name in _DESCRIPTIONS:
        if not (file := folder / name).is_file():
            continue
        text = read_text(file)
        if file.suffix == ".md":
            block = re.search(REGEX_YAML_BLOCK, text)
            text = block[2] if block else ""
        described = parse_yaml(text, str(file)) if text else None
        configurations = described.get("configs") if isinstance(described, dict) else None
        if remote := next((each for each in _texts(configurations) if _REMOTE.search(each)), None):
            raise DataError(
                f"{file} says that the images are in {remote}; nothing is fetched for a local folder.",
                "Pass a single data file of the folder, or download what it names and pass that.",
            )


def _texts(value: Any) -> Iterator[str]:
    """Every text within lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def named_images(dataset: Any, column: str, origin: str) -> list[Path]:
    """Return the image files that rows name in place of holding an image.

    Args:
        dataset: A dataset of `datasets`.
        column: Its column of images, cast to undecoded images.
        origin: Where it comes from, for messages.

    Raises:
        DataError: A row names an image on another machine.
    """
    found: dict[str, None] = {}
    for chunk in dataset.data.column(column).chunks:
        if pa.types.is_struct(chunk.type):
            without = pc.is_null(pc.struct_field(chunk, "bytes"))
            found.update(dict.fromkeys(pc.struct_field(chunk, "path").filter(without).drop_null().to_pylist()))
    if remote := next(filter(_REMOTE.search, found), None):
        raise DataError(
            f"{origin} names the image {remote}; images on other machines are not fetched.",
            "Download them, and store their bytes or local paths.",
        )
    return [Path(name) for name in found]


def stamp_of(files: Iterable[Path]) -> str:
    """Return the stamps of some files, of which one that does not exist has a stamp, too.

    Args:
        files: The files.
    """
    return "\n".join(file_stamp(file) if file.exists() else f"{file} is absent" for file in files)
