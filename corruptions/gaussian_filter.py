"""Gaussian filters, tap by tap in the order of SciPy, so that float64 sums are equal.

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
"""How the image is padded: by repeating the edge pixel, or by reflection that includes the edge pixel."""
MANY = 64
"""From this many taps on each side a filter is a matrix product, whose sums differ in their last bits."""
Field: TypeAlias = Float[Tensor, "batch height width ..."]


def gaussian(field: Field, sigma: float, *, truncate: float = 4.0, edge: Edge = "nearest") -> Field:
    """Smooth a field along its height, then along its width.

    Sums are float64; each of the two results is rounded to the dtype of the field.

    Args:
        field: Values of any floating dtype.
        sigma: Standard deviation in pixels; at most 0 leaves the field unchanged.
        truncate: Radius of the filter in standard deviations.
        edge: What continues the field beyond its edges.

    Returns:
        The smoothed field, of the same shape and dtype.
    """
    if sigma <= 0:
        return field
    for dim in (1, 2):
        field = _along(field.double(), taps(sigma, truncate), dim, edge).to(field.dtype)
    return field


def matrix(weights: npt.NDArray[np.float64], length: int, edge: Edge) -> Float64[Tensor, "length length"]:
    """Return the filter along one dimension as a matrix.

    Args:
        weights: Weights as from `taps`.
        length: Length of the dimension in pixels.
        edge: How the image is padded.
    """
    radius = len(weights) - 1
    both_sides = torch.from_numpy(np.concatenate((weights[:0:-1], weights)))
    source = beyond(length, radius, edge, torch.device("cpu")).unfold(0, 2 * radius + 1, 1)
    return torch.zeros(length, length, dtype=torch.float64).scatter_add_(1, source, both_sides.expand_as(source))


def taps(sigma: float, truncate: float = 4.0) -> npt.NDArray[np.float64]:
    """Return the weights of a filter from the centre outwards; both sides together sum to 1.

    Args:
        sigma: Standard deviation in pixels, above 0.
        truncate: Radius of the filter in standard deviations.
    """
    radius = int(truncate * sigma + 0.5)
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * x**2)
    half: npt.NDArray[np.float64] = (weights / weights.sum())[radius:]
    return half


def beyond(length: int, radius: int, edge: Edge, device: torch.device) -> Tensor:
    """Return the pixel index at every coordinate from `radius` before the first pixel to `radius` after the last.

    Args:
        length: Length of the dimension in pixels.
        radius: Number of coordinates beyond each end.
        edge: How the image is padded.
        device: Device of the result.
    """
    index = torch.arange(-radius, length + radius, device=device)
    if edge == "nearest":
        return index.clamp_(0, length - 1)
    index = index.remainder(2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def _along(field: Field, weights: npt.NDArray[np.float64], dim: int, edge: Edge) -> Field:
    radius, length = len(weights) - 1, field.shape[dim]
    if radius >= MANY:
        smoothed: Tensor = torch.tensordot(matrix(weights, length, edge).to(field.device), field, ([1], [dim]))
        return smoothed.movedim(0, dim)
    padded = field.index_select(dim, beyond(length, radius, edge, field.device))
    total = field * float(weights[0])
    for tap in range(radius, 0, -1):  # from the outermost pair inwards
        pair = padded.narrow(dim, radius - tap, length) + padded.narrow(dim, radius + tap, length)
        total += pair.mul_(float(weights[tap]))
    return total
