"""Random fields, the same on every device: uniform, and normal by table.

Where a CPU can run compiled loops they draw the same numbers.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.stats import norm
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams

BITS = 16
"""Of a normal number: with so many values it is told from a continuous one by no image of 8 bits."""


@cache
def can_compile() -> bool:
    """Whether numba is installed."""
    return find_spec("numba") is not None


def uniforms(draws: RandomStreams, shape: tuple[int, ...], stream: str) -> Float32[Tensor, "batch ..."]:
    """Uniform in [0, 1) with 24 bits."""
    if draws.keys.device.type == "cpu" and can_compile():
        from .compiled import random

        return random.uniforms(draws, shape, stream)
    return draws.uniform(shape, stream=stream)


def normals(draws: RandomStreams, shape: tuple[int, ...], stream: str) -> Float32[Tensor, "batch ..."]:
    """Standard normal: the mean of each of 2^16 equally likely parts of the distribution, scaled to variance 1.

    Logarithms and cosines differ from device to device in their last bits; a table does not.
    """
    if draws.keys.device.type == "cpu" and can_compile():
        from .compiled import random

        return random.looked_up(draws, shape, stream, _parts())
    count = math.prod(shape)
    found = draws.words((count + 1) // 2, stream=stream)
    halves = torch.stack((found & (2**BITS - 1), found >> BITS), 2).flatten(1)[:, :count]
    return _parts().to(draws.keys.device)[halves].view(-1, *shape)


@cache
def _parts() -> Float[Tensor, parts]:
    """The mean of a part between quantiles a and b is the difference of the densities there over its probability."""
    edges = norm.ppf(np.arange(2**BITS + 1) / 2**BITS)
    means = -np.diff(norm.pdf(edges)) * 2**BITS
    return torch.from_numpy((means / means.std()).astype(np.float32))
