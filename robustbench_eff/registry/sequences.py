"""The table of frame sequences."""

from __future__ import annotations

from .table import Row, Table

_SEQUENCES_MODULE = "robustbench_eff.corruptions.sequences"


SEQUENCES = Table(
    "sequence",
    "robustbench_eff.sequences",
    {
        "gaussian_noise_sequence": Row(
            "robustbench_eff.corruptions.sequences.gaussian_noise:GAUSSIAN_NOISE", "normal draws added in every frame"
        ),
        "shot_noise_sequence": Row(
            "robustbench_eff.corruptions.sequences.shot_noise:SHOT_NOISE", "Poisson counts in every frame"
        ),
        "motion_blur_sequence": Row(
            "robustbench_eff.corruptions.sequences.motion_blur:MOTION_BLUR", "smeared along a rotating line"
        ),
        "zoom_blur_sequence": Row(
            "robustbench_eff.corruptions.sequences.zoom_blur:ZOOM_BLUR", "mean of increasingly magnified images"
        ),
        "snow_sequence": Row(f"{_SEQUENCES_MODULE}.snow:SNOW", "the same flakes in a wind that turns"),
        "brightness_sequence": Row(f"{_SEQUENCES_MODULE}.brightness:BRIGHTNESS", "HSV value increases"),
        "translate_sequence": Row(f"{_SEQUENCES_MODULE}.translate:TRANSLATE", "moves to the right"),
        "rotate_sequence": Row(f"{_SEQUENCES_MODULE}.rotate:ROTATE", "turns"),
        "tilt_sequence": Row(f"{_SEQUENCES_MODULE}.tilt:TILT", "seen from one side, then from the other"),
        "scale_sequence": Row(f"{_SEQUENCES_MODULE}.scale:SCALE", "grows"),
        "speckle_noise_sequence": Row(
            "robustbench_eff.corruptions.sequences.speckle_noise:SPECKLE_NOISE",
            "multiplied by normal draws in every frame",
        ),
        "gaussian_blur_sequence": Row(
            "robustbench_eff.corruptions.sequences.gaussian_blur:GAUSSIAN_BLUR", "Gaussian filter that widens"
        ),
        "spatter_sequence": Row(f"{_SEQUENCES_MODULE}.spatter:SPATTER", "drops of water that run down"),
        "shear_sequence": Row(f"{_SEQUENCES_MODULE}.shear:SHEAR", "leans to one side, then to the other"),
    },
    needs=("__dataclass_fields__", "name"),
)
"""The 10 sequences of ImageNet-P in its order, then its 4 extra ones."""
