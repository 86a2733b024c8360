"""What the command prints to: names from files cannot steer the terminal, and a full disk ends in one sentence."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.core.visible_text import visible

_Result = TypeVar("_Result")


class VisibleConsole(Console):
    """A console that shows control characters of what it prints as text; its own colours and moves stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of what is printed.

        Args:
            renderable: What is printed.
            options: Options of rich.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class OutputError(RobustEvalError):
    """A stdout that cannot be written: a full disk, or a reader that has closed it."""


class _Output(io.TextIOWrapper):
    """A stdout that raises OutputError once, and is silent from then on."""

    def write(self, text: str, /) -> int:
        return self._done(lambda: super(_Output, self).write(text))

    def flush(self) -> None:
        self._done(super().flush)

    def _done(self, step: Callable[[], _Result]) -> _Result:
        try:
            return step()
        except OSError as error:
            with Path(os.devnull).open("wb") as nowhere:  # what is still buffered would fail again at the end
                os.dup2(nowhere.fileno(), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise OutputError("The program that reads the output ended before all was written.") from error
            raise OutputError(f"The output cannot be written: {error.strerror}.", "Free some space.") from error


@contextmanager
def reported_output() -> Iterator[None]:
    """Let a block print what the encoding of stdout lacks as numbers, and end with a sentence if it cannot be written.

    Raises:
        SystemExit: With status 1, where stdout cannot be written.
    """
    before = sys.stdout
    if not isinstance(before, io.TextIOWrapper):  # closed, or replaced by a test
        with Path(os.devnull).open("w") as nowhere:
            sys.stdout = before or nowhere
            yield
        return
    output = _Output(before.buffer, before.encoding, "backslashreplace", line_buffering=before.line_buffering)
    sys.stdout = output
    try:
        try:
            yield
        finally:
            output.flush()
    except OutputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    finally:
        sys.stdout = before
        with suppress(OutputError):
            output.detach()
