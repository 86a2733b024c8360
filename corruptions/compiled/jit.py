"""Compiling and running loops: images in parallel, sums in the order in which they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import llvmlite.binding
import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from robustbench_eff.core.center_crop import crop_corner

Function = TypeVar("Function", bound=Callable[..., Any])
FRACTIONS = np.arange(256) / 255
"""The fraction of every level."""
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
"""Offsets of numbers that are read at once: unsigned, so that numba does not look for negative indices."""

KNOWN_COMPILER: bool = llvmlite.binding.llvm_version_info >= (20,)
"""Whether the compiler is as new as one whose vectors of equal operations were compared byte by byte."""


def loop(function: Function) -> Function:
    """Compile a function for one image, without fast math, so that no operation is reordered or fused.

    Args:
        function: Function in the subset of Python that numba compiles.
    """
    compiled: Function = _compiled(function)
    return compiled


def _compiled(function: Callable[..., Any], **options: bool) -> Any:
    """A compiled function, which is kept for later processes where numba finds a folder that it can write."""
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no such folder: NUMBA_CACHE_DIR would name one
        return numba.njit(nogil=True, error_model="numpy", **options)(function)


@loop
def to_level(fraction):
    """Return the level of a fraction, clipped and truncated.

    Args:
        fraction: Fraction of white.
    """
    return np.uint8(min(max(fraction, 0.0), 1.0) * 255)


def parallel(function: Function) -> Function:
    """Compile a function for a batch, whose images (numba.prange) are distributed over as many threads as torch uses.

    Numba's first call sets the number of threads of the OpenMP library, which it shares with torch, to the number of
    cores; the value of torch is restored after each call. So is numba's choice whether the first call, which compiles,
    makes vectors of equal operations that are written one after the other (the channels of a pixel); here it does, if
    the compiler is one with which the bytes were compared.

    Args:
        function: Function in the subset of Python that numba compiles.
    """
    compiled = _compiled(function, parallel=True)

    def call(*arguments: Any) -> Any:
        threads, vectorised = torch.get_num_threads(), numba.config.SLP_VECTORIZE
        numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
        numba.config.SLP_VECTORIZE = int(KNOWN_COMPILER)
        try:
            return compiled(*arguments)
        finally:
            numba.config.SLP_VECTORIZE = vectorised
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)

    return call  # type: ignore[return-value]


def apply_loop(function: Callable[..., None], images: Tensor, *arguments: Any) -> Tensor:
    """Run a compiled function on a batch of images.

    Args:
        function: Called as function(images, *arguments, out), with arrays in place of tensors.
        images: Images on the CPU.
        *arguments: Further arguments.

    Returns:
        What the function writes to `out`, of the shape and dtype of `images`.
    """
    source = array(images)
    out = np.empty_like(source)
    function(source, *(array(item) if isinstance(item, Tensor) else item for item in arguments), out)
    return torch.from_numpy(out)


def apply_frame_loop(
    function: Callable[..., None], maps: Tensor, picture: Tensor, size: int, *arguments: Any
) -> Tensor:
    """Run a compiled function that makes frames of the centre of a picture.

    Args:
        function: Called as function(maps, picture, top, left, *arguments, out), with arrays in place of tensors.
        maps: One map per frame, on the CPU.
        picture: Picture on the CPU.
        size: Side of a frame in pixels.
        *arguments: Further arguments.

    Returns:
        Frames, uint8 (frames, size, size, 3).
    """
    out = np.empty((len(maps), size, size, 3), dtype=np.uint8)
    function(array(maps), array(picture), *crop_corner(picture.shape[0], picture.shape[1], size), *arguments, out)
    return torch.from_numpy(out)


def array(tensor: Tensor) -> npt.NDArray[Any]:
    """Return a C-contiguous array that shares the memory of the tensor if possible.

    Args:
        tensor: Tensor on the CPU.
    """
    return tensor.contiguous().numpy()
