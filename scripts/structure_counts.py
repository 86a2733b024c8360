"""Count what makes the code hard to navigate; with a folder, the counts of that checkout.

    python scripts/structure_counts.py [CHECKOUT] [--list] [--room ROOM]

Loose modules lie in no room. Import circles are groups of modules, or of rooms, that import each other. A public
function documents its arguments if its docstring (for `__init__`, also the docstring of its class) names every one of
them under `Args:`. A parameter of a command needs no such line: `typer.Context`, and an option, which is documented by
its help text, that is, whose annotation contains `help=` or is an alias `...Option` of such an annotation.

Two kinds of functions may have more than six parameters: commands, that is, functions with an option among their
parameters, because their parameters are the command line; and the kernels in `corruptions/compiled/`, because code that
numba compiles takes arrays and numbers instead of objects.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "robustbench_eff"
WINGS = ("attacks", "corruptions", "defenses", "leaderboards")
LOOSE = {"__init__", "testing"}
MAX_LINES, MAX_PARAMETERS = 40, 6
IS_NO = re.compile(r"\b(is|has) no\b")
IS_OPTION = re.compile(r"\bhelp=|^\w+Option$")
"""Annotation of a parameter that is an option or an argument of the command line."""
COMPILED = f"{PACKAGE}.corruptions.compiled"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """A module of the package."""

    name: str
    """Dotted, such as `robustbench_eff.attacks.pgd`."""
    is_package: bool
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first part of the name below the package."""
        return self.name.split(".")[1] if "." in self.name else "__init__"


