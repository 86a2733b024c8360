"""Batched attack kernels: each proposes adversarial images, none judges its own success."""

from .apgd import APGD
from .apgd_t import APGDT
from .fgsm import FGSM
from .oracle import Oracle
from .pgd import PGD
from .security_curve import SecurityCurve

__all__ = ["APGD", "APGDT", "FGSM", "PGD", "Oracle", "SecurityCurve"]
