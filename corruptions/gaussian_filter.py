"""Gaussian filters, tap by tap in the order of SciPy's, so that float64 sums come out the same.

Source: scipy 1.17 ndimage.gaussian_filter (separable, axis by axis) as called by skimage.filters.gaussian.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float64
from torch import Tensor

Edge: TypeAlias = Literal["nearest", "reflect"]
"""What lies beyond the image: its last pixel, or its mirror image with the last pixel twice."""
MANY = 64
"""From so many taps on each side a filter is a matrix product, whose sums differ in their last bits."""
Field: TypeAlias = Float[Tensor, "batch height width ..."]


def gaussian(field: Field, sigma: float, *, truncate: float = 4.0, edge: Edge = "nearest") -> Field:
    """`field` smoothed along height, then width; `sigma` in pixels, taps up to `truncate` sigmas.

    Sums are float64, and rounded to the field's own type after each of the two.
    """
    if sigma <= 0:
        return field
    for dim in (1, 2):
        field = _along(field.double(), taps(sigma, truncate), dim, edge).to(field.dtype)
    return field


def matrix(weights: npt.NDArray[np.float64], length: int, edge: Edge) -> Float64[Tensor, "length length"]:
    """The filter of these `taps` along a dimension of `length` as a matrix."""
    radius = len(weights) - 1
    both = torch.from_numpy(np.concatenate((weights[:0:-1], weights)))
    source = beyond(length, radius, edge, torch.device("cpu")).unfold(0, 2 * radius + 1, 1)
    return torch.zeros(length, length, dtype=torch.float64).scatter_add_(1, source, both.expand_as(source))


def taps(sigma: float, truncate: float = 4.0) -> npt.NDArray[np.float64]:
    """Weights from the centre outwards; both sides together sum to 1."""
    radius = int(truncate * sigma + 0.5)
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * x**2)
    half: npt.NDArray[np.float64] = (weights / weights.sum())[radius:]
    return half


def beyond(length: int, radius: int, edge: Edge, device: torch.device) -> Tensor:
    """Indices along a dimension of `length` that reach `radius` further on both sides."""
    index = torch.arange(-radius, length + radius, device=device)
    if edge == "nearest":
        return index.clamp_(0, length - 1)
    index = index.remainder(2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def _along(field: Field, weights: npt.NDArray[np.float64], dim: int, edge: Edge) -> Field:
    radius, length = len(weights) - 1, field.shape[dim]
    if radius >= MANY:
        moved: Tensor = torch.tensordot(matrix(weights, length, edge).to(field.device), field, ([1], [dim]))
        return moved.movedim(0, dim)
    padded = field.index_select(dim, beyond(length, radius, edge, field.device))
    total = field * float(weights[0])
    for tap in range(radius, 0, -1):  # from the outermost pair inwards
        pair = padded.narrow(dim, radius - tap, length) + padded.narrow(dim, radius + tap, length)
        total += pair.mul_(float(weights[tap]))
    return total
