"""What all commands share: errors as sentences, consoles, and options that need reading."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from robustbench_eff.core import spec
from robustbench_eff.core.errors import Interrupted, RobustEvalError, RobustEvalWarning, SpecError, UsageError
from robustbench_eff.reports import errors as report


@contextmanager
def error_boundary() -> Iterator[None]:
    """User errors as sentences on stderr with their exit code; warnings as sentences too."""
    console = errors()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RobustEvalWarning)
        try:
            yield
        except RobustEvalError as error:
            report.print_error(error, console)
            raise typer.Exit(error.exit_code) from error
        finally:
            for warning in caught:
                ours = issubclass(warning.category, RobustEvalWarning)
                kind = "note" if ours else f"{warning.category.__name__} in {warning.filename}"
                console.print(f"{kind}: {warning.message}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Ctrl-C while a folder is written, as a sentence with the command that goes on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"Interrupted. What was written is in {out}.",
            f"To go on, repeat the command:\n  {shlex.join(['robust-eval', *sys.argv[1:]])}",
        ) from stop


def print_progress(text: str, done: int, total: int) -> None:
    """How far a folder of images is."""
    errors().print(f"{text}: {done} of {total} images", highlight=False, markup=False)


def parse_numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    parts = text.replace(",", " ").split()
    if len(parts) not in (1, 3):
        raise UsageError(f"{option} takes one number or three, got {text!r}.")
    return tuple(spec.number(part) for part in parts)


def parse_geometry(text: str | None) -> str | None:
    if text not in (None, "crop", "squash", "none"):
        raise UsageError(f"--geometry must be crop, squash or none, got {text!r}.")
    return text


def parse_model_args(options: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in options:
        key, equals, _ = option.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--model-arg takes KEY=VALUE, got {option!r}.")
        try:
            found |= spec.parse(f"model({option})").arguments
        except SpecError:  # no literal: a word, such as a path
            found[key] = option.partition("=")[2]
    return found


def parse_batch_size(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit():
        raise UsageError(f"--batch-size must be auto or a number, got {text!r}.")
    return int(text)


def parse_target_ci(text: str | None) -> float | None:
    """Points, written `±0.5`, `+-0.5` or `0.5`."""
    if text is None:
        return None
    try:
        return float(text.removeprefix("±").removeprefix("+-"))
    except ValueError:
        raise UsageError(f"--target-ci must be a number of points, got {text!r}.", "Try: --target-ci ±0.5") from None


def output() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def errors() -> Console:
    return Console(stderr=True)
