"""imagecorruptions 1.1.2, repaired: three of its functions need arguments and types that no longer exist."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import skimage.filters
from PIL import Image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports deprecated modules of SciPy and setuptools
    import imagecorruptions.corruptions

reference = imagecorruptions.corruptions
Picture = npt.NDArray[np.uint8]


@contextmanager
def repaired() -> Iterator[None]:
    """Repair the functions while the block runs."""
    with mock.patch.object(reference, "gaussian", _gaussian), mock.patch.object(np, "float_", np.float64, create=True):
        yield


def corrupted(name: str, image: Picture, severity: int, seed: int) -> Picture:
    """Corrupt an image of shape (H, W, 3) with the package, with NumPy's generators at the given seed."""
    state, new_generator = np.random.get_state(), np.random.default_rng
    np.random.seed(seed)
    try:
        with repaired(), mock.patch.object(np.random, "default_rng", lambda *_: new_generator(seed)):
            return np.uint8(getattr(reference, name)(Image.fromarray(image), severity))  # type: ignore[return-value]
    finally:
        np.random.set_state(state)


def _gaussian(image: npt.NDArray[Any], sigma: Any = 1, multichannel: bool = False, **options: Any) -> Any:
    return skimage.filters.gaussian(image, sigma=sigma, channel_axis=-1 if multichannel else None, **options)
