"""Write the reference pages of the documentation from the code: commands, settings, every table, the Python API.

    python scripts/render_reference.py [--out docs/reference] [--sources build/docs]

The pages are written anew for every build of the site and are not kept in the repository, so they cannot go stale.
`--sources` is a folder of links in which the four wings lie inside the package, as they do when it is installed: the
site generator reads docstrings there without importing anything.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
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
HIDDEN_SECTIONS = ("Args", "Attributes", "Returns", "Raises")


def main() -> None:
    """Write every page, and link the sources."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reference")
    parser.add_argument("--sources", type=Path, default=ROOT / "build" / "docs")
    arguments = parser.parse_args()
    link_sources(arguments.sources)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (arguments.out / name).write_text(page)
    shutil.copy(ROOT / "examples" / "digits-zoo.png", arguments.out)


def pages() -> dict[str, str]:
    """Return the text of every reference page by its file name."""
    return {
        "commands.md": commands_page(),
        "settings.md": settings_page(),
        "attacks.md": attacks_page(),
        "corruptions.md": corruptions_page(),
        "defenses.md": defenses_page(),
        "benchmarks.md": benchmarks_page(),
        "suites.md": suites_page(),
        "metrics.md": metrics_page(),
        "components.md": components_page(),
        "api.md": api_index(),
        **{api_file(module): api_page(module) for module in API},
    }


def link_sources(folder: Path) -> None:
    """Fill `folder` with links that show the package as it is installed, the wings among its rooms.

    Args:
        folder: Folder in which the package is laid out; links from an earlier run are replaced.
    """
    package = folder / PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    for link in package.iterdir():
        link.unlink()
    for path in (*(ROOT / PACKAGE).iterdir(), *(ROOT / wing for wing in WINGS)):
        (package / path.name).symlink_to(path)


# --- Pages ---


def commands_page() -> str:
    """Return the page of all commands with their arguments and options."""
    lines = ["# Commands", "", "Generated from the command line itself; `robust-eval COMMAND --help` prints the same."]
    for name, command in commands():
        lines += ["", f"## {name}", ""]
        if name != "robust-eval":  # the help of the main command is made of examples, which the guide explains
            lines += [_plain(command.help or "")]
        else:
            lines += ["Evaluate one or more models. The [guide](../guide.md) explains the options."]
        parameters = [parameter for parameter in command.params if not parameter.hidden and parameter.name != "help"]
        if parameters:
            lines += ["", *table(("option", "default", "meaning"), map(_parameter_row, parameters))]
    return _page(lines)


def settings_page() -> str:
    """Return the page of the settings of an evaluation and of a training."""
    from robustbench_eff import Settings, TrainSettings

    lines = ["# Settings", "", "Fields of the settings in Python. The command line has an option for most of them."]
    for kind, purpose in ((Settings, "an evaluation"), (TrainSettings, "a training")):
        lines += ["", f"## {kind.__name__}", "", f"Settings of {purpose}.", ""]
        notes = field_notes(kind)
        rows = [(_code(field.name), _code(str(field.type)), _default(field), _plain(notes.get(field.name, "")))
                for field in dataclasses.fields(kind)]  # fmt: skip
        lines += table(("field", "type", "default", "meaning"), rows)
    return _page(lines)


def attacks_page() -> str:
    """Return the page of all attacks with their fields, and of the adapters to other libraries."""
    from robustbench_eff.models.smoothing import Smoothing
    from robustbench_eff.registry.attacks import ADAPTERS, ATTACKS

    lines = ["# Attacks", "", "Fields and defaults of every attack. [Attacks](../attacks.md) explains how to use them."]
    for name, row in ATTACKS.own.items():
        lines += _component(name, row)
    lines += ["", "## smoothing", "", "Not an attack but a certificate: [Certified accuracy](../certified.md).", ""]
    lines += _fields(Smoothing)
    lines += ["", "## Attacks of other libraries", ""]
    lines += table(("name", "what"), ((f"`{prefix}:NAME`", row.summary) for prefix, row in ADAPTERS.items()))
    return _page(lines)


def corruptions_page() -> str:
    """Return the page of corruptions, sequences, stylisers and sets of perturbations."""
    from robustbench_eff.registry.corruptions import CORRUPTIONS
    from robustbench_eff.registry.perturbation_sets import PERTURBATION_SETS
    from robustbench_eff.registry.sequences import SEQUENCES
    from robustbench_eff.registry.stylisers import STYLISERS

    lines = ["# Corruptions", "", "[Corruptions and sequences](../corruptions.md) explains how to use them.", ""]
    lines += table(("corruption", "what"), _summaries(CORRUPTIONS.own))
    lines += ["", "## Sequences", "", *table(("sequence", "what"), _summaries(SEQUENCES.own))]
    lines += ["", "## Sets of perturbations", "", "One name stands for all members.", ""]
    lines += table(
        ("set", "members", "first member"),
        ((_code(name), str(len(texts)), _code(texts[0])) for name, texts in PERTURBATION_SETS.items()),
    )
    lines += ["", "## Stylisers", ""]
    for name, row in STYLISERS.own.items():
        lines += _component(name, row, level=3)
    return _page(lines)


