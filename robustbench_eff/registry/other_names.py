"""Attacks by names that they have elsewhere, and attacks that are not here: what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SQUARE = "Black-box attacks here: square, or foolbox:HopSkipJumpAttack, which asks for decisions only."
_PATCH = "Attacks on a part of the image here: one_pixel(pixels=N), and foolbox:SpatialAttack for shifts and rotations."
_DEEPFOOL = "Foolbox has it: foolbox:L2DeepFoolAttack(eps=none) or foolbox:LinfDeepFoolAttack(eps=none)."
_CARLINI = "Write carlini_wagner."
_MOMENTUM = "Write mi_fgsm."
_TARGETED = "apgd_t and fab_t aim at the likeliest wrong classes; a class of your choice is not offered."

OTHER_NAMES: Mapping[str, str] = {
    "aa": "Write autoattack.",
    "advpatch": _PATCH,
    "adversarialpatch": _PATCH,
    "autopgd": "Write apgd.",
    "boundary": "Foolbox has it: foolbox:BoundaryAttack.",
    "brendelbethge": "Foolbox has it: foolbox:L2BrendelBethgeAttack, and for other norms foolbox:NAME.",
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
    "genattack": "Foolbox has it: foolbox:GenAttack.",
    "hopskipjump": "Foolbox has it: foolbox:HopSkipJumpAttack(eps=none).",
    "hsja": "Foolbox has it: foolbox:HopSkipJumpAttack(eps=none).",
    "ifgsm": "Write bim.",
    "jsma": "For few changed pixels: one_pixel(pixels=N), or foolbox:L0BrendelBethgeAttack(eps=none).",
    "madry": "Write pgd.",
    "mifgsm": _MOMENTUM,
    "mim": _MOMENTUM,
    "nes": _SQUARE,
    "newtonfool": "Foolbox has it: foolbox:NewtonFoolAttack.",
    "onepixelattack": "Write one_pixel.",
    "patch": _PATCH,
    "pgdl2": "Write pgd(norm=l2, eps=0.5).",
    "pgdlinf": "Write pgd, whose norm is linf.",
    "pointwise": "Foolbox has it: foolbox:PointwiseAttack(eps=none).",
    "rays": _SQUARE,
    "rfgsm": "Write r_fgsm.",
    "saltandpepper": "As an attack: foolbox:SaltAndPepperNoiseAttack; as a corruption: impulse_noise.",
    "simba": _SQUARE,
    "spatial": "Foolbox has it: foolbox:SpatialAttack.",
    "spsa": _SQUARE,
    "squareattack": "Write square.",
    "targeted": _TARGETED,
    "targetedpgd": _TARGETED,
    "vat": "Foolbox has it: foolbox:VirtualAdversarialAttack, with its options.",
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
