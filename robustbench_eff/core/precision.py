"""Plain float32, regardless of the user's global settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_float32(device: torch.device) -> Iterator[None]:
    """Compute in float32 within a `with` block: no autocast, no TF32 in convolutions and matrix products.

    The former settings are restored afterwards.

    Args:
        device: Device whose autocast is switched off.
    """
    cudnn, precision = torch.backends.cudnn, torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        flags = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
        with cudnn.flags(**flags, allow_tf32=False), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
