"""imagecorruptions 1.1.2 as it was meant: three of its functions ask for arguments and types that are gone."""

from __future__ import annotations

import warnings
from typing import Any
from unittest import mock

import numpy as np
import pytest
from PIL import Image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports places in SciPy and setuptools that are about to go
    reference = pytest.importorskip("imagecorruptions.corruptions", reason="the reference package is not installed")
skimage = pytest.importorskip("skimage.filters")


def _gaussian(image: np.ndarray, sigma: Any = 1, multichannel: bool = False, **options: Any) -> np.ndarray:
    return skimage.gaussian(image, sigma=sigma, channel_axis=-1 if multichannel else None, **options)


def corrupted(name: str, image: np.ndarray, severity: int, seed: int) -> np.ndarray:
    """What the package makes of a uint8 image when NumPy's global generator has that seed."""
    old_generator = np.random.get_state()
    new_generator = np.random.default_rng
    np.random.seed(seed)
    try:
        with (
            mock.patch.object(reference, "gaussian", _gaussian),
            mock.patch.object(np, "float_", np.float64, create=True),
            mock.patch.object(np.random, "default_rng", lambda *_: new_generator(seed)),
        ):
            return np.uint8(getattr(reference, name)(Image.fromarray(image), severity))
    finally:
        np.random.set_state(old_generator)
