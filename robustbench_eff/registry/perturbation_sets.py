"""Names that stand for many perturbations, each a tuple of the names of its members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .medmnist_c import MEDMNIST_C

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
CIFAR10_P = tuple(name.replace("snow", "spatter") for name in IMAGENET_P)
"""The 10 sequences of CIFAR-10-P that are averaged, in its order."""
IMAGENET_P_EXTRA = ("speckle_noise_sequence", "gaussian_blur_sequence", "spatter_sequence", "shear_sequence")
IMAGENET_3DCC = (
    "near_focus",
    "far_focus",
    "fog_3d",
    "flash",
    "color_quant",
    "low_light",
    "xy_motion_blur",
    "z_motion_blur",
    "iso_noise",
    "bit_error",
    "h265_abr",
    "h265_crf",
)
"""The 12 corruptions of ImageNet-3DCC, in the order of its download script."""
BY_SIZE = "by_size"
"""Constants that stand for those that fit the size of the images."""
SMALL = 64
"""Longest side in pixels of images that are corrupted with the constants of CIFAR-10-C."""


class AveragedSet(NamedTuple):
    """Corruptions or sequences whose scores are averaged."""

    names: tuple[str, ...]
    """Names of the corruptions or sequences."""
    constants: str
    """Constants that all of them have."""
    title: str
    """What the set is, with its constants, for captions."""


def _without_ending(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.removesuffix("_sequence") for name in names)


CORRUPTION_SETS: Mapping[str, AveragedSet] = {
    "imagenet_c": AveragedSet(IMAGENET_C, "imagenet", "15 corruptions with the constants of ImageNet-C"),
    "cifar10_c": AveragedSet(IMAGENET_C, "cifar10", "15 corruptions with the constants of CIFAR-10-C"),
    "tiny_imagenet_c": AveragedSet(IMAGENET_C, "tiny_imagenet", "15 corruptions with the constants of Tiny-ImageNet-C"),
    "imagenet_c_bar": AveragedSet(IMAGENET_C_BAR, "imagenet", "10 corruptions of ImageNet-C-bar"),
    "cifar10_c_bar": AveragedSet(CIFAR10_C_BAR, "cifar10", "10 corruptions of CIFAR-10-C-bar"),
    "imagenet_3dcc": AveragedSet(IMAGENET_3DCC, "imagenet_3dcc", "12 corruptions of ImageNet-3DCC"),
    **{
        f"{name}_c": AveragedSet(of, name, f"{len(of)} corruptions of MedMNIST-C for {name}")
        for name, of in MEDMNIST_C.items()
    },
}
"""The sets with a mean accuracy, by the name under which it is reported. No mean is taken over different constants."""
SEQUENCE_SETS: Mapping[str, AveragedSet] = {
    "imagenet_p": AveragedSet(_without_ending(IMAGENET_P), "imagenet", "ImageNet-P"),
    "cifar10_p": AveragedSet(_without_ending(CIFAR10_P), "cifar10", "CIFAR-10-P"),
}
"""The sets of sequences with a mean flip probability, by the name under which it is reported; their names as in cells,
without `_sequence`."""
PUBLISHED_ONLY: Mapping[str, tuple[str, ...]] = {
    "tiny_imagenet": IMAGENET_C + IMAGENET_C_EXTRA,
    "imagenet_3dcc": IMAGENET_3DCC,
    **MEDMNIST_C,
}
"""Corruptions that are read from published files and cannot be generated here, by the name of their constants."""


def constants_for(height: int, width: int) -> str:
    """Return the constants for images of a size, at which corruptions are measured in pixels.

    Args:
        height: Height in pixels of the images that are corrupted.
        width: Their width in pixels.
    """
    return "cifar10" if max(height, width) <= SMALL else "imagenet"


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
    "common_corruptions": _at_all_severities(IMAGENET_C + IMAGENET_C_EXTRA, BY_SIZE),
    "common_sequences": _at_all_difficulties(IMAGENET_P + IMAGENET_P_EXTRA, BY_SIZE),
    "tiny_imagenet_c": _at_all_severities(IMAGENET_C, "tiny_imagenet"),
    "imagenet_3dcc": _at_all_severities(IMAGENET_3DCC, "imagenet_3dcc"),
    **{f"{name}_c": _at_all_severities(of, name) for name, of in MEDMNIST_C.items()},
}
"""The text of every member by the name of the set."""


def expand_sets(values: Iterable[Any]) -> list[Any]:
    """Return the values with the name of every perturbation set replaced by the texts of its members.

    Args:
        values: Texts, names of sets, or objects.
    """
    return [
        single
        for value in values
        for single in (PERTURBATION_SETS.get(value, (value,)) if isinstance(value, str) else (value,))
    ]
