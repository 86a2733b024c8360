"""The user's source files behind a class: which they are, and a hash of them."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from .errors import RobustEvalWarning

_WINGS = ("attacks", "corruptions", "defenses", "leaderboards")
"""Subpackages that lie outside the package's folder in a checkout."""
_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_INSTALLED_NAMES = {"site-packages", "dist-packages"}


def code_digest(kinds: Iterable[type], *more: Path) -> str:
    """Return a hash of the user's source code behind some classes.

    Installed packages are not hashed, because the manifest of each run records their versions.

    Args:
        kinds: Classes whose source files, and all files that these import, are hashed.
        more: Files to hash in addition, with all that they import.

    Returns:
        32 hexadecimal digits, or the empty string if all code belongs to this package or to installed ones.
    """
    paths = user_files(kinds, *more)
    if not paths:
        return ""
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def user_files(kinds: Iterable[type], *more: Path) -> list[Path]:
    """Return the user's source files behind some classes, sorted: their own files and all that these import.

    Files of this package and of installed packages are left out, and so are modules that the process has loaded but
    that no import statement of these files names. Warns about a class whose source file does not exist.

    Args:
        kinds: Classes to start from.
        more: Files to start from in addition.
    """
    ahead = [path.resolve() for path in more]
    for kind in set(kinds):
        path = _source_file(kind)
        if path is None:
            warnings.warn(
                f"The source code of {kind.__qualname__} cannot be read, so changes to it will not be noticed.",
                RobustEvalWarning,
                stacklevel=4,
            )
        else:
            ahead.append(path)
    visited = set[Path]()
    while ahead:
        path = ahead.pop()
        if path not in visited and is_users_file(path):
            visited.add(path)
            ahead.extend(_imported_files(path))
    return sorted(visited)


def _source_file(kind: type) -> Path | None:
    """The file that defines a class, or None if it cannot be read."""
    try:
        path = Path(inspect.getfile(kind)).resolve()
    except (TypeError, OSError):
        return None
    return path if path.is_file() else None


def _imported_files(path: Path) -> Iterator[Path]:
    """The files that the import statements of a file name; none if it is not valid Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    top = next(folder for folder in path.parents if not (folder / "__init__.py").is_file())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_files(alias.name, [top, *map(Path, sys.path)])
        elif isinstance(node, ast.ImportFrom):
            folders = [path.parents[node.level - 1]] if node.level else [top, *map(Path, sys.path)]
            for alias in node.names:
                yield from _module_files(".".join(filter(None, (node.module, alias.name))), folders)


def _module_files(name: str, folders: Sequence[Path]) -> list[Path]:
    """The files of a module and of the packages around it, in the first folder that contains any of them."""
    parts = name.split(".")
    for folder in folders:
        stems = [folder.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
        candidates = [file for stem in stems for file in (stem.parent / f"{stem.name}.py", stem / "__init__.py")]
        if existing := [file.resolve() for file in candidates if file.is_file()]:
            return existing
    return []


def is_users_file(path: Path) -> bool:
    """True for a file that belongs neither to an installed package nor to this one."""
    return _INSTALLED_NAMES.isdisjoint(path.parts) and not any(
        folder in path.parents for folder in (*_INSTALLED, *_own_folders())
    )


@cache
def _own_folders() -> tuple[Path, ...]:
    """The folders of this package."""
    package = Path(__file__).parents[1].resolve()
    specs = [find_spec(f"{__name__.partition('.')[0]}.{wing}") for wing in _WINGS]
    wings = [Path(place).resolve() for spec in specs if spec for place in spec.submodule_search_locations or ()]
    return (package, *wings)
