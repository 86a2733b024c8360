"""Names that stand for many perturbations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .corruptions import CORRUPTIONS
from .sequences import SEQUENCES

IMAGENET_C = tuple(CORRUPTIONS)[:19]


IMAGENET_C_BAR = tuple(CORRUPTIONS)[23:33]


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


IMAGENET_P, IMAGENET_P_EXTRA = tuple(SEQUENCES)[:10], tuple(SEQUENCES)[10:]


def _at_all_severities(names: Iterable[str], constants: str = "imagenet") -> tuple[str, ...]:
    tail = "" if constants == "imagenet" else f", constants={constants!r}"
    return tuple(f"{name}(severity={severity}{tail})" for name in names for severity in range(1, 6))


def _at_all_difficulties(names: Iterable[str], constants: str = "imagenet") -> tuple[str, ...]:
    """Noise has three; of the others every difficulty is scored from the same frames."""
    tail = "" if constants == "imagenet" else f", constants={constants!r}"
    pairs = [(name, difficulty) for name in names for difficulty in ((1, 2, 3) if "noise" in name else (1,))]
    return tuple(f"{name}(difficulty={difficulty}{tail})" for name, difficulty in pairs)


PERTURBATION_SETS: Mapping[str, tuple[str, ...]] = {
    "imagenet_c": _at_all_severities(IMAGENET_C),
    "imagenet_c_bar": _at_all_severities(IMAGENET_C_BAR),
    "cifar10_c": _at_all_severities(IMAGENET_C, "cifar10"),
    "cifar10_c_bar": _at_all_severities(CIFAR10_C_BAR, "cifar10"),
    "imagenet_p": _at_all_difficulties(IMAGENET_P),
    "imagenet_p_extra": _at_all_difficulties(IMAGENET_P_EXTRA),
    "cifar10_p": _at_all_difficulties(SEQUENCES, "cifar10"),
}
"""Words that stand for many perturbations."""
