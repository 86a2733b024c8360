"""The sequences of ImageNet-P and CIFAR-10-P, one file each."""

from __future__ import annotations

from .brightness import BRIGHTNESS
from .gaussian_blur import GAUSSIAN_BLUR
from .gaussian_noise import GAUSSIAN_NOISE
from .motion_blur import MOTION_BLUR
from .rotate import ROTATE
from .scale import SCALE
from .shear import SHEAR
from .shot_noise import SHOT_NOISE
from .snow import SNOW
from .spatter import SPATTER
from .speckle_noise import SPECKLE_NOISE
from .tilt import TILT
from .translate import TRANSLATE
from .zoom_blur import ZOOM_BLUR

__all__ = [
    "BRIGHTNESS",
    "GAUSSIAN_BLUR",
    "GAUSSIAN_NOISE",
    "MOTION_BLUR",
    "ROTATE",
    "SCALE",
    "SHEAR",
    "SHOT_NOISE",
    "SNOW",
    "SPATTER",
    "SPECKLE_NOISE",
    "TILT",
    "TRANSLATE",
    "ZOOM_BLUR",
]
