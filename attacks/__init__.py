"""Batched attack kernels: each proposes adversarial images, none judges its own success."""

from .fgsm import FGSM
from .oracle import Oracle
from .pgd import PGD

__all__ = ["FGSM", "PGD", "Oracle"]
