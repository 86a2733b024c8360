"""Random fields that are equal on every device: uniform, and normal by table.

On a CPU with numba, compiled loops draw the same numbers.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.special import ndtri
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams

BITS = 16
"""Resolution of a normal number: 8-bit images cannot distinguish it from a continuous one."""


@cache
def can_compile() -> bool:
    """Return True if numba is installed."""
    return find_spec("numba") is not None


def uniforms(draws: RandomStreams, shape: tuple[int, ...], stream: str) -> Float32[Tensor, "batch ..."]:
    """Return uniform numbers in [0, 1) with 24 bits.

    Args:
        draws: Random streams, one per image.
        shape: Shape of the numbers of one image.
        stream: Name of the stream.
    """
    if draws.keys.device.type == "cpu" and can_compile():
        from .compiled import random

        return random.uniforms(draws, shape, stream)
    return draws.uniform(shape, stream=stream)


def normals(draws: RandomStreams, shape: tuple[int, ...], stream: str) -> Float32[Tensor, "batch ..."]:
    """Return standard normal numbers from a table.

    The table contains the mean of each of 2^16 equally likely parts of the distribution, scaled to variance 1.
    Logarithms and cosines differ from device to device in their last bits; a table does not.

    Args:
        draws: Random streams, one per image.
        shape: Shape of the numbers of one image.
        stream: Name of the stream.
    """
    if draws.keys.device.type == "cpu" and can_compile():
        from .compiled import random

        return random.looked_up(draws, shape, stream, _parts())
    count = math.prod(shape)
    words = draws.words((count + 1) // 2, stream=stream)
    halves = torch.stack((words & (2**BITS - 1), words >> BITS), 2).flatten(1)[:, :count]
    return _parts().to(draws.keys.device)[halves].view(-1, *shape)


@cache
def _parts() -> Float[Tensor, parts]:
    """Means of the parts: between two quantiles, the difference of their densities divided by the probability."""
    edges = ndtri(np.arange(2**BITS + 1) / 2**BITS)
    densities = np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi)
    means = -np.diff(densities) * 2**BITS
    return torch.from_numpy((means / means.std()).astype(np.float32))
