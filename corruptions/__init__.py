"""Corruptions: images get worse in ways that know neither a model nor a label."""

from __future__ import annotations

from .brightness import BRIGHTNESS
from .contrast import CONTRAST
from .corruption import Corruption, Kernel
from .defocus_blur import DEFOCUS_BLUR
from .elastic_transform import ELASTIC_TRANSFORM, ELASTIC_TRANSFORM_IMAGECORRUPTIONS
from .fog import FOG
from .frost import FROST, frost_of
from .gaussian_blur import GAUSSIAN_BLUR
from .gaussian_noise import GAUSSIAN_NOISE
from .glass_blur import GLASS_BLUR
from .impulse_noise import IMPULSE_NOISE
from .jpeg_compression import JPEG_COMPRESSION
from .motion_blur import MOTION_BLUR
from .pixelate import PIXELATE
from .saturate import SATURATE
from .saved import Saved
from .shot_noise import SHOT_NOISE
from .snow import SNOW, SNOW_IMAGECORRUPTIONS
from .spatter import SPATTER
from .speckle_noise import SPECKLE_NOISE
from .zoom_blur import ZOOM_BLUR

__all__ = [
    "BRIGHTNESS",
    "CONTRAST",
    "DEFOCUS_BLUR",
    "ELASTIC_TRANSFORM",
    "ELASTIC_TRANSFORM_IMAGECORRUPTIONS",
    "FOG",
    "FROST",
    "GAUSSIAN_BLUR",
    "GAUSSIAN_NOISE",
    "GLASS_BLUR",
    "IMPULSE_NOISE",
    "JPEG_COMPRESSION",
    "MOTION_BLUR",
    "PIXELATE",
    "SATURATE",
    "SHOT_NOISE",
    "SNOW",
    "SNOW_IMAGECORRUPTIONS",
    "SPATTER",
    "SPECKLE_NOISE",
    "ZOOM_BLUR",
    "Corruption",
    "Kernel",
    "Saved",
    "frost_of",
]
