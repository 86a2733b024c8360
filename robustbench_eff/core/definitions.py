"""What a Python file defines at its top level, read from its text: nothing is imported, so nothing runs."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from .errors import UsageError

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.expr
"""A class, a function, or the value that a name is given."""
Function: TypeAlias = ast.FunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Definitions:
    """The names that a file defines, and those that it imports."""

    own: dict[str, Definition] = field(default_factory=dict)
    """Classes, functions and values by name; the last one where a name is defined twice."""
    imported: dict[str, str] = field(default_factory=dict)
    """Where imported names come from, such as `nn`: `torch.nn`; relative imports begin with dots."""

    def dotted(self, node: ast.expr | None) -> str:
        """Return where a name comes from: `nn.Module` as `torch.nn.Module`; empty for anything but a name.

        Args:
            node: Any expression.
        """
        match node:
            case ast.Name(id=name):
                return self.imported.get(name, name)
            case ast.Attribute(value=value, attr=attribute):
                return f"{inner}.{attribute}" if (inner := self.dotted(value)) else ""
            case ast.Constant(value=str(text)):  # an annotation in quotation marks
                first, dot, rest = text.partition(".")
                return self.imported.get(first, first) + dot + rest
            case ast.Subscript(value=value):
                return self.dotted(value)
            case _:
                return ""

    def uses(self, name: str) -> frozenset[str]:
        """Return the own names that a definition mentions, directly or through others; base classes do not count.

        Args:
            name: An own name.
        """
        found: set[str] = set()
        ahead = [name]
        while ahead:
            node = self.own[ahead.pop()]
            parts: Sequence[ast.AST] = node.body if isinstance(node, ast.ClassDef) else [node]
            names = {part.id for top in parts for part in ast.walk(top) if isinstance(part, ast.Name)}
            new = (names & self.own.keys()) - found
            found |= new
            ahead += new
        return frozenset(found - {name})


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a function, without `self`."""

    required: tuple[str, ...] = ()
    """Those without a default."""
    optional: tuple[str, ...] = ()
    """Those with a default."""
    takes_any: bool = False
    """Whether it takes arguments of any name."""

    def without(self, positions: int, names: Sequence[str]) -> Parameters:
        """Return what is left once some arguments are given, as `functools.partial` gives them.

        Args:
            positions: Number of arguments by position.
            names: Arguments by name.
        """
        required = tuple(name for name in self.required[positions:] if name not in names)
        return Parameters(required, (*self.optional, *names), self.takes_any)


def read_definitions(path: Path) -> Definitions:
    """Return what a Python file defines.

    Args:
        path: The file.

    Raises:
        UsageError: It is not Python.
    """
    try:
        with tokenize.open(path) as file:
            tree = ast.parse(file.read(), str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"{path} cannot be read as Python: {message}{line}.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    found = Definitions()
    for statement in _executed_on_import(tree.body):
        _note(statement, found)
    return found


def parameters_of(function: Function, *, is_method: bool = False) -> Parameters:
    """Return the parameters of a function.

    Args:
        function: A function or a lambda.
        is_method: Whether its first parameter is `self`.
    """
    given = function.args
    positional = [argument.arg for argument in (*given.posonlyargs, *given.args)]
    split = len(positional) - len(given.defaults)
    first = 1 if is_method else 0
    named = list(zip((argument.arg for argument in given.kwonlyargs), given.kw_defaults, strict=True))
    return Parameters(
        required=(*positional[first:split], *(name for name, default in named if default is None)),
        optional=(*positional[max(first, split) :], *(name for name, default in named if default is not None)),
        takes_any=given.kwarg is not None,
    )


def own_nodes(function: Function | ast.ClassDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, in order, without those of functions and classes inside it.

    Args:
        function: Its definition.
    """
    body = function.body if isinstance(function.body, list) else [function.body]
    ahead: list[ast.AST] = list(reversed(body))
    while ahead:
        node = ahead.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            ahead.extend(reversed(list(ast.iter_child_nodes(node))))


def _executed_on_import(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that an import reaches, those within `if` and `try` too; not those of a program started as one."""
    for statement in body:
        match statement:
            case ast.If(test=test) if _asks_for_main(test):
                yield from _executed_on_import(statement.orelse)
            case ast.If():
                yield from _executed_on_import([*statement.orelse, *statement.body])
            case ast.Try():
                caught = [inner for handler in statement.handlers for inner in handler.body]
                yield from _executed_on_import([*caught, *statement.body, *statement.orelse, *statement.finalbody])
            case ast.With():
                yield from _executed_on_import(statement.body)
            case _:
                yield statement


def _asks_for_main(test: ast.expr) -> bool:
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return "__name__" in names


def _note(statement: ast.stmt, found: Definitions) -> None:
    match statement:
        case ast.Import(names=names):
            for name in names:
                found.imported[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
        case ast.ImportFrom(module=module, names=names, level=level):
            place = "." * level + (module or "")
            for name in names:
                found.imported[name.asname or name.name] = f"{place}.{name.name}" if module else place + name.name
        case ast.ClassDef(name=own) | ast.FunctionDef(name=own):
            found.own[own] = statement
        case ast.Assign(targets=[ast.Name(id=own)], value=value):
            found.own[own] = value
        case ast.AnnAssign(target=ast.Name(id=own), value=ast.expr() as value):
            found.own[own] = value
        case _:
            pass
