"""Python processes that start without the working directory on their path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_PATH = "PYTHONSAFEPATH"
"""The environment variable that keeps Python from looking for modules in the working directory."""


@contextmanager
def safe_path() -> Iterator[None]:
    """Start processes, inside, in which no file of the working directory takes the place of a module of Python's own.

    `multiprocessing` starts each with `python -c`, which otherwise looks there first: even for `pickle`.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before
