"""A hash of everything that can be reached from a Python object: tensors, numbers, containers, functions, classes.

Every value becomes a leaf under the path by which it was reached, so that two digests can be compared leaf by leaf.
What cannot be hashed is listed as opaque, never skipped. The hash does not depend on memory addresses, on the device of
a tensor or on the order of sets.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import pathlib
import pickle
import re
import sys
import types
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .code_digest import class_members, code_digest, global_names, imported_modules, is_installed, module_is_installed
from .tensor_digest import array_digest, tensor_digest

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))
"""Types whose `repr` is exact and the same in every process."""
EXACT = (
    *(torch.dtype, torch.Size, torch.layout, torch.memory_format, np.dtype, np.generic, range, slice),
    *(pathlib.PurePath, decimal.Decimal, fractions.Fraction, uuid.UUID, re.Pattern),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
)
"""The same for other types."""
WITHOUT_INFLUENCE = (
    *("_thread.lock", "_thread.RLock", "logging.Logger", "torch.device", "weakref.ReferenceType"),
    "_contextvars.ContextVar",
)
"""Types that do not decide a result: where or when something is computed, or who is told about it."""
UNSTORABLE = (TypeError, ValueError, AttributeError, RuntimeError, NotImplementedError, OSError, pickle.PickleError)
"""Exceptions raised by objects that cannot be pickled."""
Leaves = dict[str, str]
"""Hash of every leaf by its path."""


@dataclass(frozen=True, slots=True)
class ObjectDigest:
    """The leaves that were reached from an object."""

    leaves: Leaves
    opaque: tuple[str, ...]
    """Path and type of everything that cannot be hashed; their types alone are leaves."""
    expanded: Mapping[str, Any]
    """The objects that were taken apart by `expand`, by path."""

    def digest(self, without: Iterable[str] = ()) -> str:
        """Return a hash of the leaves, 32 hexadecimal digits.

        Args:
            without: Paths to leave out.
        """
        left_out = set(without)
        lines = (f"{path} {leaf}" for path, leaf in sorted(self.leaves.items()) if path not in left_out)
        return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()

    def changed(self, later: ObjectDigest) -> set[str]:
        """Return the paths whose leaves differ, or that only one of both has.

        Args:
            later: Digest of the same object at another time.
        """
        paths = self.leaves.keys() | later.leaves.keys()
        return {path for path in paths if self.leaves.get(path) != later.leaves.get(path)}


Expand = Callable[[Any], Mapping[str, Any] | None]
"""Returns what decides the results of an object of a certain type, by name, or None for other types."""


def object_digest(value: Any, expand: Expand | None = None, package: str = "") -> ObjectDigest:
    """Return the digest of an object.

    The source code of installed packages is not hashed, because the manifest of each run records their versions.

    Args:
        value: Any object.
        expand: Parts of the types that need more than their attributes; None if no type does.
        package: Name of an installed package whose code is hashed nevertheless, such as that of a plugin.
    """
    walk = _Walk(expand, package)
    try:
        walk.visit("", value)
    except RecursionError:
        walk.opaque.append(f"{type(value).__qualname__} (nested too deeply)")
    return ObjectDigest(walk.leaves, tuple(walk.opaque), walk.expanded)


def foreign_digest(component: Any) -> str:
    """Return a hash of a component and all its code if it is a user's or a plugin's; empty if it is this package's own.

    Args:
        component: An attack, a kernel of corruptions, a reader, a benchmark.
    """
    fields = [getattr(component, name, None) for name in getattr(component, "__dataclass_fields__", {})]
    functions = [getattr(item, "func", item) for item in fields if callable(item)]
    modules = [getattr(item, "__module__", None) or "" for item in (type(component), *functions)]
    known = {__name__.partition(".")[0], *sys.stdlib_module_names}
    packages = [package for package in (module.partition(".")[0] for module in modules) if package not in known]
    return object_digest(component, package=packages[0]).digest() if packages else ""


@dataclass(slots=True)
class _Walk:
    """The state of a walk over an object."""

    expand: Expand | None
    package: str
    leaves: Leaves = field(default_factory=dict)
    opaque: list[str] = field(default_factory=list)
    expanded: dict[str, Any] = field(default_factory=dict)
    seen: dict[int, str] = field(default_factory=dict)
    """Path of every object by its address."""
    alive: list[Any] = field(default_factory=list)
    """The objects of `seen`, so that no address is used twice."""
    classes: dict[type, str] = field(default_factory=dict)
    """Names of the classes whose code is among the leaves."""

    def visit(self, path: str, value: Any) -> None:
        """Add the leaves of a value."""
        if isinstance(value, PLAIN):
            self.leaves[path] = f"{type(value).__name__} {value!r}" if not isinstance(value, bytes) else _hash(value)
        elif isinstance(value, EXACT):
            self.leaves[path] = f"{type(value).__qualname__} {value!r}"
        elif _name(type(value)) in WITHOUT_INFLUENCE:
            self.leaves[path] = _name(type(value))
        elif isinstance(value, tuple):
            self._children(path, self._class(type(value)), enumerate(value))
        elif self._first_visit(path, value):
            self._visit_object(path, value)

    def _first_visit(self, path: str, value: Any) -> bool:
        if (first := self.seen.get(id(value))) is not None:
            self.leaves[path] = f"the same as {first}"
            return False
        self.seen[id(value)] = path
        self.alive.append(value)
        return True

    def _visit_object(self, path: str, value: Any) -> None:
        expanded = None if self.expand is None else self.expand(value)
        if expanded is not None:
            self.expanded[path] = value
            self._children(path, self._class(type(value)), expanded.items())
        elif isinstance(value, Tensor):
            self.leaves[path] = tensor_digest(value)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            self.leaves[path] = array_digest(value)
        elif isinstance(value, Mapping):
            self._children(path, self._class(type(value)), _named(value))
        elif isinstance(value, set | frozenset):
            members = sorted(object_digest(member, self.expand, self.package).digest() for member in value)
            self.leaves[path] = f"{_name(type(value))} {members}"
        elif isinstance(value, list | collections.deque | np.ndarray):
            self._children(path, self._class(type(value)), enumerate(value))
        elif isinstance(value, enum.Enum):
            self._children(path, self._class(type(value)), [(value.name, value.value)])
        elif not self._visit_code(path, value):
            self._visit_state(path, value)

    def _visit_code(self, path: str, value: Any) -> bool:
        """Add the leaves of a function, class or module; False for any other object."""
        if isinstance(value, types.FunctionType):
            self._visit_function(path, value)
        elif isinstance(value, types.MethodType):
            self._children(path, "method", [("function", value.__func__), ("self", value.__self__)])
        elif isinstance(value, functools.partial):
            parts = {"function": value.func, "args": value.args, "keywords": value.keywords}
            self._children(path, "partial", parts.items())
        elif isinstance(value, staticmethod | classmethod) or hasattr(value, "cache_info"):
            self._children(path, _name(type(value)), [("function", getattr(value, "__wrapped__", None))])
        elif isinstance(value, property):
            self._children(path, "property", [("get", value.fget)])
        elif isinstance(value, type):
            self.leaves[path] = self._class(value)
        elif isinstance(value, types.ModuleType):
            own = not module_is_installed(value.__name__, self.package)
            members = {name: item for name, item in vars(value).items() if not name.startswith("__")} if own else {}
            self._children(path, f"module {'' if own else value.__name__}", members.items())
        elif isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType | types.WrapperDescriptorType):
            self._children(path, value.__qualname__, [("self", getattr(value, "__self__", None))])
        else:
            return False
        return True

    def _visit_function(self, path: str, function: types.FunctionType) -> None:
        parts: dict[str, Any] = {
            "defaults": function.__defaults__,
            "keyword defaults": function.__kwdefaults__,
            "closure": tuple(_content(cell) for cell in function.__closure__ or ()),
        }
        what = f"{pathlib.PurePath(function.__code__.co_filename).name} {function.__code__.co_qualname}"
        if not is_installed(function.__code__.co_filename, self.package):
            what = code_digest(function.__code__).hex()
            names = sorted(global_names(function.__code__) & function.__globals__.keys())
            parts["globals"] = {name: function.__globals__[name] for name in names}
            parts["imports"] = imported_modules(function.__code__)
        self._children(path, f"function {what}", ((key, part) for key, part in parts.items() if part))

    def _class(self, kind: type) -> str:
        """The name of a class; what the user's code defines in it becomes leaves of its own.

        The names of the user's modules are left out, because a file may lie anywhere.
        """
        if kind not in self.classes:
            own = not module_is_installed(kind.__module__, self.package)
            name = f"class {kind.__qualname__} {len(self.classes)}" if own else f"class {_name(kind)}"
            self.classes[kind] = name
            for base in kind.__mro__[1:]:
                self._class(base)
            for member_name, member in class_members(kind, self.package):
                self.visit(f"{name}.{member_name}", member)
        return self.classes[kind]

    def _visit_state(self, path: str, value: Any) -> None:
        """Add the leaves of any other object: what pickling would store of it."""
        self.leaves[path] = self._class(type(value))
        try:
            reduced = _state(value)
        except UNSTORABLE:
            reduced = None
        if reduced is None:
            self.opaque.append(f"{path or 'the object'} ({_name(type(value))})")
        else:
            self._children(path, self.leaves[path], reduced.items())

    def _children(self, path: str, what: str, children: Iterable[tuple[Any, Any]]) -> None:
        self.leaves[path] = what
        for name, child in children:
            self.visit(f"{path}.{name}" if path else str(name), child)


def _state(value: Any) -> dict[str, Any] | None:
    """The state of an object as pickle stores it, without its class; None if it cannot be stored."""
    if isinstance(value, torch.Generator):
        return {"state": value.get_state()}
    if isinstance(value, torch.ScriptObject):
        return {"state": value.__getstate__()}
    if isinstance(value, types.GeneratorType | types.CoroutineType | types.FrameType):
        return None
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return {"name": reduced}
    names = ("made by", "arguments", "state", "items", "pairs")
    parts = dict(zip(names, (reduced[0], reduced[1], *reduced[2:5]), strict=False))
    for name in ("items", "pairs"):
        if isinstance(parts.get(name), Iterator):
            parts[name] = list(parts[name])
    if isinstance(parts["arguments"], tuple) and parts["arguments"] and parts["arguments"][0] is type(value):
        parts["arguments"] = parts["arguments"][1:]
    return parts


def _named(mapping: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The values of a mapping with names; a key that is not plain is hashed with its value."""
    for index, (key, value) in enumerate(mapping.items()):
        yield (repr(key), value) if isinstance(key, PLAIN) else (str(index), (key, value))


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is bound later
        return None


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
