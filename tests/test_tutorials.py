"""The tutorials of the documentation run as they stand, and print what they say they print.

A block with a title is a file, a block of `bash` is run, and a block of `text` shows lines of its output, in order: `…`
stands for anything, and a number may differ a little, because processors round differently.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
TOLERANCE = 3.0
"""Difference by which a number in percent may differ."""
TIMEOUT = 300
"""Seconds after which a block fails, generous because the machine may be busy."""


class Block(NamedTuple):
    """A block of code of a page."""

    language: str
    title: str
    text: str


def blocks(page: str) -> Iterator[Block]:
    return (Block(*found) for found in FENCE.findall(page))


def run(script: str, folder: Path) -> str:
    """Run a script as a reader does, and return everything that it prints."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


def fits(shown: str, printed: str) -> bool:
    """Whether a line of the page is the printed line, apart from spaces, what `…` stands for, and small differences."""
    shown, printed = (" ".join(line.split()) for line in (shown, printed))
    pattern = "".join(
        "(.*)" if part == "…" else r"(\d+(?:\.\d+)?)" if NUMBER.fullmatch(part) else re.escape(part)
        for part in re.split(rf"(…|{NUMBER.pattern})", shown)
    )
    found = re.fullmatch(pattern, printed)
    parts = re.findall(rf"…|{NUMBER.pattern}", shown)
    return found is not None and all(
        part == "…" or abs(float(part) - float(value)) <= TOLERANCE
        for part, value in zip(parts, found.groups(), strict=True)
    )


def check_output(shown: str, printed: str) -> None:
    """Every line of the page must be among the printed ones, in the same order."""
    left = printed.splitlines()
    for line in filter(str.strip, shown.splitlines()):
        at = next((number for number, candidate in enumerate(left) if fits(line, candidate)), None)
        assert at is not None, f"not printed: {line}\n\nprinted:\n{printed}"
        left = left[at + 1 :]


@pytest.mark.parametrize("name", sorted(path.stem for path in TUTORIALS.glob("*.md")))
def test_a_tutorial_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    printed, shown = "", 0
    for block in blocks((TUTORIALS / f"{name}.md").read_text()):
        if block.title:
            (tmp_path / block.title).write_text(block.text)
        elif block.language == "bash":
            printed = run(block.text, tmp_path)
        else:
            assert block.language == "text", f"{block.language} is neither run nor compared"
            check_output(block.text, printed)
            shown += 1
    assert shown > 3


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a  b", "a b", True),
        ("n = 360", "n = 361", True),
        ("accuracy 3.06 %", "accuracy 9.06 %", False),
        ("clean … n = 12.", "clean 99.7 % [1, 2], n = 12.", True),
        ("clean … n = 12.", "clean 99.7 % [1, 2], n = 60.", False),
        ("other", "another", False),
    ],
)
def test_lines_are_compared(shown: str, printed: str, same: bool) -> None:
    assert fits(shown, printed) is same
