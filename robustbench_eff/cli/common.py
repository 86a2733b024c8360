"""What all commands share: error handling, consoles, and options whose text has to be parsed."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.console import Console
from typer.core import TyperGroup

from robustbench_eff.core import spec
from robustbench_eff.core.errors import Interrupted, RobustEvalError, RobustEvalWarning, SpecError, UsageError
from robustbench_eff.core.preprocessing import Size
from robustbench_eff.core.progress import reported_to
from robustbench_eff.core.shortages import shortage
from robustbench_eff.core.stops import signal_of
from robustbench_eff.core.visible_text import visible
from robustbench_eff.reports import errors
from robustbench_eff.reports.progress import LongJobs

from .number_words import numbers_joined
from .refused_words import refuse_empty, refuse_options_as_values
from .streams import VisibleConsole


@contextmanager
def error_boundary() -> Iterator[None]:
    """Print user errors and warnings to stderr as sentences.

    Raises:
        typer.Exit: The block raised a RobustEvalError; with the exit code of that error.
    """
    console = error_console()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RobustEvalWarning)
        try:
            with reported_to(LongJobs(console)):
                yield
        except RobustEvalError as error:
            raise _told(error, console) from error
        except KeyboardInterrupt as interrupt:
            raise _told(interrupted("", interrupt), console) from interrupt
        except (MemoryError, OSError, RuntimeError, ImportError) as error:
            if (lack := shortage(error)) is None:
                raise
            raise _told(lack, console) from error
        finally:
            for warning in caught:
                is_ours = issubclass(warning.category, RobustEvalWarning)
                kind = "note" if is_ours else f"{warning.category.__name__} in {warning.filename}"
                print_line(console, f"{kind}: {warning.message}")


def _told(error: RobustEvalError, console: Console) -> typer.Exit:
    """Print an error, and return the exception that ends the command; a terminal that is gone is told nothing."""
    with suppress(OSError):
        errors.print_error(error, console)
    return typer.Exit(error.exit_code)


class Commands(TyperGroup):
    """Commands that refuse arguments which are empty, or options in the place of a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return the arguments that are left once the options of the group are read.

        Args:
            ctx: The call, a context of click.
            args: All arguments.

        Raises:
            typer.Exit: One is empty, or an option has no value; with status 2.
        """
        with error_boundary():
            refuse_empty(args)
            refuse_options_as_values(args, self)
        return super().parse_args(ctx, numbers_joined(args))


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Turn Ctrl-C while a folder is written into a message with the command that resumes.

    Args:
        out: The folder.

    Raises:
        Interrupted: The user pressed Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise interrupted(f"The files written so far are in {out}.", interrupt) from interrupt


def interrupted(message: str, interrupt: KeyboardInterrupt) -> Interrupted:
    """Return the error for Ctrl-C or another signal, whose hint repeats the command.

    Args:
        message: Sentence about what was finished.
        interrupt: What was caught.
    """
    command = shlex.join(["robust-eval", *sys.argv[1:]])
    number = signal_of(interrupt)
    begin = "Interrupted." if number == signal.SIGINT else f"Interrupted by {number.name}."
    return Interrupted(f"{begin} {message}".strip(), f"To resume, repeat the command:\n  {command}", number)


def print_progress(title: str, done: int, total: int) -> None:
    """Print how many images of a folder are written.

    Args:
        title: What is being written.
        done: Number of images that are written.
        total: Number of images of the folder.
    """
    print_line(error_console(), f"{title}: {done} of {total} images")


def parse_numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """Return the one or three numbers of an option.

    Args:
        option: Name of the option, for messages.
        text: Numbers or fractions, separated by commas or spaces, within brackets or not; None if the option was not
            given.

    Raises:
        UsageError: There are not one or three parts, or a part is not a number.
    """
    if text is None:
        return None
    bare = text.strip()
    if (bare[:1], bare[-1:]) in (("(", ")"), ("[", "]")):
        bare = bare[1:-1]
    parts = bare.replace(",", " ").split()
    if len(parts) not in (1, 3):
        raise UsageError(f"{option} must be one number or three, got {text!r}.")
    try:
        return tuple(spec.number(part) for part in parts)
    except SpecError as error:
        raise UsageError(f"{option}: {text!r} is not a number.", "For example 0.5 or 127/255.") from error


def parse_input_size(text: str | None) -> Size | None:
    """Return the value of --input-size.

    Args:
        text: Side of a square, or height and width such as `224x160`, in pixels; None if the option was not given.

    Raises:
        UsageError: The text is neither.
    """
    if text is None:
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise UsageError(
            f"--input-size must be a number of pixels, or height x width, got {text!r}.", "For example 224 or 224x160."
        )
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def parse_geometry(text: str | None) -> str | None:
    """Return the value of --geometry.

    Args:
        text: `crop`, `squash`, `none`, or None if the option was not given.

    Raises:
        UsageError: The text is another one.
    """
    if text not in (None, "crop", "squash", "none"):
        raise UsageError(f"--geometry must be crop, squash or none, got {text!r}.")
    return text


def parse_model_args(options: list[str]) -> dict[str, Any]:
    """Return the arguments of a model's constructor by name.

    Args:
        options: Texts of the form `KEY=VALUE`. A value that is not a literal, such as a path, stays a string.

    Raises:
        UsageError: A text does not have that form.
    """
    arguments: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--model-arg must be KEY=VALUE, got {option!r}.")
        try:
            arguments |= spec.parse(f"model({option})").arguments
        except SpecError:
            arguments[key] = value
    return arguments


def parse_batch_size(text: str) -> int | None:
    """Return the value of --batch-size, None for `auto`.

    Args:
        text: `auto`, or a number of images.

    Raises:
        UsageError: The text is neither.
    """
    if text == "auto":
        return None
    if not text.isdecimal():
        raise UsageError(f"--batch-size must be auto or a number, got {text!r}.")
    return int(text)


def parse_target_ci(text: str | None) -> float | None:
    """Return the value of --target-ci in percentage points.

    Args:
        text: `±0.5`, `+-0.5` or `0.5`; None if the option was not given.

    Raises:
        UsageError: The text is not a number.
    """
    if text is None:
        return None
    try:
        return float(text.removeprefix("±").removeprefix("+-"))
    except ValueError:
        raise UsageError(f"--target-ci must be a number of points, got {text!r}.", "Try: --target-ci ±0.5") from None


def parse_radii(text: str | None) -> tuple[float, ...]:
    """Return the value of --radii; empty if it was not given.

    Args:
        text: Numbers with commas between.

    Raises:
        UsageError: A part is not a number.
    """
    try:
        return tuple(spec.number(part) for part in (text or "").split(",") if part.strip())
    except SpecError as error:
        raise UsageError(f"--radii must be numbers, got {text!r}.", "For example 0,0.25,0.5.") from error


def output_console() -> Console:
    """Return the console of stdout: COLUMNS wide if that is a positive number, else 160 if stdout is not a terminal."""
    return VisibleConsole(width=_width(sys.stdout, 160))


def error_console() -> Console:
    """Return the console of stderr."""
    return VisibleConsole(stderr=True, width=_width(sys.stderr, None))


def _width(stream: TextIO, otherwise: int | None) -> int | None:
    """The width of a console, None for the one that rich finds; it would take COLUMNS=0 for no columns at all."""
    columns = os.environ.get("COLUMNS", "")
    is_number = columns.isdecimal()
    if is_number and int(columns) > 0:
        return None
    if stream.isatty():
        return os.get_terminal_size(stream.fileno()).columns or 80 if is_number else None
    return otherwise or (80 if is_number else None)


def print_line(console: Console, text: str) -> None:
    """Print a text as it is: paths and names are neither wrapped nor read as markup, and cannot steer the terminal.

    Args:
        console: Where to print.
        text: The text.
    """
    console.print(visible(text), markup=False, highlight=False, soft_wrap=True)
