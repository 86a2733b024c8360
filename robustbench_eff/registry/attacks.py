"""The table of attacks."""

from __future__ import annotations

from collections.abc import Mapping

from .table import Row, Table

ATTACKS = Table(
    "attack",
    "robustbench_eff.attacks",
    {
        "apgd": Row("robustbench_eff.attacks.apgd:APGD", "adaptive step size; CE or DLR loss (Croce & Hein 2020)"),
        "apgd_t": Row("robustbench_eff.attacks.apgd_t:APGDT", "APGD on targeted DLR, 9 targets (Croce & Hein 2020)"),
        "autoattack": Row(
            "robustbench_eff.attacks.autoattack:AutoAttack", "standard, plus or rand ensemble (Croce & Hein 2020)"
        ),
        "bim": Row("robustbench_eff.attacks.bim:BIM", "PGD without a random start (Kurakin et al. 2017)"),
        "carlini_wagner": Row(
            "robustbench_eff.attacks.carlini_wagner:CarliniWagner", "closest image in L2 (Carlini & Wagner 2017)"
        ),
        "fab": Row("robustbench_eff.attacks.fab:FAB", "closest image, untargeted (Croce & Hein 2020)"),
        "fab_t": Row("robustbench_eff.attacks.fab_t:FABT", "closest image, 9 targets (Croce & Hein 2020)"),
        "fgsm": Row("robustbench_eff.attacks.fgsm:FGSM", "one step along the gradient (Goodfellow et al. 2015)"),
        "fmn": Row("robustbench_eff.attacks.fmn:FMN", "closest image in few steps (Pintor et al. 2021)"),
        "mi_fgsm": Row("robustbench_eff.attacks.mi_fgsm:MIFGSM", "gradient steps with momentum (Dong et al. 2018)"),
        "one_pixel": Row(
            "robustbench_eff.attacks.one_pixel:OnePixel", "differential evolution of a few pixels (Su et al. 2019)"
        ),
        "pgd": Row("robustbench_eff.attacks.pgd:PGD", "projected gradient descent (Madry et al. 2018)"),
        "r_fgsm": Row(
            "robustbench_eff.attacks.r_fgsm:RFGSM", "FGSM from a random start (Tramèr et al. 2018, Wong et al. 2020)"
        ),
        "security_curve": Row(
            "robustbench_eff.attacks.security_curve:SecurityCurve", "accuracy against ε in one warm-started sweep"
        ),
        "square": Row(
            "robustbench_eff.attacks.square:Square", "random search, no gradients (Andriushchenko et al. 2020)"
        ),
    },
    is_class=True,
    needs=("__dataclass_fields__", "version", "uses", "threat", "stochastic", "max_passes"),
)


ADAPTERS: Mapping[str, Row] = {
    "autoattack": Row(
        "robustbench_eff.attacks.pyautoattack_adapter:PyAutoAttack", "the authors' implementation: autoattack:standard"
    ),
    "foolbox": Row(
        "robustbench_eff.attacks.foolbox_adapter:FoolboxAttack", "any attack of Foolbox: foolbox:LinfPGD(eps=4/255)"
    ),
}
"""Attacks of other libraries, written PREFIX:NAME; arguments that are not fields of the adapter go to the attack."""
