"""The connection of this process to a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from robustbench_eff.core.errors import MissingExtra, UsageError

try:
    import ray
except ImportError as error:
    raise MissingExtra("ray", "ray") from error


def connect(address: str | None) -> None:
    """Connect this process to a cluster.

    Args:
        address: Address of the cluster; None starts one on this machine.

    Raises:
        UsageError: There is no cluster at the address, or none can be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with _own_sigterm():
            if address is None:
                ray.init("local", include_dashboard=False, logging_level=logging.ERROR)
            else:
                ray.init(address=address, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address is None:
            raise UsageError(f"Ray cannot be started here: {error}", "Leave out --engine ray.") from error
        raise UsageError(
            f"No Ray cluster at {address}: {error}", "Start one with `ray start --head`, or leave out --ray-address."
        ) from error


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces by an exit that closes nothing."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
