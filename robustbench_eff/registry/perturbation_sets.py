"""Names that stand for many perturbations, each a tuple of the names of its members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

IMAGENET_C = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
"""The 15 corruptions of ImageNet-C that count towards the mCE, in its order."""
IMAGENET_C_EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The 4 extra corruptions of ImageNet-C."""
IMAGENET_C_BAR = (
    "caustic_refraction",
    "inverse_sparkles",
    "sparkles",
    "perlin_noise",
    "blue_noise_sample",
    "plasma_noise",
    "checkerboard_cutout",
    "cocentric_sine_waves",
    "single_frequency_greyscale",
    "brownish_noise",
)
CIFAR10_C_BAR = (
    "blue_noise_sample",
    "brownish_noise",
    "checkerboard_cutout",
    "inverse_sparkles",
    "pinch_and_twirl",
    "ripple",
    "circular_motion_blur",
    "lines",
    "sparkles",
    "transverse_chromatic_abberation",
)
IMAGENET_P = (
    "gaussian_noise_sequence",
    "shot_noise_sequence",
    "motion_blur_sequence",
    "zoom_blur_sequence",
    "snow_sequence",
    "brightness_sequence",
    "translate_sequence",
    "rotate_sequence",
    "tilt_sequence",
    "scale_sequence",
)
"""The 10 sequences of ImageNet-P, in its order."""
IMAGENET_P_EXTRA = ("speckle_noise_sequence", "gaussian_blur_sequence", "spatter_sequence", "shear_sequence")


def _at_all_severities(names: Iterable[str], constants: str = "imagenet") -> tuple[str, ...]:
    tail = "" if constants == "imagenet" else f", constants={constants!r}"
    return tuple(f"{name}(severity={severity}{tail})" for name in names for severity in range(1, 6))


def _at_all_difficulties(names: Iterable[str], constants: str = "imagenet") -> tuple[str, ...]:
    """Noise has three difficulties; the others are scored at every difficulty from the same frames."""
    tail = "" if constants == "imagenet" else f", constants={constants!r}"
    pairs = [(name, difficulty) for name in names for difficulty in ((1, 2, 3) if "noise" in name else (1,))]
    return tuple(f"{name}(difficulty={difficulty}{tail})" for name, difficulty in pairs)


PERTURBATION_SETS: Mapping[str, tuple[str, ...]] = {
    "imagenet_c": _at_all_severities(IMAGENET_C + IMAGENET_C_EXTRA),
    "imagenet_c_bar": _at_all_severities(IMAGENET_C_BAR),
    "cifar10_c": _at_all_severities(IMAGENET_C + IMAGENET_C_EXTRA, "cifar10"),
    "cifar10_c_bar": _at_all_severities(CIFAR10_C_BAR, "cifar10"),
    "imagenet_p": _at_all_difficulties(IMAGENET_P),
    "imagenet_p_extra": _at_all_difficulties(IMAGENET_P_EXTRA),
    "cifar10_p": _at_all_difficulties(IMAGENET_P + IMAGENET_P_EXTRA, "cifar10"),
}
"""The text of every member by the name of the set."""
