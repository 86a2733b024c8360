"""How loops are compiled and run: images in parallel, sums in the order they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..center_crop import corner

Function = TypeVar("Function", bound=Callable[..., Any])
FRACTIONS = np.arange(256) / 255
"""Of every level."""


def loop(function: Function) -> Function:
    """Compiled for one image; without fast mathematics, so that nothing is reordered or fused."""
    compiled: Function = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled


@loop
def to_level(fraction):
    """Clipped and truncated."""
    return np.uint8(min(max(fraction, 0.0), 1.0) * 255)


def parallel(function: Function) -> Function:
    """Compiled for a batch, whose images (numba.prange) are shared out to the threads that torch would use.

    Numba's first call sets the number of threads of the OpenMP library that torch has in common with it to that of all
    cores; torch gets its own back.
    """
    compiled = numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")(function)

    def call(*arguments: Any) -> Any:
        threads = torch.get_num_threads()
        numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
        try:
            return compiled(*arguments)
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)

    return call  # type: ignore[return-value]


def apply_loop(function: Callable[..., None], images: Tensor, *arguments: Any) -> Tensor:
    """What `function(images, *arguments, out)` writes, of the images' shape and type; all tensors come as arrays."""
    source = array(images)
    out = np.empty_like(source)
    function(source, *(array(item) if isinstance(item, Tensor) else item for item in arguments), out)
    return torch.from_numpy(out)


def apply_frame_loop(
    function: Callable[..., None], maps: Tensor, picture: Tensor, size: int, *arguments: Any
) -> Tensor:
    """The frames that `function(maps, picture, top, left, *arguments, out)` writes, of the picture's middle."""
    out = np.empty((len(maps), size, size, 3), dtype=np.uint8)
    function(array(maps), array(picture), *corner((picture.shape[0], picture.shape[1]), size), *arguments, out)
    return torch.from_numpy(out)


def array(tensor: Tensor) -> npt.NDArray[Any]:
    """The same memory, in order."""
    return tensor.contiguous().numpy()