def main() -> None:
    """Print one line per count, and with --list every place."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--list", action="store_true", help="name every place")
    parser.add_argument("--room", help="only places in this room")
    arguments = parser.parse_args()
    found = sources(arguments.checkout)
    counted = {
        "loose modules": loose_modules(found),
        "import circles": import_circles(found),
        "public functions whose arguments are not all documented": undocumented(found),
        f"functions over {MAX_LINES} lines": long_functions(found),
        f"functions with more than {MAX_PARAMETERS} parameters": many_parameters(found),
        'messages with "is no" or "has no"': is_no(found),
        "tuples of three or more in signatures": bare_tuples(found),
    }
    for title, places in counted.items():
        if arguments.room:
            places = [place for place in places if place.startswith(f"{PACKAGE}.{arguments.room}")]
        print(f"{len(places):5d}  {title}")
        for place in places if arguments.list else ():
            print(f"         {place}")


def sources(checkout: Path) -> dict[str, Source]:
    """Return every module of a checkout by its dotted name.

    Args:
        checkout: Folder of the repository.
    """
    paths = [(path, path.relative_to(checkout)) for path in (checkout / PACKAGE).rglob("*.py")]
    paths += [
        (path, PACKAGE / path.relative_to(checkout)) for wing in WINGS for path in (checkout / wing).rglob("*.py")
    ]
    found = {}
    for path, place in paths:
        parts = place.with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = Source(name, is_package, ast.parse(path.read_text()))
    return found


def loose_modules(found: dict[str, Source]) -> list[str]:
    """Return the modules that lie beside the rooms.

    Args:
        found: Modules by name.
    """
    return sorted(
        name for name, source in found.items() if name.count(".") == 1 and not source.is_package
        if name.split(".")[1] not in LOOSE
    )  # fmt: skip


def import_circles(found: dict[str, Source]) -> list[str]:
    """Return the groups of modules, and those of rooms, that import each other, each as a line.

    Imports inside functions and for type checking count too.

    Args:
        found: Modules by name.
    """
    modules = {name: set(_imported(source, found)) - {name} for name, source in found.items()}
    rooms: dict[str, set[str]] = {source.room: set() for source in found.values()}
    for name, targets in modules.items():
        room = found[name].room
        rooms[room] |= {found[target].room for target in targets} - {room, "__init__"}
    return [*_circles(modules), *_circles(rooms)]


def _circles(arrows: dict[str, set[str]]) -> list[str]:
    reach: dict[str, set[str]] = {}
    for start in arrows:
        seen, ahead = set[str](), [start]
        while ahead:
            for target in arrows[ahead.pop()] - seen:
                seen.add(target)
                ahead.append(target)
        reach[start] = seen
    circles = {frozenset(other for other in reach[name] if name in reach[other]) for name in arrows}
    return sorted(" <-> ".join(sorted(circle)) for circle in circles if circle)


def _imported(source: Source, found: dict[str, Source]) -> Iterator[str]:
    """The modules that a module names in its import statements."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = source.name.split(".") if source.is_package else source.name.split(".")[:-1]
        base = base[: len(base) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            for name in (f"{module}.{alias.name}", module):
                if name in found and name != PACKAGE:
                    yield name
                    break


def undocumented(found: dict[str, Source]) -> list[str]:
    """Return the public functions with an argument that no docstring names.

    Args:
        found: Modules by name.
    """
    places = []
    for source in found.values():
        for owner, function in _functions(source.tree):
            public = not function.name.startswith("_") or function.name == "__init__"
            if not public or any(part.startswith("_") for part in owner[:1] if owner):
                continue
            documents = (ast.get_docstring(function) or "") + "\n"
            if function.name == "__init__":
                documents += _class_docstring(source.tree, owner)
            section = documents.partition("Args:")[2]
            missing = [
                name
                for name, annotation in _parameters(function)
                if not re.search(rf"(?m)^\s*\*{{0,2}}{re.escape(name)}( \(.*\))?:", section)
                and annotation != "typer.Context"
                and not IS_OPTION.search(annotation)
            ]
            if missing:
                places.append(f"{source.name}.{'.'.join((*owner, function.name))}: {', '.join(missing)}")
    return sorted(places)


def long_functions(found: dict[str, Source]) -> list[str]:
    """Return the functions with more than 40 lines, their docstring and signature included.

    Args:
        found: Modules by name.
    """
    return sorted(
        f"{source.name}.{function.name}: {length}"
        for source in found.values()
        for _, function in _functions(source.tree)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > MAX_LINES
    )


def many_parameters(found: dict[str, Source]) -> list[str]:
    """Return the functions with more than six parameters, without commands and compiled kernels.

    Args:
        found: Modules by name.
    """
    return sorted(
        f"{source.name}.{function.name}: {len(parameters)}"
        for source in found.values()
        if not source.name.startswith(COMPILED)
        for _, function in _functions(source.tree)
        if len(parameters := _parameters(function)) > MAX_PARAMETERS
        and not any(IS_OPTION.search(annotation) for _, annotation in parameters)
    )


def is_no(found: dict[str, Source]) -> list[str]:
    """Return the texts outside of docstrings that say "is no" or "has no".

    Args:
        found: Modules by name.
    """
    places = []
    for source in found.values():
        documents = {
            id(node.body[0].value)
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Module | ast.ClassDef | Function)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        documents |= {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documents:
                continue
            if IS_NO.search(node.value):
                places.append(f"{source.name}:{node.lineno}: {node.value.strip()[:80]}")
    return sorted(places)


def bare_tuples(found: dict[str, Source]) -> list[str]:
    """Return the signatures with a tuple of three or more different things, which a named tuple would tell apart.

    Args:
        found: Modules by name.
    """
    places = []
    for source in found.values():
        for owner, function in _functions(source.tree):
            annotations = [argument.annotation for argument in ast.walk(function.args) if isinstance(argument, ast.arg)]
            for annotation in (*annotations, function.returns):
                if annotation is not None and any(_is_long_tuple(node) for node in ast.walk(annotation)):
                    places.append(f"{source.name}.{'.'.join((*owner, function.name))}: {ast.unparse(annotation)}")
    return sorted(set(places))


def _is_long_tuple(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and ast.unparse(node.value) in ("tuple", "Tuple")
        and isinstance(node.slice, ast.Tuple)
        and len(node.slice.elts) >= 3
    )


def _functions(tree: ast.AST, owner: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Function]]:
    """Every function with the names of the classes around it; functions inside functions are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield owner, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, (*owner, node.name))
        elif isinstance(node, ast.If | ast.Try):
            yield from _functions(node, owner)


def _parameters(function: Function) -> list[tuple[str, str]]:
    """Name and annotation of every parameter but self and cls."""
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    listed += [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    pairs = [(argument.arg, ast.unparse(argument.annotation) if argument.annotation else "") for argument in listed]
    return [pair for pair in pairs if pair[0] not in ("self", "cls")]


def _class_docstring(tree: ast.AST, owner: tuple[str, ...]) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and owner and node.name == owner[-1]:
            return ast.get_docstring(node) or ""
    return ""


if __name__ == "__main__":
    main()
