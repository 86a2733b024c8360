"""Pages made of one or several tables: commands, settings, suites, metrics, and all rows of the registry."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from typing import Any

from .api import PACKAGE, ROOT
from .markdown import code, default, field_notes, page, plain, sentence, summaries, table, value


def commands_page() -> str:
    """Return the page of all commands with their arguments and options."""
    lines = ["# Commands", "", "Generated from the command line itself; `robust-eval COMMAND --help` prints the same."]
    for name, command in commands():
        lines += ["", f"## {name}", ""]
        if name != "robust-eval":  # the help of the main command is made of examples, which the guide explains
            lines += [plain(command.help or "")]
        else:
            lines += ["Evaluate one or more models. The [guide](../guide.md) explains the options."]
        parameters = [parameter for parameter in command.params if not parameter.hidden and parameter.name != "help"]
        if parameters:
            lines += ["", *table(("option", "default", "meaning"), map(_parameter_row, parameters))]
    return page(lines)


def settings_page() -> str:
    """Return the page of the settings of an evaluation and of a training."""
    from robustbench_eff import Settings, TrainSettings

    lines = ["# Settings", "", "Fields of the settings in Python. The command line has an option for most of them."]
    for kind, purpose in ((Settings, "an evaluation"), (TrainSettings, "a training")):
        lines += ["", f"## {kind.__name__}", "", f"Settings of {purpose}.", ""]
        notes = field_notes(kind)
        rows = [(code(field.name), code(str(field.type)), default(field), plain(notes.get(field.name, "")))
                for field in dataclasses.fields(kind)]  # fmt: skip
        lines += table(("field", "type", "default", "meaning"), rows)
    return page(lines)


def suites_page() -> str:
    """Return the page of the shipped suites with their files."""
    from robustbench_eff.registry.suites import SUITES

    lines = ["# Shipped suites", "", "[Suites](../suites.md) explains the form."]
    for name, summary in SUITES.items():
        text = (files(PACKAGE) / "suites" / f"{name}.yaml").read_text()
        lines += ["", f"## {name}", "", f"{sentence(summary)}", "", "```yaml", text.rstrip(), "```"]
    return page(lines)


def metrics_page() -> str:
    """Return the page of all metrics with unit, range, direction and source."""
    from robustbench_eff.core.metric import METRICS

    lines = ["# Metrics", "", "[Scores](../scores.md) explains how they are computed, and their intervals.", ""]
    rows = [
        (
            code(metric.name + metric.arguments),
            metric.summary,
            metric.unit,
            f"{_bound(metric.low, '-∞')} to {_bound(metric.high, '∞')}",
            "higher" if metric.higher_is_better else "lower",
            metric.source,
        )
        for metric in METRICS.values()
    ]
    return page([*lines, *table(("metric", "what", "unit", "range", "better", "source"), rows)])


def components_page() -> str:
    """Return the page of all tables of the registry, whatever their kind, with their entry-point groups."""
    lines = ["# All components", "", "Every table of the registry. [Plugins](../plugins.md) add rows by entry points."]
    for rows in registry_tables():
        lines += ["", f"## {rows.kind}", "", f"Entry-point group: `{rows.group}`.", ""]
        lines += table(("name", "what"), summaries(rows.own))
    return page(lines)


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


def _parameter_row(parameter: Any) -> tuple[str, str, str]:
    name = ", ".join(map(code, (*parameter.opts, *parameter.secondary_opts)))
    if parameter.param_type_name == "argument":
        name = code(str(parameter.name).upper() + (" ..." if parameter.nargs == -1 else ""))
    repeated = " May be repeated." if getattr(parameter, "multiple", False) else ""
    default = "required" if parameter.required else value(parameter.default)
    return name, default, plain(parameter.help or "") + repeated


def _bound(value: float | None, unbounded: str) -> str:
    return unbounded if value is None else f"{value:g}"
