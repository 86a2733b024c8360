"""Which corruptions MedMNIST-C has for each of its data sets.

Source: Di Salvo et al. 2024, arXiv:2406.17536; names as in francescodisalvo05/medmnistc-api.
"""

from __future__ import annotations

from collections.abc import Mapping

_PATHOLOGY = (
    "pixelate",
    "jpeg_compression",
    "defocus_blur",
    "motion_blur",
    "brightness_up",
    "brightness_down",
    "contrast_up",
    "contrast_down",
    "saturate",
    "stain_deposit",
    "bubble",
)
_RADIOLOGY = (
    "pixelate",
    "jpeg_compression",
    "gaussian_noise",
    "speckle_noise",
    "impulse_noise",
    "shot_noise",
    "gaussian_blur",
    "brightness_up",
    "brightness_down",
    "contrast_up",
    "contrast_down",
    "gamma_corr_up",
    "gamma_corr_down",
)
MEDMNIST_C: Mapping[str, tuple[str, ...]] = {
    "bloodmnist": _PATHOLOGY,
    "breastmnist": (
        "pixelate",
        "jpeg_compression",
        "speckle_noise",
        "motion_blur",
        "brightness_up",
        "brightness_down",
        "contrast_down",
    ),
    "dermamnist": (
        "pixelate",
        "jpeg_compression",
        "gaussian_noise",
        "speckle_noise",
        "impulse_noise",
        "shot_noise",
        "defocus_blur",
        "motion_blur",
        "zoom_blur",
        "brightness_up",
        "brightness_down",
        "contrast_up",
        "contrast_down",
        "black_corner",
        "characters",
    ),
    "octmnist": ("pixelate", "jpeg_compression", "speckle_noise", "defocus_blur", "motion_blur", "contrast_down"),
    "organamnist": _RADIOLOGY,
    "organcmnist": _RADIOLOGY,
    "organsmnist": _RADIOLOGY,
    "pathmnist": _PATHOLOGY,
    "pneumoniamnist": _RADIOLOGY,
    "retinamnist": (
        "pixelate",
        "jpeg_compression",
        "gaussian_noise",
        "speckle_noise",
        "defocus_blur",
        "motion_blur",
        "brightness_down",
        "contrast_down",
    ),
    "tissuemnist": (
        "pixelate",
        "jpeg_compression",
        "impulse_noise",
        "gaussian_blur",
        "brightness_up",
        "brightness_down",
        "contrast_up",
        "contrast_down",
    ),
}
"""Names of the corruptions by data set. ChestMNIST is not among them: its images have several labels."""
