"""Plugins: rows that installed packages add to a table by entry points, and why one of them cannot be used.

A plugin that cannot be used raises an error where it is asked for by name, and is left out with a warning elsewhere.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby
from typing import Any

from robustbench_eff.core.errors import RobustEvalWarning, UsageError, reason
from robustbench_eff.core.stops import Stop


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point of a table's group."""

    name: str
    """`vendor/name`."""
    path: str
    """`package.module:attribute`."""
    distribution: str
    """Name and version of the package that was installed."""
    kind: str
    """Kind of the component in the singular."""
    is_class: bool
    """Whether the component is a class, of which a text makes an instance."""
    needs: tuple[str, ...]
    """Attributes that the component must have."""
    problem: str = ""
    """Why it cannot be used, as far as that is known without importing it."""

    @property
    def summary(self) -> str:
        """One line for tables and lists."""
        return f"plugin {self.path}" + (f" ({self.problem})" if self.problem else "")

    def load(self) -> Any:
        """Import the module and return the object; what the module prints goes to stderr.

        Raises:
            UsageError: The plugin cannot be imported, or is not what its table expects.
        """
        if self.problem:
            raise self.error(self.problem)
        module, _, attribute = self.path.partition(":")
        try:
            with redirect_stdout(sys.stderr):
                item: Any = importlib.import_module(module)
                for part in attribute.split("."):
                    item = getattr(item, part)
                lacking = [name for name in self.needs if not hasattr(item, name)]
        except BaseException as error:  # foreign code may raise anything, also SystemExit
            if isinstance(error, Stop) or type(error) is KeyboardInterrupt:
                raise
            raise self.error(f"it cannot be imported: {reason(error)}") from error
        if isinstance(item, type) != self.is_class:
            expected = "a class" if self.is_class else "an instance"
            raise self.error(f"{expected} is expected, and it is {_described(item)}")
        if lacking:
            raise self.error(f"it is {_described(item)}, and lacks {', '.join(lacking)}")
        return item

    def check_instance(self, item: Any) -> None:
        """Raise UsageError if an attribute that an instance must have cannot be read.

        Args:
            item: Instance of the plugin's class.
        """
        for name in self.needs:
            try:
                getattr(item, name)
            except Exception as error:
                raise self.error(f"its {name} cannot be read: {reason(error)}") from error

    def error(self, problem: str) -> UsageError:
        """Return the error that names the plugin and its package.

        Args:
            problem: Why the plugin cannot be used.
        """
        package = self.distribution.partition(" ")[0]
        hint = f"Update or uninstall it: pip uninstall {package}" if package else "Remove its entry point."
        owner = f" of {self.distribution}" if self.distribution else ""
        name = f"The {self.kind} {self.name!r}, a plugin{owner} ({self.path}),"
        return UsageError(f"{name} cannot be used: {problem}.", hint)


@cache
def plugins(group: str, kind: str, is_class: bool, needs: tuple[str, ...]) -> dict[str, Plugin]:
    """Return the plugins of a group by name; one that is not named `vendor/name` is left out with a warning.

    Args:
        group: Entry-point group.
        kind: Kind of the components in the singular, for messages.
        is_class: Whether they are classes.
        needs: Attributes that they must have.
    """
    found: dict[str, Plugin] = {}
    points = sorted(entry_points(group=group), key=lambda point: (point.name, point.value, _distribution(point)))
    for name, same in groupby(points, key=lambda point: point.name):
        alike = list({(point.value, _distribution(point)): point for point in same}.values())
        first, owner = alike[0], " and ".join(dict.fromkeys(map(_distribution, alike)))
        problem = "" if len(alike) == 1 else f"{len(alike)} packages have a plugin of this name: {owner}"
        plugin = Plugin(name, first.value, _distribution(first), kind, is_class, needs, problem)
        if "/" in name:
            found[name] = plugin
        else:
            leave_out(plugin.error("it must be named vendor/name"))
    return found


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, RobustEvalWarning, stacklevel=3)


def leave_out(error: UsageError) -> None:
    """Say once that a plugin is left out.

    Args:
        error: Why.
    """
    _warn_once(f"{error.message} It is left out. {error.hint}")


def _distribution(point: EntryPoint) -> str:
    return "" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _described(item: Any) -> str:
    if item is None:
        return "None"
    return f"the class {item.__qualname__}" if isinstance(item, type) else f"an instance of {type(item).__qualname__}"
