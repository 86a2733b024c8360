"""A table of components of one kind: rows of this package, and entry points of other packages."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean


@dataclass(frozen=True, slots=True)
class Row:
    """The import path of an object, and a summary of it."""

    path: str
    """`package.module:attribute`."""
    summary: str
    """One line for tables and lists."""

    def load(self) -> Any:
        """Import the module and return the object."""
        module, _, attribute = self.path.partition(":")
        return getattr(importlib.import_module(module), attribute)


class Table(Mapping[str, Row]):
    """Rows by name, in their order: the package's own first, then those of plugins, sorted.

    A row names its object by import path, so that listing a table imports nothing heavy. A plugin is an entry point
    named `vendor/name` in the table's group; without a vendor it could replace a row of the package.
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, Row]) -> None:
        """Create a table.

        Args:
            kind: Kind of the components in the singular, for error messages, such as `attack`.
            group: Entry-point group of the plugins.
            own: The package's own rows.
        """
        self.kind, self.group, self.own = kind, group, own

    def find(self, name: str) -> Row:
        """Return a row.

        Args:
            name: Name of the row.

        Raises:
            SpecError: There is no such row; the hint names the closest one, or all of them.
        """
        if name in self:
            return self[name]
        raise SpecError(f"Unknown {self.kind} {name!r}.", did_you_mean(name, self) or f"Known: {', '.join(self)}.")

    def name_of(self, item: object) -> str:
        """Return the name of the row whose class `item` is an instance of, else `module:QualName` of its class.

        Args:
            item: A component, possibly of a class that is not in the table.
        """
        kind = type(item)
        path = f"{kind.__module__}:{kind.__qualname__}"
        names = [name for name, row in self.own.items() if row.path == path]
        names += [name for name, row in _plugins(self.group).items() if row.path == path or row.load() is kind]
        return names[0] if names else path

    def __getitem__(self, name: str) -> Row:
        return self.own[name] if name in self.own else _plugins(self.group)[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from _plugins(self.group)

    def __len__(self) -> int:
        return len(self.own) + len(_plugins(self.group))


@cache
def _plugins(group: str) -> dict[str, Row]:
    """The rows that installed packages add to a group.

    Raises:
        UsageError: An entry point is not named `vendor/name`.
    """
    points = sorted(entry_points(group=group), key=lambda point: point.name)
    for point in points:
        if "/" not in point.name:
            raise UsageError(f"Plugin {point.name!r} ({point.value}) must be named vendor/name.")
    return {point.name: Row(point.value, f"plugin {point.value}") for point in points}
