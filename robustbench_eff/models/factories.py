"""Which definitions of a Python file are networks, or build one, as far as its text tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from robustbench_eff.core.definitions import Definitions, Function, Parameters, own_nodes, parameters_of

NUM_CLASSES = "num_classes"
"""The one argument that is passed without being asked for."""
_LIBRARIES = re.compile(
    r"(torch\.nn(?!\.(functional|init|utils|Parameter|\w*Loss))|torch\.jit\.load|torch\.hub\.load|torchvision\.models|"
    r"timm(?!\.(data|utils|loss|optim|scheduler))|transformers\.\w*(Model|For\w*Classification)|open_clip|"
    r"(pytorch_)?lightning\b.*Module)\b"
)
"""Where networks come from."""
_ROOTS = ("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module")
"""Names of the class that takes no arguments and has no `forward` of its own."""
_PARTIAL = ("functools.partial", "partial")
_CHAINED = ("eval", "to", "cpu", "cuda", "float", "half", "double", "requires_grad_", "train")
"""Methods that return the network itself."""
_WORK = re.compile(r"(main|train|test|fit|run|eval|validate|benchmark)(_|$)")
"""Beginnings of the names of functions that do more than build a network."""


@dataclass(frozen=True, slots=True)
class Factory:
    """A definition that is a network or builds one."""

    name: str
    parameters: Parameters
    is_function: bool
    """Whether it is a function; else a class, or a module that the file makes."""

    def can_be_called(self, given: Mapping[str, Any]) -> bool:
        """Return whether it can be called with some arguments by name, and the number of classes if it asks for it.

        Args:
            given: The arguments of the user.
        """
        known = {*self.parameters.required, *self.parameters.optional}
        lacking = {*self.parameters.required} - {*given, NUM_CLASSES}
        return not lacking and (self.parameters.takes_any or {*given} <= known)

    @property
    def call(self) -> str:
        """How it is called, such as `ResNet(block, num_blocks)`."""
        return f"{self.name}({', '.join(self.parameters.required)})"


def factories(definitions: Definitions) -> list[Factory]:
    """Return the public definitions that are networks or build one, in the order of the file.

    Abstract classes, losses and other modules whose `forward` takes more than images, generators, and functions whose
    names say that they train or test are left out.

    Args:
        definitions: What the file defines.
    """
    reader = _Reader(definitions)
    found = (reader.factory(name) for name in definitions.own if not name.startswith("_"))
    return [factory for factory in found if factory is not None]


def sensible(found: Iterable[Factory], definitions: Definitions, given: Mapping[str, Any]) -> list[Factory]:
    """Return the factories that can be called and are no part of another one, such as an activation or a block.

    Args:
        found: Factories of the file.
        definitions: What the file defines.
        given: Arguments by name that the user gives.
    """
    callable_ = [factory for factory in found if factory.can_be_called(given)]
    parts = {name for factory in callable_ for name in definitions.uses(factory.name)}
    return [factory for factory in callable_ if factory.is_function or factory.name not in parts]


class _Reader:
    """Follows names within a file; one that leads back to itself leads nowhere."""

    def __init__(self, definitions: Definitions) -> None:
        self._own, self._dotted = definitions.own, definitions.dotted
        self._asked: set[str] = set()

    def factory(self, name: str) -> Factory | None:
        """The factory of that name; None if it is none."""
        match self._own[name]:
            case ast.ClassDef() as node if self._is_network(node) and (parameters := self._parameters(node)):
                return Factory(name, parameters, is_function=False)
            case ast.FunctionDef() as node if not _WORK.match(name) and self._returns_network(node):
                return Factory(name, parameters_of(node), is_function=True)
            case ast.Lambda() as node if self._builds(node.body, node):
                return Factory(name, parameters_of(node), is_function=True)
            case ast.Call(func=called, args=[ast.Name(id=inner), *rest]) as node if self._dotted(
                called
            ) in _PARTIAL and (whole := self._partial_of(name, inner)):
                names = [keyword.arg for keyword in node.keywords if keyword.arg]
                return Factory(name, whole.parameters.without(len(rest), names), is_function=True)
            case ast.Call() as node if self._builds(node, None):
                return Factory(name, Parameters(), is_function=False)
            case _:
                return None

    def _partial_of(self, name: str, inner: str) -> Factory | None:
        if name in self._asked or inner not in self._own:
            return None
        self._asked.add(name)
        try:
            return self.factory(inner)
        finally:
            self._asked.discard(name)

    def _chain(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        """A class and its bases in the file, in the order in which methods are looked up, roughly."""
        found, ahead = list[ast.ClassDef](), [node]
        while ahead:
            if (item := ahead.pop()) not in found:
                found.append(item)
                bases = [self._own.get(base.id) for base in reversed(item.bases) if isinstance(base, ast.Name)]
                ahead += [base for base in bases if isinstance(base, ast.ClassDef)]
        return found

    def _foreign_bases(self, node: ast.ClassDef) -> list[str]:
        bases = [base for item in self._chain(node) for base in item.bases]
        return [self._dotted(base) for base in bases if not (isinstance(base, ast.Name) and base.id in self._own)]

    def _is_network(self, node: ast.ClassDef) -> bool:
        chain, foreign = self._chain(node), self._foreign_bases(node)
        methods: dict[str, ast.FunctionDef] = {}
        for item in chain:
            for part in item.body:
                if isinstance(part, ast.FunctionDef):
                    methods.setdefault(part.name, part)
        if any(_is_abstract(method, self._dotted) for method in methods.values()):
            return False
        forward = methods.get("forward")
        if forward is not None and (len(parameters_of(forward, is_method=True).required) > 1 or _refuses(forward)):
            return False
        from_library = any(_LIBRARIES.match(base) for base in foreign)
        inherits = any(_LIBRARIES.match(base) and base not in _ROOTS for base in foreign)
        is_other = any(base not in ("object", "abc.ABC", "") for base in foreign)
        return inherits or (forward is not None and (from_library or is_other))

    def _parameters(self, node: ast.ClassDef) -> Parameters | None:
        """What the constructor takes; None where a class of another file says so."""
        for item in self._chain(node):
            for part in item.body:
                if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                    return parameters_of(part, is_method=True)
        foreign = self._foreign_bases(node)
        return Parameters() if all(base in (*_ROOTS, "object", "abc.ABC") for base in foreign) else None

    def _returns_network(self, node: ast.FunctionDef) -> bool:
        if node.name in self._asked or any(isinstance(part, ast.Yield | ast.YieldFrom) for part in own_nodes(node)):
            return False
        if self._names_network(node.returns):
            return True
        self._asked.add(node.name)
        returned = [part.value for part in own_nodes(node) if isinstance(part, ast.Return)]
        answer = bool(returned) and all(value is not None and self._builds(value, node) for value in returned)
        self._asked.discard(node.name)
        return answer

    def _names_network(self, annotation: ast.expr | None) -> bool:
        name = self._dotted(annotation)
        own = self._own.get(name)
        return bool(_LIBRARIES.match(name)) if own is None else isinstance(own, ast.ClassDef) and self._is_network(own)

    def _builds(self, value: ast.expr, within: Function | None) -> bool:
        match value:
            case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in _CHAINED:
                return self._builds(inner, within)
            case ast.Call(func=called):
                own = self._own.get(self._dotted(called))
                if isinstance(own, ast.ClassDef):
                    return self._is_network(own)
                if isinstance(own, ast.FunctionDef):
                    return self._returns_network(own)
                return own is None and bool(_LIBRARIES.match(self._dotted(called)))
            case ast.Name(id=name):
                mark = f"{name} {id(within)}"
                if within is None or mark in self._asked:
                    return False
                self._asked.add(mark)
                answer = any(self._builds(assigned, within) for assigned in _assigned(name, within))
                self._asked.discard(mark)
                return answer
            case _:
                return False


def _assigned(name: str, function: Function) -> list[ast.expr]:
    """The values that a function gives to a name of its own, without those that are made from the name itself."""
    values = [
        part.value
        for part in own_nodes(function)
        if isinstance(part, ast.Assign) and any(isinstance(at, ast.Name) and at.id == name for at in part.targets)
    ]
    return [value for value in values if not any(isinstance(x, ast.Name) and x.id == name for x in ast.walk(value))]


def _is_abstract(method: ast.FunctionDef, dotted: Any) -> bool:
    return any(dotted(mark).rpartition(".")[2].startswith("abstract") for mark in method.decorator_list)


def _refuses(method: ast.FunctionDef) -> bool:
    """Whether a method only raises NotImplementedError."""
    body = [part for part in method.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    return len(body) == 1 and isinstance(body[0], ast.Raise) and "NotImplementedError" in ast.dump(body[0])
