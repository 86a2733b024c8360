"""Plain float32, whatever the user has switched on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_float32(device: torch.device) -> Iterator[None]:
    """No autocast, and no TF32 in convolutions and matrix products; the settings come back afterwards."""
    cudnn, precision = torch.backends.cudnn, torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        kept = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
        with cudnn.flags(**kept, allow_tf32=False), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
