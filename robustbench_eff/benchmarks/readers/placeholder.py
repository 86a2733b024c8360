"""Files that stand where a download should be: web pages, pointers of git LFS, empty files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import check_file

_HEAD_BYTES = 512
"""Number of bytes that are looked at."""
_PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml version")
_LFS_START = b"version https://git-lfs.github.com/spec/"


class Placeholder(NamedTuple):
    """What a file is in place of the expected one."""

    what: str
    """End of a sentence that begins with the name of the file, such as "is empty"."""
    remedy: str
    """What to do."""


def placeholder_in(content: bytes) -> Placeholder | None:
    """Return what stands in place of a download, or None for anything else.

    Args:
        content: The file, or its first 512 bytes.
    """
    if not content:
        return Placeholder("is empty (0 bytes)", "Download it again.")
    head = content[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(_PAGE_STARTS):
        return Placeholder("is a web page", "Download it again; the site may ask for a login or a confirmation.")
    if content.startswith(_LFS_START):
        return Placeholder("is a pointer of git LFS, not the file itself", "Run `git lfs pull` in its repository.")
    return None


def refuse_placeholder(path: Path) -> None:
    """Refuse a file that stands in place of a download, or that never ends.

    Args:
        path: A file; a folder or a path that does not exist is left alone.

    Raises:
        DataError: The file is empty, a web page, a pointer of git LFS, a named pipe or a device.
    """
    if path.is_dir() or not path.exists():
        return
    check_file(path)
    with path.open("rb") as file:
        placeholder = placeholder_in(file.read(_HEAD_BYTES))
    if placeholder is not None:
        raise DataError(f"{path} {placeholder.what}.", placeholder.remedy)
