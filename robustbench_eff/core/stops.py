"""Signals that ask a process to stop: each becomes a KeyboardInterrupt, so that what was begun is closed."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C; the request of a scheduler or of a system that shuts down; the end of the terminal (not on Windows)."""
CLOSING_SECONDS = 10.0
"""Seconds after the first signal in which further ones are ignored, because the outcomes are being stored."""


class Stop(KeyboardInterrupt):
    """A signal asked this process to stop."""

    def __init__(self, number: int) -> None:
        """Make the exception.

        Args:
            number: Number of the signal.
        """
        super().__init__()
        self.number = number


def signal_of(interrupt: KeyboardInterrupt) -> signal.Signals:
    """Return the signal that interrupted this process; that of Ctrl-C if it is not known.

    Args:
        interrupt: What was caught.
    """
    return signal.Signals(interrupt.number if isinstance(interrupt, Stop) else signal.SIGINT)


def raise_stops() -> None:
    """Raise Stop in the main thread at the first signal.

    Further ones are ignored while the process closes; after `CLOSING_SECONDS` the next one ends it at once. A signal
    that the parent wants to be ignored, as `nohup` does, stays so.
    """
    first: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if not first:
            first.append(time.monotonic())
            raise Stop(number)
        if time.monotonic() - first[0] > CLOSING_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