def defenses_page() -> str:
    """Return the page of all training recipes with their fields, and of the schedule."""
    from robustbench_eff.defenses import Schedule
    from robustbench_eff.registry.defenses import DEFENSES

    lines = ["# Defenses", "", "Fields and defaults of every recipe. [Training](../training.md) explains them."]
    for name, row in DEFENSES.own.items():
        lines += _component(name, row)
    lines += ["", "## The schedule", "", "The same for every recipe: `--schedule 'epochs=20, mirror=true'`.", ""]
    return _page([*lines, *_fields(Schedule)])


def benchmarks_page() -> str:
    """Return the page of all benchmarks with their classes, size, licence and address."""
    from robustbench_eff.registry.benchmarks import BENCHMARKS, SCORED_WITH

    lines = ["# Benchmarks", "", "`robust-eval list benchmarks` says which of them this machine has.", ""]
    rows = []
    for name, row in BENCHMARKS.own.items():
        item = row.load()
        images = f"{_sentence(item.size)}<br>License: {item.licence}." if item.size else f"License: {item.licence}."
        rows.append((_code(name), f"{_sentence(row.summary)} {item.num_classes} classes.", images, item.download_url))
    lines += table(("benchmark", "what", "images", "where to get them"), rows)
    lines += ["", "Scored together with another benchmark, not run on its own:", ""]
    lines += [f"- `{name}`, with `{base}`" for name, base in SCORED_WITH.items()]
    return _page(lines)


def suites_page() -> str:
    """Return the page of the shipped suites with their files."""
    from robustbench_eff.registry.suites import SUITES

    lines = ["# Shipped suites", "", "[Suites](../suites.md) explains the form."]
    for name, summary in SUITES.items():
        text = (files(PACKAGE) / "suites" / f"{name}.yaml").read_text()
        lines += ["", f"## {name}", "", f"{_sentence(summary)}", "", "```yaml", text.rstrip(), "```"]
    return _page(lines)


def metrics_page() -> str:
    """Return the page of all metrics with unit, range, direction and source."""
    from robustbench_eff.core.metric import METRICS

    lines = ["# Metrics", "", "[Scores](../scores.md) explains how they are computed, and their intervals.", ""]
    rows = [
        (
            _code(metric.name + metric.arguments),
            metric.summary,
            metric.unit,
            f"{_bound(metric.low, '-∞')} to {_bound(metric.high, '∞')}",
            "higher" if metric.higher_is_better else "lower",
            metric.source,
        )
        for metric in METRICS.values()
    ]
    return _page([*lines, *table(("metric", "what", "unit", "range", "better", "source"), rows)])


def components_page() -> str:
    """Return the page of all tables of the registry, whatever their kind, with their entry-point groups."""
    lines = ["# All components", "", "Every table of the registry. [Plugins](../plugins.md) add rows by entry points."]
    for rows in registry_tables():
        lines += ["", f"## {rows.kind}", "", f"Entry-point group: `{rows.group}`.", ""]
        lines += table(("name", "what"), _summaries(rows.own))
    return _page(lines)


def api_index() -> str:
    """Return the first page of the API reference, with every public module and its names."""
    lines = ["# Python API", "", "Everything on these pages is public: [Deprecation policy](../deprecation.md).", ""]
    rows = [
        (f"[`{module}`]({api_file(module)})", summary, ", ".join(map(_code, public_names(module))))
        for module, summary in API.items()
    ]
    return _page([*lines, *table(("module", "what", "names"), rows)])


def api_page(module: str) -> str:
    """Return the page of a public module, whose docstrings the site generator fills in.

    Args:
        module: Dotted name, one of `API`.
    """
    lines = [f"# {module}", "", API[module]]
    names = public_names(module)
    if not names:
        return _page([*lines, "", f"::: {module}"])
    for name in names:
        home = defined_in(module, name)
        if home is None:
            lines += ["", f"## {name}", "", "A text or a number."]
        elif not _is_class_or_function(home, name):
            lines += ["", f"## {name}", "", f"::: {home}", "    options:", "      members: false"]
            lines += ["      show_root_heading: false", "      show_root_toc_entry: false"]
        else:
            lines += ["", f"::: {home}.{name}"]
    return _page(lines)


def api_file(module: str) -> str:
    """Return the file name of a public module's page.

    Args:
        module: Dotted name, one of `API`.
    """
    return f"api-{module.rpartition('.')[2].replace('_', '-')}.md"


