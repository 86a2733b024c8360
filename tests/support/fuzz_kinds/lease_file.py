"""Leases of stores in object stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from fuzzing import Kind
from robustbench_eff.storage import lease
from robustbench_eff.storage.store import Store

LEASE = b'{"host": "host", "machine": "host boot 1", "pid": 12, "token": "0123456789abcdef", "beat": 3}'


def _samples(_folder: Path) -> Sequence[bytes]:
    return [LEASE]


def _read(content: bytes, _folder: Path) -> None:
    store = Store("memory://fuzzed-lease")
    store._files.write(lease.NAME, content)
    with patch.multiple(lease, HEARTBEAT_SECONDS=0.001, LEASE_TIMEOUT_SECONDS=0.001), store.lock():
        pass


KIND = Kind(_samples, _read, is_text=True)
