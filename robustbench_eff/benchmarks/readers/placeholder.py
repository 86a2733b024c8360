"""Files that stand where a download should be: web pages, pointers of git LFS, empty files."""

from __future__ import annotations

from pathlib import Path

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.file_kinds import HEAD_BYTES, placeholder_in
from robustbench_eff.core.outside_files import check_file


def refuse_placeholder(path: Path) -> None:
    """Refuse a file that stands in place of a download, or that never ends.

    Args:
        path: A file; a folder, and a path that does not exist, are left alone.

    Raises:
        DataError: It is a named pipe or a device, or the file is empty, a web page or a pointer of git LFS.
    """
    if not path.exists() or path.is_dir():
        return
    check_file(path)
    with path.open("rb") as file:
        placeholder = placeholder_in(file.read(HEAD_BYTES))
    if placeholder is not None:
        raise DataError(f"{path} {placeholder.what}.", placeholder.remedy)
