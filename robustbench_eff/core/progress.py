"""The progress callback of every job that takes a while."""

from __future__ import annotations

from collections.abc import Callable
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
