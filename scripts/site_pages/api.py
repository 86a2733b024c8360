"""Pages of the Python API, whose docstrings the site generator fills in."""

from __future__ import annotations

import ast
from pathlib import Path

from .markdown import code, page, table

ROOT = Path(__file__).parents[2]
PACKAGE = "robustbench_eff"
WINGS = ("attacks", "corruptions", "defenses", "leaderboards")
API = {
    PACKAGE: "Evaluate, certify, load a classifier, train.",
    f"{PACKAGE}.attacks": "Attacks on a model, and the oracle through which they query it.",
    f"{PACKAGE}.corruptions": "Corruptions of 8-bit images, and stylisers.",
    f"{PACKAGE}.defenses": "Training recipes and the loop that runs them.",
    f"{PACKAGE}.leaderboards": "Entries, published results and tables.",
    f"{PACKAGE}.testing": "Contract tests for plugins.",
}
"""The modules whose names are public, each with one line about it."""


def api_index() -> str:
    """Return the first page of the API reference, with every public module and its names."""
    lines = ["# Python API", "", "Everything on these pages is public: [Deprecation policy](../deprecation.md).", ""]
    rows = [
        (f"[`{module}`]({api_file(module)})", summary, ", ".join(map(code, public_names(module))))
        for module, summary in API.items()
    ]
    return page([*lines, *table(("module", "what", "names"), rows)])


def api_page(module: str) -> str:
    """Return the page of a public module, whose docstrings the site generator fills in.

    Args:
        module: Dotted name, one of `API`.
    """
    lines = [f"# {module}", "", API[module]]
    names = public_names(module)
    if not names:
        return page([*lines, "", f"::: {module}"])
    for name in names:
        home = defined_in(module, name)
        if home is None:
            lines += ["", f"## {name}", "", "A text or a number."]
        elif not _is_class_or_function(home, name):
            lines += ["", f"## {name}", "", f"::: {home}", "    options:", "      members: false"]
            lines += ["      show_root_heading: false", "      show_root_toc_entry: false"]
        else:
            lines += ["", f"::: {home}.{name}"]
    return page(lines)


def api_file(module: str) -> str:
    """Return the file name of a public module's page.

    Args:
        module: Dotted name, one of `API`.
    """
    return f"api-{module.rpartition('.')[2].replace('_', '-')}.md"


def public_names(module: str) -> list[str]:
    """Return the names that `__all__` of a module lists, without importing it; empty for a module without `__all__`.

    Args:
        module: Dotted name.
    """
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return sorted(names, key=str.lower)
    return []


def defined_in(module: str, name: str) -> str | None:
    """Return the module in which a public name is defined, following imports of package files; None for a literal.

    Args:
        module: Dotted name of the module that lists the name.
        name: The public name.
    """
    tree = _tree(module)
    is_package = _path(module).name == "__init__.py"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            return defined_in(target, name)
    return None if name.startswith("__") else module


def _is_class_or_function(module: str, name: str) -> bool:
    kinds = ast.ClassDef | ast.FunctionDef
    return any(isinstance(node, kinds) and node.name == name for node in _tree(module).body)


def _path(module: str) -> Path:
    parts = module.split(".")
    folder = ROOT / Path(*(parts[1:] if len(parts) > 1 and parts[1] in WINGS else parts))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text())
