"""Batched attacks: each proposes adversarial images; none judges its own success."""

from .apgd import APGD
from .apgd_t import APGDT
from .autoattack import AutoAttack
from .bim import BIM
from .carlini_wagner import CarliniWagner
from .fab import FAB
from .fab_t import FABT
from .fgsm import FGSM
from .fmn import FMN
from .mi_fgsm import MIFGSM
from .one_pixel import OnePixel
from .oracle import Oracle
from .pgd import PGD
from .r_fgsm import RFGSM
from .security_curve import SecurityCurve
from .square import Square

__all__ = [
    "APGD",
    "APGDT",
    "AutoAttack",
    "BIM",
    "CarliniWagner",
    "FAB",
    "FABT",
    "FGSM",
    "FMN",
    "MIFGSM",
    "OnePixel",
    "Oracle",
    "PGD",
    "RFGSM",
    "SecurityCurve",
    "Square",
]
