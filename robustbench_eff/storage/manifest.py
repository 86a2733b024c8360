"""The record of a run: its name, and dataclasses as JSON."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from typing import Any

STARTED = "started"
"""Status of a run until it ends. A run that was killed keeps it."""


def new_run_id() -> str:
    """Return a new name for a run; names sort by time, those of one second by its microseconds."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}{microseconds:06d}Z-{secrets.token_hex(3)}"


def jsonable(record: Any) -> dict[str, Any]:
    """Return a dataclass as plain JSON types.

    Args:
        record: An instance of a dataclass; values that are not JSON types become texts.
    """
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record), default=str))
    return plain
