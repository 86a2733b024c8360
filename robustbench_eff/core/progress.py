"""The progress callback of every job that takes a while, and of the passes of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[str, int, int], None]
"""Called as `progress(title, done, total)`: what the job is working on, and how many of how many items are done."""


def ignore_progress(title: str, done: int, total: int) -> None:
    """Do nothing: the default callback.

    Args:
        title: What the job is working on.
        done: Number of items that are done.
        total: Number of items of the job.
    """
    del title, done, total


_LISTENER: ContextVar[ProgressCallback] = ContextVar("listener", default=ignore_progress)


@contextmanager
def reported_to(listener: ProgressCallback) -> Iterator[None]:
    """Have everything inside that takes a while, such as a download, tell a callback how far it is.

    Args:
        listener: The callback.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def report(title: str, done: int, total: int) -> None:
    """Tell whoever listens how far a job is.

    Args:
        title: What the job is working on.
        done: Number of items that are done.
        total: Number of items of the job.
    """
    _LISTENER.get()(title, done, total)


_COUNTER: ContextVar[Callable[[int], None] | None] = ContextVar("counter", default=None)


@contextmanager
def passes_told(counter: Callable[[int], None]) -> Iterator[None]:
    """Have everything inside that queries a network tell how many passes it has made.

    Args:
        counter: Called after every batch with its number of forward and backward passes.
    """
    token = _COUNTER.set(counter)
    try:
        yield
    finally:
        _COUNTER.reset(token)


def passed(passes: int) -> None:
    """Tell whoever counts that a network has made more passes.

    Args:
        passes: Number of images times the number of passes of each.
    """
    if (counter := _COUNTER.get()) is not None:
        counter(passes)
