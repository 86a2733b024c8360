"""What differs between a processor and an accelerator, on which the host queues work and waits whenever it reads."""

from __future__ import annotations

import torch

STEPS_BETWEEN_READINGS = 8
"""Steps of an attack after which the host of an accelerator reads which samples have succeeded: seven steps of those
that have are lost at most, which a wait at every step would cost all of them."""


def steps_between_readings(device: torch.device) -> int:
    """Return after how many steps an attack reads which samples have succeeded.

    Args:
        device: Device of the attack. A CPU has nothing to wait for, so that samples leave at once.
    """
    return 1 if device.type == "cpu" else STEPS_BETWEEN_READINGS


def padded_count(count: int, batch_size: int) -> int:
    """Return a number of rows that is not smaller, and one of few: full batches, and a power of two.

    Args:
        count: Number of rows that are needed.
        batch_size: Size of full batches.
    """
    full, rest = divmod(count, batch_size)
    return full * batch_size + (min(batch_size, 1 << (rest - 1).bit_length()) if rest else 0)
