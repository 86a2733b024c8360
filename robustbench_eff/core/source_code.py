"""Whose source code a file is: the user's, that of an installed package, or this package's own."""

from __future__ import annotations

import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_WINGS = ("attacks", "corruptions", "defenses", "leaderboards")
"""Subpackages that lie outside the package's folder in a checkout."""
_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_INSTALLED_NAMES = {"site-packages", "dist-packages"}


@cache
def is_users(file: str) -> bool:
    """Return whether a file belongs neither to an installed package nor to this one.

    Args:
        file: Path of the file.
    """
    path = Path(file).resolve()
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
