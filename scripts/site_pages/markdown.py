"""Markdown of the reference pages: tables, fields of dataclasses, and docstrings as text."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

HIDDEN_SECTIONS = ("Args", "Attributes", "Returns", "Raises")
"""Sections of a docstring that the table of fields shows, or that only programmers need."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table.

    Args:
        header: Titles of the columns.
        rows: Cells of each row, as Markdown.
    """
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *escaped)]


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


def fields(kind: type) -> list[str]:
    """Return the table of the fields of a dataclass, or a sentence if there are none.

    Args:
        kind: A class.
    """
    if not dataclasses.is_dataclass(kind) or not dataclasses.fields(kind):
        return ["No fields."]
    notes = field_notes(kind) | _arguments(kind)
    rows = [(code(field.name), default(field), plain(notes.get(field.name, ""))) for field in dataclasses.fields(kind)]
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


def prose(text: str) -> list[str]:
    """Return the paragraphs of a docstring as Markdown, without the sections of `HIDDEN_SECTIONS`.

    Args:
        text: A docstring without indentation.
    """
    lines: list[str] = []
    hidden = False
    for line in text.splitlines():
        section = re.match(r"(\w+):( |$)", line)
        if section or (line and not line.startswith(" ")):
            hidden = bool(section) and section[1] in HIDDEN_SECTIONS  # type: ignore[index]
        if section and not hidden:
            lines += ["", f"**{section[1]}.** {capitalised(line[section.end() :])}"]
        elif not hidden:
            lines.append(line.strip())
    return lines


def summaries(rows: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, row in rows.items():
        yield code(name), plain(row.summary)


def default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return value(field.default, show_none=True)
    if field.default_factory is not dataclasses.MISSING:
        return code(repr(field.default_factory()))
    return "required"


def value(value: Any, show_none: bool = False) -> str:
    if value is None or value is False or isinstance(value, ModuleType):
        return code(repr(value)) if show_none else ""
    if isinstance(value, float):
        return code(number(value))
    if isinstance(value, tuple) and all(isinstance(part, float) for part in value):
        return code(f"[{', '.join(map(number, value))}]")
    return code(value if isinstance(value, str) else repr(value))


def number(value: float) -> str:
    """Return a number as a user writes it: small fractions of 255, which are radii, as such fractions.

    Args:
        value: Any number.
    """
    levels = value * 255
    return f"{round(levels)}/255" if 0 < levels <= 32.5 and abs(levels - round(levels)) < 1e-9 else f"{value:.6g}"


def sentence(text: str) -> str:
    return capitalised(text).rstrip(".") + "."


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def code(text: str) -> str:
    return f"`{text}`" if text else "`''`"


def plain(text: str) -> str:
    """Return a text in which nothing but code in backticks is Markdown.

    Args:
        text: Any text.
    """
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*\[])", r"\\\1", part.replace("<", "&lt;")) for part in parts[::2]]
    return "`".join(parts)


def page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def linked_summaries(rows: Mapping[str, Any], folder: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each row of a table, as a link to its page, and its summary.

    Args:
        rows: Rows of the registry.
        folder: Folder of their pages, beside the page with the links.
    """
    for name, row in rows.items():
        yield f"[{code(name)}]({folder}/{name}.md)", plain(row.summary)


def heading(name: str, index: str, row: Any) -> list[str]:
    """Return the first lines of the page of a component: its name, the summary and a way back.

    Args:
        name: Name of the component.
        index: Title of the page that lists all of its kind, `Attacks` for `attacks.md`.
        row: Row of the registry.
    """
    return [f"# {name}", "", f"{sentence(plain(row.summary))} [All {index.lower()}](../{index.lower()}.md).", ""]


def figure(file: str, caption: str | None) -> list[str]:
    """Return a picture with its caption, which is also its text for people who do not see it.

    Args:
        file: Name of the picture beside the page.
        caption: What the picture shows; None for no picture.
    """
    if caption is None:
        return []
    spoken = re.sub(r"[`\[\]]|\([^()]*\.md\)|\(https[^()]*\)", "", caption).replace('"', "'")
    return [f"![{spoken}]({file}){{ .shown }}", "", f"*{caption}*{{ .caption }}", ""]


def shell(command: str) -> list[str]:
    """Return a command as a block of code.

    Args:
        command: One line.
    """
    return ["```", command, "```", ""]
