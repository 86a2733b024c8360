"""From the names of classes, however a source spells them, to class indices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

MOSTLY_KNOWN = 0.9
"""Share of the names of an ordered list that must be known before their positions tell the others."""
_WNID_AND_NAME = re.compile(r"(n\d{8})[ _-].+", re.DOTALL)


def unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return a mapping from name to class index without the names of more than one class.

    Args:
        pairs: Names with their class indices; a name may occur more than once.
    """
    index_of: dict[str, int] = {}
    ambiguous: set[str] = set()
    for name, index in pairs:
        if index_of.setdefault(name, index) != index:
            ambiguous.add(name)
    return {name: index for name, index in index_of.items() if name not in ambiguous}


def known_names(names: Iterable[str], index_of: Mapping[str, int], listed: Sequence[str] = ()) -> dict[str, int]:
    """Return the class index of every name that is known; names of no class, or of several, are left out.

    A name counts as it is written; else without regard to capitals, hyphens and underscores, where that leaves one
    class; else by the wnid that it begins with, as in `n01440764 tench`; else by its position in the source's own list.

    Positions count only in a list of all classes in the benchmark's order: at least nine in ten of its names must be
    known, and every known name must stand at its own index. A list with one entry more begins with a background class,
    which the benchmark does not have; every known name must then stand one place after its index.

    Args:
        names: Names as the source writes them.
        index_of: Index of every unambiguous name, from `Benchmark.class_index`.
        listed: All class names of the source in its own order, if it states one.
    """
    names = list(dict.fromkeys(names))
    if not names:
        return {}
    plain_index_of = unambiguous((plain(name), index) for name, index in index_of.items())
    found = {name: index for name in names if (index := _index(name, index_of, plain_index_of)) is not None}
    if unknown := [name for name in names if name not in found]:
        position_of = _positions(listed, index_of, plain_index_of)
        found |= {name: position_of[name] for name in unknown if name in position_of}
    return found


def _index(name: str, index_of: Mapping[str, int], plain_index_of: Mapping[str, int]) -> int | None:
    """The index of a name by itself."""
    wnid = _WNID_AND_NAME.fullmatch(name)
    index = index_of.get(name, plain_index_of.get(plain(name)))
    return index_of.get(wnid[1]) if index is None and wnid else index


def _positions(listed: Sequence[str], index_of: Mapping[str, int], plain_index_of: Mapping[str, int]) -> dict[str, int]:
    """The index of every name of a list of all classes by its position; empty where positions tell nothing."""
    count = len(set(index_of.values()))
    background = len(listed) - count
    if not count or background not in (0, 1):
        return {}
    stripped = [name.strip() for name in listed[background:]]
    indices = [_index(name, index_of, plain_index_of) for name in stripped]
    in_order = all(index is None or index == position for position, index in enumerate(indices))
    if not in_order or sum(index is not None for index in indices) < MOSTLY_KNOWN * count:
        return {}
    return unambiguous((name, position) for position, name in enumerate(stripped))


def short_names(index_of: Mapping[str, int]) -> dict[int, str]:
    """Return the shortest name of every class; a wnid only where there is no other.

    Args:
        index_of: Index of every name, from `Benchmark.class_index`.
    """
    names: dict[int, str] = {}
    for name, index in sorted(index_of.items(), key=lambda item: (item[0][1:].isdigit(), len(item[0]))):
        names.setdefault(index, name)
    return names


def plain(name: str) -> str:
    """Return a name without capitals, and with one space where it has spaces, hyphens or underscores.

    Args:
        name: Name of a class.
    """
    return re.sub(r"[\s_-]+", " ", name.strip().casefold())