# --- What the pages are made of ---


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command of the command line with the words that call it, the main command first."""
    import typer.main

    from robustbench_eff.cli.main import app

    yield from _commands("robust-eval", typer.main.get_command(app))


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        yield from _commands(f"{name} {child}", below)


def registry_tables() -> list[Any]:
    """Return every table of the registry, sorted by kind."""
    from robustbench_eff.registry.table import Table

    names = sorted(path.stem for path in (ROOT / PACKAGE / "registry").glob("*.py") if path.stem != "__init__")
    values = [value for name in names for value in vars(import_module(f"{PACKAGE}.registry.{name}")).values()]
    tables = {value.kind: value for value in values if isinstance(value, Table)}
    return [tables[kind] for kind in sorted(tables)]


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


def field_notes(kind: type) -> dict[str, str]:
    """Return the docstring under each field of a dataclass, on one line.

    Args:
        kind: A dataclass.
    """
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    notes = {}
    for field, note in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
            notes[ast.unparse(field.target)] = " ".join(str(note.value.value).split())
    return notes


def _component(name: str, row: Any, level: int = 2) -> list[str]:
    """Heading, summary, docstring and fields of a row of a table."""
    kind = row.load()
    text = _plain(inspect.cleandoc(kind.__doc__ or ""))
    return ["", f"{'#' * level} {name}", "", *_prose(text), "", *_fields(kind)]


def _fields(kind: type) -> list[str]:
    if not dataclasses.is_dataclass(kind) or not dataclasses.fields(kind):
        return ["No fields."]
    notes = field_notes(kind) | _arguments(kind)
    rows = [
        (_code(field.name), _default(field), _plain(notes.get(field.name, ""))) for field in dataclasses.fields(kind)
    ]
    return table(("field", "default", "meaning"), rows)


def _arguments(kind: type) -> dict[str, str]:
    """What the docstring of a class says of its fields under `Args:` or `Attributes:`."""
    notes: dict[str, str] = {}
    inside, last = False, ""
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        if line.strip() in ("Args:", "Attributes:"):
            inside = True
        elif inside and line and not line.startswith("    "):
            inside = False
        elif inside and line.startswith("        ") and last:
            notes[last] += " " + line.strip()
        elif inside and ":" in line:
            last, _, note = (part.strip() for part in line.partition(":"))
            notes[last] = note
    return notes


def _prose(text: str) -> list[str]:
    """The paragraphs of a docstring as Markdown, without the sections that the table of fields shows."""
    lines: list[str] = []
    hidden = False
    for line in text.splitlines():
        section = re.match(r"(\w+):( |$)", line)
        if section or (line and not line.startswith(" ")):
            hidden = bool(section) and section[1] in HIDDEN_SECTIONS  # type: ignore[index]
        if section and not hidden:
            lines += ["", f"**{section[1]}.** {_capitalised(line[section.end() :])}"]
        elif not hidden:
            lines.append(line.strip())
    return lines


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table.

    Args:
        header: Titles of the columns.
        rows: Cells of each row, as Markdown.
    """
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *escaped)]


def _parameter_row(parameter: Any) -> tuple[str, str, str]:
    name = ", ".join(map(_code, (*parameter.opts, *parameter.secondary_opts)))
    if parameter.param_type_name == "argument":
        name = _code(str(parameter.name).upper() + (" ..." if parameter.nargs == -1 else ""))
    repeated = " May be repeated." if getattr(parameter, "multiple", False) else ""
    default = "required" if parameter.required else _value(parameter.default)
    return name, default, _plain(parameter.help or "") + repeated


def _summaries(rows: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, row in rows.items():
        yield _code(name), _plain(row.summary)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return _value(field.default, show_none=True)
    if field.default_factory is not dataclasses.MISSING:
        return _code(repr(field.default_factory()))
    return "required"


def _value(value: Any, show_none: bool = False) -> str:
    if value is None or value is False or isinstance(value, ModuleType):
        return _code(repr(value)) if show_none else ""
    if isinstance(value, float):
        return _code(_number(value))
    return _code(value if isinstance(value, str) else repr(value))


def _number(value: float) -> str:
    """A number as a user writes it: radii of 8-bit images as fractions of 255."""
    levels = value * 255
    return f"{round(levels)}/255" if 0 < value < 1 and abs(levels - round(levels)) < 1e-9 else f"{value:.6g}"


def _bound(value: float | None, unbounded: str) -> str:
    return unbounded if value is None else f"{value:g}"


def _sentence(text: str) -> str:
    return _capitalised(text).rstrip(".") + "."


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _code(text: str) -> str:
    return f"`{text}`" if text else "`''`"


def _plain(text: str) -> str:
    """A text in which nothing but code in backticks is Markdown."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*\[])", r"\\\1", part.replace("<", "&lt;")) for part in parts[::2]]
    return "`".join(parts)


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
