"""How a site gets into its folder: what an earlier one wrote goes, and what is not of a site stays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from robustbench_eff.core.disk import atomic_write
from robustbench_eff.core.errors import UsageError

FIRST_PAGE = "index.html"
MARK = "robust-eval-site.txt"
"""Names all files of the site: a folder with it was written here, and may be written again."""
ABOUT = f"Written by `robust-eval leaderboard site`, which replaces the files named below. Open {FIRST_PAGE}.\n\n"
HINT = "Choose another --out."


def earlier(out: Path) -> set[str]:
    """The files of the site in the folder; UsageError for a folder that holds something else."""
    mark = out / MARK
    if not mark.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} holds something that is no site.", HINT)
        return set()
    names = mark.read_text(encoding="utf-8", errors="replace").partition("\n\n")[2].split("\n")
    if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in names):
        raise UsageError(f"{mark} names files outside of the folder.", HINT)
    return {name for name in names if name}


def put(files: Mapping[str, bytes], out: Path) -> None:
    """Write the files, each whole or not at all, and remove those of an earlier site.

    Raises UsageError, before anything is written, for a link or for a file of somebody else in their way.
    """
    old = earlier(out)
    _look(out, old, files)
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(out / MARK, _listed(old | files.keys()))  # so that an interrupted site is known by all it wrote
    for name in sorted(files, key=lambda name: name == FIRST_PAGE):  # last, as it leads to the others
        atomic_write(out / name, files[name])
    for name in sorted(old - files.keys()):
        _remove(out, name)
    atomic_write(out / MARK, _listed(files))


def _look(out: Path, old: Collection[str], files: Mapping[str, bytes]) -> None:
    for path in _paths(out, {MARK, *old, *files}):
        if path.is_symlink():
            raise UsageError(
                f"{path} is a link, and may lead out of the folder.", "Remove it, or choose another --out."
            )
    for name in sorted(files):
        if name not in old and (out / name).exists():
            raise UsageError(
                f"{out / name} is in the way, and is not of the site.", "Remove it, or choose another --out."
            )


def _paths(out: Path, names: Collection[str]) -> Iterator[Path]:
    """The files, and the folders below `out` that they are in."""
    below = {above for name in names for above in (PurePosixPath(name), *PurePosixPath(name).parents)}
    yield from (out / path for path in sorted(below - {PurePosixPath()}))


def _listed(names: Collection[str]) -> bytes:
    return (ABOUT + "".join(f"{name}\n" for name in sorted(names))).encode()


def _remove(out: Path, name: str) -> None:
    """The file, and the folders that are empty without it."""
    (out / name).unlink(missing_ok=True)
    for folder in (out / name).relative_to(out).parents:
        if folder != Path() and not any((out / folder).iterdir()):
            (out / folder).rmdir()
