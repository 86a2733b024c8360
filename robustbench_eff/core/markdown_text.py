"""Any text within Markdown, where nothing of it is interpreted."""

from __future__ import annotations

_ESCAPED = {mark: f"\\{mark}" for mark in "\\|*_`<>[]~&$"}


def as_markdown(text: str) -> str:
    """Return text in which Markdown does not interpret anything, on one line.

    Args:
        text: Any text; line breaks and unprintable characters become spaces.
    """
    return "".join(_ESCAPED.get(mark, mark if mark.isprintable() else " ") for mark in text)


def markdown_table(heads: list[str], rows: list[list[str]], numbers: int) -> str:
    """Return a table whose last columns are aligned as numbers.

    Args:
        heads: Headings, escaped.
        rows: Cells, escaped, as many as there are headings.
        numbers: Number of columns of numbers.
    """
    rule = ["---"] * (len(heads) - numbers) + ["---:"] * numbers
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rule, *rows))
