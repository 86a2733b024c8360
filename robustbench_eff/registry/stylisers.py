"""The table of stylisers."""

from __future__ import annotations

from .table import Row, Table

STYLISERS = Table(
    "styliser",
    "robustbench_eff.stylisers",
    {
        "adain": Row(
            "robustbench_eff.corruptions.stylise_adain:AdaIN",
            "statistics of VGG features, with weights that you provide (Huang & Belongie 2017)",
        ),
        "colour": Row(
            "robustbench_eff.corruptions.stylise_colour:Colour", "mean and spread of colours (Reinhard 2001)"
        ),
        "fourier": Row(
            "robustbench_eff.corruptions.stylise_fourier:Fourier",
            "amplitudes of the spectrum (Chen et al. 2021, Yang & Soatto 2020)",
        ),
        "random_phase": Row(
            "robustbench_eff.corruptions.stylise_random_phase:RandomPhase",
            "texture of random phases (after Galerne et al. 2011)",
        ),
    },
    is_class=True,
    needs=("__dataclass_fields__",),
)


WITHOUT_WEIGHTS = ("random_phase", "fourier", "colour")
"""Stylisers that do not need a file of weights."""


DEFAULT_STYLISER = "random_phase(scale=0.02)"
"""The styliser of cue-conflict images by default."""
