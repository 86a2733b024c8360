"""Write a site into its folder: files of an earlier site are removed, foreign files are left alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from robustbench_eff.core.disk import atomic_write
from robustbench_eff.core.errors import UsageError

FIRST_PAGE = "index.html"
MARK = "robust-eval-site.txt"
"""File that lists all files of the site; a folder with it may be written again."""
ABOUT = f"Written by `robust-eval leaderboard site`, which replaces the files named below. Open {FIRST_PAGE}.\n\n"
HINT = "Choose another --out."


def earlier(out: Path) -> set[str]:
    """Return the names of the files of the site in a folder; an empty set for a new or empty folder.

    Args:
        out: The folder.

    Raises:
        UsageError: The folder holds something else, or its list names files outside of it.
    """
    mark = out / MARK
    if not mark.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} holds something that is not a site.", HINT)
        return set()
    names = mark.read_text(encoding="utf-8", errors="replace").partition("\n\n")[2].split("\n")
    if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in names):
        raise UsageError(f"{mark} names files outside of the folder.", HINT)
    return {name for name in names if name}


def put(files: Mapping[str, bytes], out: Path) -> None:
    """Write files, each completely or not at all, and remove those of an earlier site.

    Args:
        files: Contents by name in the folder.
        out: The folder.

    Raises:
        UsageError: A link or a foreign file is in the way; nothing has been written.
    """
    old = earlier(out)
    _check_paths(out, old, files)
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(out / MARK, _listed(old | files.keys()))  # an interrupted site lists all files that it wrote
    for name in sorted(files, key=lambda name: name == FIRST_PAGE):  # last, because it links to the others
        atomic_write(out / name, files[name])
    for name in sorted(old - files.keys()):
        _remove(out, name)
    atomic_write(out / MARK, _listed(files))


def _check_paths(out: Path, old: Collection[str], files: Mapping[str, bytes]) -> None:
    """Refuse links, and files that the site did not write."""
    for path in _paths(out, {MARK, *old, *files}):
        if path.is_symlink():
            raise UsageError(
                f"{path} is a link, and may lead out of the folder.", "Remove it, or choose another --out."
            )
    for name in sorted(files):
        if name not in old and (out / name).exists():
            raise UsageError(
                f"{out / name} is in the way and does not belong to the site.", "Remove it, or choose another --out."
            )


def _paths(out: Path, names: Collection[str]) -> Iterator[Path]:
    """Yield the files, and their folders below `out`."""
    below = {above for name in names for above in (PurePosixPath(name), *PurePosixPath(name).parents)}
    yield from (out / path for path in sorted(below - {PurePosixPath()}))


def _listed(names: Collection[str]) -> bytes:
    return (ABOUT + "".join(f"{name}\n" for name in sorted(names))).encode()


def _remove(out: Path, name: str) -> None:
    """Remove a file, and the folders that become empty."""
    (out / name).unlink(missing_ok=True)
    for folder in (out / name).relative_to(out).parents:
        if folder != Path() and not any((out / folder).iterdir()):
            (out / folder).rmdir()
