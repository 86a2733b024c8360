"""Corruptions: changes of images that depend on neither a model nor a label."""

from __future__ import annotations

from .blue_noise_sample import BLUE_NOISE_SAMPLE
from .brightness import BRIGHTNESS
from .brownish_noise import BROWNISH_NOISE
from .caustic_refraction import CAUSTIC_REFRACTION
from .checkerboard_cutout import CHECKERBOARD_CUTOUT
from .circular_motion_blur import CIRCULAR_MOTION_BLUR
from .cocentric_sine_waves import COCENTRIC_SINE_WAVES
from .contrast import CONTRAST
from .corruption import Corruption, Kernel
from .defocus_blur import DEFOCUS_BLUR
from .elastic_transform import ELASTIC_TRANSFORM, ELASTIC_TRANSFORM_IMAGECORRUPTIONS
from .fog import FOG
from .frost import FROST, FROST_IMAGECORRUPTIONS, FROST_PUBLISHED, frost_of
from .gaussian_blur import GAUSSIAN_BLUR
from .gaussian_noise import GAUSSIAN_NOISE
from .glass_blur import GLASS_BLUR
from .impulse_noise import IMPULSE_NOISE
from .inverse_sparkles import INVERSE_SPARKLES
from .jpeg_compression import JPEG_COMPRESSION
from .jpeg_roundtrip import JpegSaved
from .lines import LINES
from .motion_blur import MOTION_BLUR
from .perlin_noise import PERLIN_NOISE
from .pinch_and_twirl import PINCH_AND_TWIRL
from .pixelate import PIXELATE
from .plasma_noise import PLASMA_NOISE
from .ripple import RIPPLE
from .saturate import SATURATE
from .shot_noise import SHOT_NOISE
from .single_frequency_greyscale import SINGLE_FREQUENCY_GREYSCALE
from .snow import SNOW, SNOW_IMAGECORRUPTIONS
from .sparkles import SPARKLES
from .spatter import SPATTER
from .speckle_noise import SPECKLE_NOISE
from .stylise import Styliser
from .stylise_adain import AdaIN
from .stylise_colour import Colour
from .stylise_fourier import Fourier
from .stylise_random_phase import RandomPhase
from .transverse_chromatic_abberation import TRANSVERSE_CHROMATIC_ABBERATION
from .zoom_blur import ZOOM_BLUR

__all__ = [
    "AdaIN",
    "BLUE_NOISE_SAMPLE",
    "BRIGHTNESS",
    "BROWNISH_NOISE",
    "CAUSTIC_REFRACTION",
    "CHECKERBOARD_CUTOUT",
    "CIRCULAR_MOTION_BLUR",
    "COCENTRIC_SINE_WAVES",
    "CONTRAST",
    "Colour",
    "Corruption",
    "DEFOCUS_BLUR",
    "ELASTIC_TRANSFORM",
    "ELASTIC_TRANSFORM_IMAGECORRUPTIONS",
    "FOG",
    "FROST",
    "FROST_IMAGECORRUPTIONS",
    "FROST_PUBLISHED",
    "Fourier",
    "GAUSSIAN_BLUR",
    "GAUSSIAN_NOISE",
    "GLASS_BLUR",
    "IMPULSE_NOISE",
    "INVERSE_SPARKLES",
    "JPEG_COMPRESSION",
    "Kernel",
    "LINES",
    "MOTION_BLUR",
    "PERLIN_NOISE",
    "PINCH_AND_TWIRL",
    "PIXELATE",
    "PLASMA_NOISE",
    "RIPPLE",
    "RandomPhase",
    "SATURATE",
    "SHOT_NOISE",
    "SINGLE_FREQUENCY_GREYSCALE",
    "SNOW",
    "SNOW_IMAGECORRUPTIONS",
    "SPARKLES",
    "SPATTER",
    "SPECKLE_NOISE",
    "JpegSaved",
    "Styliser",
    "TRANSVERSE_CHROMATIC_ABBERATION",
    "ZOOM_BLUR",
    "frost_of",
]
