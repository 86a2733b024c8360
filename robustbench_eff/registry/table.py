"""A table of components of one kind: rows of this package, and entry points of other packages."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean

from .plugins import Plugin, leave_out, plugins


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


class Table(Mapping[str, Row | Plugin]):
    """Rows by name, in their order: the package's own first, then those of plugins, sorted.

    A row names its object by import path, so that listing a table imports nothing heavy. A plugin is an entry point
    named `vendor/name` in the table's group; without a vendor it could replace a row of the package.
    """

    def __init__(
        self, kind: str, group: str, own: Mapping[str, Row], *, is_class: bool = False, needs: tuple[str, ...] = ()
    ) -> None:
        """Create a table.

        Args:
            kind: Kind of the components in the singular, for error messages, such as `attack`.
            group: Entry-point group of the plugins.
            own: The package's own rows.
            is_class: Whether a component is a class, of which a text makes an instance.
            needs: Attributes that a plugin must have.
        """
        self.kind, self.group, self.own = kind, group, own
        self._is_class, self._needs = is_class, needs

    @property
    def plugins(self) -> Mapping[str, Plugin]:
        """The rows of plugins by name, whether they can be used or not."""
        return plugins(self.group, self.kind, self._is_class, self._needs)

    def loaded(self) -> Iterator[tuple[str, Any]]:
        """Yield every name with its object; a plugin that cannot be used is left out with a warning."""
        yield from ((name, row.load()) for name, row in self.own.items())
        yield from self._loaded_plugins()

    def _loaded_plugins(self) -> Iterator[tuple[str, Any]]:
        for name, plugin in self.plugins.items():
            try:
                yield name, plugin.load()
            except UsageError as error:
                leave_out(error)

    def find(self, name: str) -> Row | Plugin:
        """Return a row.

        Args:
            name: Name of the row.

        Raises:
            SpecError: There is no such row; the hint names the closest one, or all of them.
        """
        if name in self:
            return self[name]
        raise SpecError(f"Unknown {self.kind} {name!r}.", did_you_mean(name, self) or f"Known: {', '.join(self)}.")

    def build(self, parsed: spec.Spec) -> Any:
        """Return the instance that a name with fields describes, in a table of classes.

        Args:
            parsed: Name of the row, and values of its fields.

        Raises:
            SpecError: There is no such row, or a field is unknown or has a wrong value.
            UsageError: The row is that of a plugin that cannot be used.
        """
        row = self.find(parsed.name)
        item = spec.build(row.load(), parsed)
        if isinstance(row, Plugin):
            row.check_instance(item)
        return item

    def name_of(self, item: object) -> str:
        """Return the name of the row whose class `item` is an instance of, else `module:QualName` of its class.

        Args:
            item: A component, possibly of a class that is not in the table.
        """
        kind = type(item)
        path = f"{kind.__module__}:{kind.__qualname__}"
        names = [name for name, row in self.own.items() if row.path == path]
        names += [name for name, plugin in self.plugins.items() if plugin.path == path]
        if not names:
            names = [name for name, loaded in self._loaded_plugins() if loaded is kind]
        return names[0] if names else path

    def __getitem__(self, name: str) -> Row | Plugin:
        return self.own[name] if name in self.own else self.plugins[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from self.plugins

    def __len__(self) -> int:
        return len(self.own) + len(self.plugins)
