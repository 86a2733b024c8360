"""The image files below a folder: every file is listed, or counted as ignored with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import read_bytes

from ..labelled_images import IgnoredFiles, LabelledImages, file_stamp

_JPEG, _NETPBM, _JPEG_2000 = {".jpg", ".jpeg", ".jpe", ".jfif"}, {".ppm", ".pgm", ".pbm", ".pnm"}, {".jp2", ".j2k"}
_OTHERS = {".png", ".apng", ".webp", ".avif", ".bmp", ".dib", ".tif", ".tiff", ".gif", ".tga"}
SUFFIXES = frozenset(_JPEG | _NETPBM | _JPEG_2000 | _OTHERS)
"""Suffixes of image files that can be decoded."""
NOT_DECODED = frozenset(
    {".heic", ".heif", ".jxl", ".svg", ".psd", ".cr2", ".nef", ".arw", ".dng", ".dcm", ".mp4", ".npy"}
)
"""Suffixes of files with pictures in a format that cannot be decoded."""
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF")
"""First bytes of JPEG, PNG, GIF, BMP and WebP files, by which files without a suffix are recognised."""
RECORD = "made-from.json"
"""File that records what the images of a folder were made from, and how."""
MAX_IMAGE_BYTES = 2**30
"""Largest file with an image, in bytes."""
HIDDEN = (".", "__MACOSX", "@eaDir")
"""Beginnings of the names of hidden files and folders; `@eaDir` is what Synology's storage writes."""


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files below a folder."""

    images: list[Path]
    """The image files in sorted order; a dangling link is among them, so that reading it names it."""
    ignored: list[tuple[str, Path]]
    """Every other file, after the reason why it is not read."""


def find_images(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> FoundFiles:
    """List the files at any depth below a folder; links to folders are followed.

    Args:
        folder: The folder to search.
        suffixes: Suffixes of the files to read, in lower case.
    """
    images: list[Path] = []
    ignored: list[tuple[str, Path]] = []
    for path, reason in _files(folder, frozenset()):
        if reason := reason or _reason_to_ignore(path, suffixes):
            ignored.append((reason, path))
        else:
            images.append(path)
    return FoundFiles(sorted(images), sorted(ignored))


def holds_images(folder: Path) -> bool:
    """Return True where an image file lies at any depth below a folder, hidden ones left out.

    Args:
        folder: The folder to search.
    """
    return any(not (hidden or _reason_to_ignore(path, SUFFIXES)) for path, hidden in _files(folder, frozenset()))


def summary(ignored: Iterable[tuple[str, PurePath]], folder: PurePath) -> tuple[IgnoredFiles, ...]:
    """Return ignored files, counted by their reason.

    Args:
        ignored: Each file after its reason.
        folder: Folder that holds all of them.
    """
    examples: dict[str, PurePath] = {}
    counts: dict[str, int] = {}
    for reason, path in ignored:
        examples.setdefault(reason, path)
        counts[reason] = counts.get(reason, 0) + 1
    return tuple(
        IgnoredFiles(reason, counts[reason], examples[reason].relative_to(folder).as_posix())
        for reason in sorted(counts, key=lambda reason: (-counts[reason], reason))
    )


def from_paths(folder: Path, paths: list[Path], labels: list[str]) -> LabelledImages:
    """Return image files with one label each; ids are the paths below the folder.

    Args:
        folder: A folder that holds all files.
        paths: The files.
        labels: Label of each file.

    Raises:
        DataError: Two of the paths are one file, through a link.
    """
    ids = [path.relative_to(folder).as_posix() for path in paths]
    stamps = [file_stamp(path) for path in paths]
    first: dict[str, str] = {}
    for name, stamp in zip(ids, stamps, strict=True):
        if first.setdefault(stamp, name) != name:
            raise DataError(
                f"{folder}: {first[stamp]} and {name} are one file, through a link.",
                "Remove one of them: the image would count twice.",
            )
    return LabelledImages(
        origin=str(folder),
        ids=ids,
        labels=list(labels),
        read=lambda position: read_image(paths[position]),
        stamp="\n".join(stamps),
    )


def read_image(path: Path) -> bytes:
    """Return the bytes of an image file.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be read, is no regular file, such as a named pipe, or is larger than `MAX_IMAGE_BYTES`.
    """
    return read_bytes(path, limit=MAX_IMAGE_BYTES)


def _files(folder: Path, above: frozenset[Path]) -> Iterator[tuple[Path, str]]:
    """Yield every file with the reason to ignore it that its folder gives, which is empty for most.

    Args:
        folder: Folder to search.
        above: The folder's real path and those of all folders above it.
    """
    real = folder.resolve()
    if real in above:
        yield folder, "a link to a folder that contains it"
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path, hidden = Path(entry.path), "hidden" if entry.name.startswith(HIDDEN) else ""
            if entry.is_dir():
                yield from ((file, hidden or reason) for file, reason in _files(path, above | {real}))
            else:
                yield path, hidden


def _reason_to_ignore(path: Path, suffixes: frozenset[str]) -> str:
    """Return why a file is not read; empty for an image."""
    suffix = path.suffix.lower()
    if suffix in suffixes or (not suffix and _begins_as_an_image(path)):
        return ""
    if suffix in NOT_DECODED:
        return f"in a format that is not decoded ({suffix})"
    return f"not an image ({suffix or 'no suffix'})"


def _begins_as_an_image(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8).startswith(_BEGINNINGS)
