"""What a number is, in the words of papers: its attack, ε and data set."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError

from ..perturbations import at_severity, metric_at_radius
from ..table import Column

DATA_SETS = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "cifar10-c": "CIFAR-10-C",
    "cifar100-c": "CIFAR-100-C",
    "cifar10-c-generated": "CIFAR-10-C (generated)",
    "cifar100-c-generated": "CIFAR-100-C (generated)",
    "digits": "Digits",
    "imagenet": "ImageNet",
    "imagenet-3dcc": "ImageNet-3DCC",
    "imagenet-a": "ImageNet-A",
    "imagenet-c": "ImageNet-C",
    "imagenet-c-generated": "ImageNet-C (generated)",
    "imagenet-o": "ImageNet-O",
    "imagenet-p": "ImageNet-P",
    "imagenet-r": "ImageNet-R",
    "imagenet-real": "ImageNet-ReaL",
    "imagenet-sketch": "ImageNet-Sketch",
    "imagenetv2-matched-frequency": "ImageNet-V2 (matched frequency)",
    "imagenetv2-threshold-0.7": "ImageNet-V2 (threshold 0.7)",
    "imagenetv2-top-images": "ImageNet-V2 (top images)",
    "objectnet": "ObjectNet",
    "stylized-imagenet": "Stylized ImageNet",
}
"""Names of data sets as papers write them; others stand as they are."""
WHOLE_SETS = {
    "cifar10-c": "cifar10_c",
    "cifar100-c": "cifar10_c",
    "imagenet-3dcc": "imagenet_3dcc",
    "imagenet-c": "imagenet_c",
    "imagenet-p": "imagenet_p",
}
"""Sets of perturbations that go without saying on the data set of the same name."""
NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}
NORM_OF = {
    **dict.fromkeys(("apgd", "apgd_t", "autoattack", "bim", "fab", "fab_t", "fgsm", "fmn", "mi_fgsm", "pgd"), "linf"),
    **dict.fromkeys(("r_fgsm", "security_curve", "square"), "linf"),
    "carlini_wagner": "l2",
    "one_pixel": "l0",
}
"""Norms of attacks whose text states none."""
ATTACKS = {
    "apgd": "APGD",
    "apgd_t": "APGD-T",
    "autoattack": "AutoAttack",
    "bim": "BIM",
    "carlini_wagner": "Carlini-Wagner",
    "fab": "FAB",
    "fab_t": "FAB-T",
    "fgsm": "FGSM",
    "fmn": "FMN",
    "mi_fgsm": "MI-FGSM",
    "pgd": "PGD",
    "r_fgsm": "R-FGSM",
    "square": "Square",
}
"""Names of attacks as papers write them; others stand as they are."""
NO_LIMIT = "no limit of ε"
_IN_BALL = re.compile(r"(?P<attack>.+), (?P<norm>linf|l2|l1|l0) (?P<eps>\S+)", re.DOTALL)
_SHIFTED = re.compile(r"imagenet(-|v2).+|objectnet.*|stylized.*|.*cue-conflict.*|.+-(c|p)")


class Heading(NamedTuple):
    """What a number is."""

    what: str
    """Attack or metric."""
    where: str
    """Ball and data set, such as `L∞, ε = 8/255, CIFAR-10`."""

    @property
    def text(self) -> str:
        """Both as one text."""
        return f"{self.what}, {self.where}"


@cache
def heading(benchmark: str, perturbation: str, metric: str) -> Heading:
    """Return what a number is.

    Args:
        benchmark: Name of the benchmark.
        perturbation: Spec text of the perturbation, or a description of a published table; `none` for clean images.
        metric: Name of the metric.
    """
    data_set = DATA_SETS.get(benchmark, benchmark)
    name = metric.replace("_", " ")
    if perturbation in ("none", WHOLE_SETS.get(benchmark.removesuffix("-generated"))):
        is_clean = metric == "accuracy" and not _SHIFTED.fullmatch(benchmark)
        return Heading("Clean accuracy" if is_clean else _capital(name), data_set)
    if (at := at_severity(perturbation)) is not None:
        what = at.rest if metric == "accuracy" else f"{_capital(name)} under {at.rest}"
        return Heading(what, f"severity {at.value}, {data_set}")
    attack, ball = _attack(perturbation)
    if not ball:
        return Heading(f"{_capital(name)} under {perturbation}", data_set)
    at_radius = metric_at_radius(metric)
    if at_radius is not None:
        ball, metric = ball.partition(", ")[0] + f", ε = {spec.literal(at_radius.value)}", at_radius.rest
    what = attack if metric == "robust_accuracy" else f"{_capital(metric.replace('_', ' '))} under {attack}"
    return Heading(what, f"{ball}, {data_set}")


def heading_of(column: Column) -> Heading:
    """Return what the numbers of a column are.

    Args:
        column: Column of a table.
    """
    return heading(column.benchmark, column.perturbation, column.metric)


def _attack(perturbation: str) -> tuple[str, str]:
    """Return the attack and its ball; no ball for what is not an attack."""
    described = _IN_BALL.fullmatch(perturbation)
    if described is not None:
        text = re.sub(r"\w+", lambda word: ATTACKS.get(word[0], word[0]), described["attack"].removeprefix("the "))
        return _capital(text), f"{NORMS[described['norm']]}, ε = {described['eps']}"
    try:
        parsed = spec.parse(perturbation)
        arguments = dict(parsed.arguments)
        norm = NORMS.get(str(arguments.pop("norm", NORM_OF.get(parsed.name))), "")
        is_attack = bool(norm) or "eps" in arguments
        radius = _radius(arguments.pop("eps", None), arguments.pop("pixels", None))
        others = ", ".join(f"{name}={spec.literal(value)}" for name, value in arguments.items())
    except (SpecError, ValueError):  # an integer of thousands of digits cannot be printed
        return perturbation, ""
    name = ATTACKS.get(parsed.name, parsed.name)
    return (f"{name}({others})" if others else name), (", ".join(filter(None, [norm, radius])) if is_attack else "")


def _radius(eps: object, pixels: object) -> str:
    if pixels is not None:
        return f"ε = {pixels} {'pixel' if pixels == 1 else 'pixels'}"
    if isinstance(eps, list | tuple):
        return f"ε = {spec.literal(eps[0])} to {spec.literal(eps[-1])}" if eps else NO_LIMIT
    return NO_LIMIT if eps is None else f"ε = {spec.literal(eps)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text[1:2].islower() else text
