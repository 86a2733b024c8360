"""Sentences around tables: broken at words on a terminal, each on one line for the programs that read a pipe."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console

_INTERVAL = re.compile(r"\[-?[\d.]+, -?[\d.∞]+\]")
_KEPT = "\N{NO-BREAK SPACE}"


def print_prose(text: str, console: Console, style: str = "") -> None:
    """Print sentences; an interval, and a word that is longer than a line, such as a path, is never broken.

    Args:
        text: Sentences, of one or more lines.
        console: Where to print.
        style: Style of rich.
    """
    if console.is_terminal:
        wrap = textwrap.TextWrapper(console.width, break_long_words=False, break_on_hyphens=False)
        whole = _INTERVAL.sub(lambda found: found[0].replace(" ", _KEPT), text)
        text = "\n".join(wrap.fill(line) for line in whole.split("\n")).replace(_KEPT, " ")
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
