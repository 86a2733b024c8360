"""Attacks by names that they have elsewhere, and attacks that are not here: what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SQUARE = "Black-box attacks here: square, or foolbox:HopSkipJumpAttack(eps=none), which asks for decisions only."
_PATCH = (
    "There is no patch attack here. Few pixels: one_pixel(pixels=N); "
    "shifts and rotations: foolbox:SpatialAttack(norm=linf, eps=none)."
)
_DEEPFOOL = "Foolbox has it: foolbox:L2DeepFoolAttack(eps=none) or foolbox:LinfDeepFoolAttack(eps=none)."
_CARLINI = "Write carlini_wagner."
_MOMENTUM = "Write mi_fgsm."
_TARGETED = "apgd_t and fab_t aim at the likeliest wrong classes; a class of your choice is not offered."

OTHER_NAMES: Mapping[str, str] = {
    "aa": "Write autoattack.",
    "advpatch": _PATCH,
    "adversarialpatch": _PATCH,
    "autopgd": "Write apgd.",
    "boundary": "Foolbox has it: foolbox:BoundaryAttack(eps=none).",
    "brendelbethge": "Foolbox has it: foolbox:L2BrendelBethgeAttack(eps=none).",
    "carlini": _CARLINI,
    "cw": _CARLINI,
    "cwl2": _CARLINI,
    "ddn": "Foolbox has it: foolbox:DDNAttack(eps=none); fmn is its successor.",
    "deepfool": _DEEPFOOL,
    "differentialevolution": "Write one_pixel.",
    "ead": "Foolbox has it: foolbox:EADAttack(eps=none).",
    "elasticnet": "Foolbox has it: foolbox:EADAttack(eps=none).",
    "ffgsm": "Write r_fgsm.",
    "fgm": "Write fgsm(norm=l2).",
    "genattack": _SQUARE,
    "hopskipjump": "Foolbox has it: foolbox:HopSkipJumpAttack(eps=none).",
    "hsja": "Foolbox has it: foolbox:HopSkipJumpAttack(eps=none).",
    "ifgsm": "Write bim.",
    "jsma": "For few changed pixels: one_pixel(pixels=N), or foolbox:L0BrendelBethgeAttack(eps=none).",
    "madry": "Write pgd.",
    "mifgsm": _MOMENTUM,
    "mim": _MOMENTUM,
    "nes": _SQUARE,
    "newtonfool": "Foolbox has it: foolbox:NewtonFoolAttack(eps=none).",
    "onepixelattack": "Write one_pixel.",
    "patch": _PATCH,
    "pgdl2": "Write pgd(norm=l2, eps=0.5).",
    "pgdlinf": "Write pgd, whose norm is linf.",
    "pointwise": "Foolbox has it: foolbox:PointwiseAttack(norm=l0, eps=none).",
    "rays": _SQUARE,
    "rfgsm": "Write r_fgsm.",
    "saltandpepper": "As an attack: foolbox:SaltAndPepperNoiseAttack(eps=none); as a corruption: impulse_noise.",
    "simba": _SQUARE,
    "spatial": "Foolbox has it: foolbox:SpatialAttack(norm=linf, eps=none).",
    "spsa": _SQUARE,
    "squareattack": "Write square.",
    "targeted": _TARGETED,
    "targetedpgd": _TARGETED,
    "zoo": _SQUARE,
}
"""What to write, by the name in lower case without separators."""


def instead_of(name: str) -> str:
    """Return what to write for an attack that other libraries or papers call so; empty if the name is not known.

    Args:
        name: Name that is in no table, however it is written: `DeepFool`, `deep_fool`, `DeepFoolAttack`.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return OTHER_NAMES.get(plain) or OTHER_NAMES.get(plain.removesuffix("attack"), "")
