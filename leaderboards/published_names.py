"""Names in published tables, and the benchmark, perturbation and metric that they stand for.

`imagenet-linf-4/255` and `autoattack_top1` of a published table become `imagenet`, `autoattack(eps=4/255)` and
`robust_accuracy`, the names of a measured result.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from robustbench_eff.core.metric import metric_of

from .entry import Unit

METRIC_NAMES = {
    "top1": "accuracy",
    "top5": "top5_accuracy",
    "top1_error": "error",
    "mce": "mCE",
    "ce": "CE",
    "mce_3d": "mCE_3D",
    "mfr": "mFR",
    "mt5d": "mT5D",
    "mean_corruption_top1": "mean_accuracy",
    "robust_top1": "robust_accuracy",
    "autoattack_top1": "robust_accuracy",
    "reported_robust_top1": "robust_accuracy",
    "external_best_known_robust_top1": "robust_accuracy",
}
"""Names of metrics in published tables that differ from those used here."""
BEST_KNOWN = "the best known attack"
ATTACKS = {
    "autoattack_top1": "autoattack",
    "reported_robust_top1": "the authors' attack",
    "external_best_known_robust_top1": BEST_KNOWN,
}
STEP_SIZES = {"MadryLab/robustness": "", "cihangxie/SmoothAdversarialTraining": "step_size=1/255"}
"""Step sizes of the sources that give theirs for PGD: 2.5 eps / steps, the default here, and 1/255."""
ONE_PIXEL = {"cifar10": "one_pixel(pixels=1, targets=9)", "imagenet": "one_pixel(pixels=1)"}
"""The attacks behind the success rates of the one-pixel paper: targeted on CIFAR-10, untargeted on ImageNet."""
BENCHMARKS = {
    "imagenet-a-clean200": "imagenet-a-clean",
    "imagenet-r-clean200": "imagenet-r-clean",
    "val-on-imagenet-a-classes": "imagenet-a-clean",
    "val-on-imagenet-r-classes": "imagenet-r-clean",
    "val-on-objectnet-classes": "objectnet-clean",
    "imagenetv2-threshold0.7": "imagenetv2-threshold-0.7",
    "imagenetv2-topimages": "imagenetv2-top-images",
}
WHOLE_SETS = {"mCE": "imagenet_c", "mean_accuracy": "imagenet_c", "mFR": "imagenet_p", "mT5D": "imagenet_p"}
"""Metrics over all perturbations of a set, and the name of the set."""
AUTOATTACK = re.compile(r"autoattack\(eps=(?P<eps>[\d./]+)(, norm='(?P<norm>l2)')?\)")
_VARIANT = re.compile(r"(?P<name>[^(]+)\((?P<variant>.+)\)$")
_FORMAT = re.compile(r"(?P<name>imagenetv2-.+?)-(?P<variant>format-val.*)$")
_ATTACKED = re.compile(
    r"(?P<name>.+?)-((?P<attack>pgd|fgsm)(?P<steps>\d*)-)?((?P<norm>linf|l2)-)?(?P<eps>\d[\d./]*)(\((?P<variant>.+)\))?$"
)
_CHANGED = re.compile(
    r"(?P<name>[^/(]+-(c|3dcc))/(?P<change>\w+)(/(?P<severity>\d))?(/(?P<variant>[\w-]+)|\((?P<also>.+)\))?$"
)


def sized(model: str, size: int, largest: int) -> str:
    """Return the name of a model that timm evaluated at several input sizes.

    Args:
        model: Name of the model.
        size: Input size in pixels.
        largest: Largest input size at which the model was evaluated; it has the plain name, others append their size.
    """
    return model if size >= largest else f"{model} @ {size} px"


class Name(NamedTuple):
    """What a published number measures."""

    benchmark: str
    perturbation: str
    metric: str
    unit: Unit
    variant: str
    """Variant of the images or of the protocol, if there are several; else empty."""


def name_of(benchmark: str, metric: str, source: str = "") -> Name:
    """Return the names used here for those of a published table; unknown names remain.

    PGD becomes a runnable spec only if its source gives the steps.

    Args:
        benchmark: Published name of the benchmark, which may include perturbation and variant.
        metric: Published name of the metric.
        source: Where it was published.
    """
    ours = METRIC_NAMES.get(metric, metric)
    known = metric_of(ours)
    unit: Unit = "fraction" if known is None else known.unit
    if (changed := _CHANGED.fullmatch(benchmark)) is not None:
        name, change = changed["name"], changed["change"]
        perturbation = change if changed["severity"] is None else f"{change}(severity={changed['severity']})"
        return Name(name, perturbation, ours, unit, changed["variant"] or changed["also"] or "")
    if "robust" in ours or benchmark.startswith(("imagenet-pgd", "imagenet-fgsm")):
        attacked = _ATTACKED.fullmatch(benchmark)
        if attacked is not None:
            ours = "robust_accuracy" if ours == "accuracy" else ours
            return Name(attacked["name"], _attack(attacked, metric, source), ours, unit, attacked["variant"] or "")
    variant = None if benchmark.startswith("mean(") else _VARIANT.fullmatch(benchmark) or _FORMAT.fullmatch(benchmark)
    name, kind = (benchmark, "") if variant is None else (variant["name"], variant["variant"])
    if metric == "mce_3d" or name == "imagenet-3dcc":
        return Name(name, "imagenet_3dcc", ours, unit, kind)
    if metric == "reported_robust_top1" and name.endswith("-c"):
        return Name(name, _whole_set(name, "mean_accuracy"), "mean_accuracy", unit, kind)
    if ours == "robust_accuracy":
        return Name(name, "an attack not named", ours, unit, kind)
    if ours in ("any_target_success_rate", "mean_confidence"):
        return Name(name, ONE_PIXEL.get(name, "an attack not named"), ours, unit, kind)
    return Name(BENCHMARKS.get(name, name), _whole_set(name, ours), ours, unit, kind)


def _whole_set(benchmark: str, metric: str) -> str:
    """Return the name of the set that a metric is over: CIFAR's are made with constants of their own."""
    name = WHOLE_SETS.get(metric, "none")
    return name.replace("imagenet", "cifar10") if benchmark.startswith("cifar") else name


def best_known_attack(perturbation: str) -> str:
    """Return what the best known attack in the ball of AutoAttack is called; empty for any other perturbation.

    RobustBench ranks a model by that attack's number where there is one.

    Args:
        perturbation: Spec text of the perturbation, such as `autoattack(eps=8/255)`.
    """
    match = AUTOATTACK.fullmatch(perturbation)
    return "" if match is None else f"{BEST_KNOWN}, {match['norm'] or 'linf'} {match['eps']}"


def _attack(match: re.Match[str], metric: str, source: str) -> str:
    """Return an attack as a spec, or as a description if the source does not give all of its parameters."""
    norm, eps, name, steps = match["norm"] or "linf", match["eps"], match["attack"], match["steps"]
    ball = f"eps={eps}" if norm == "linf" else f"eps={eps}, norm={norm!r}"
    if name == "fgsm" or ATTACKS.get(metric) == "autoattack":
        return f"{name or 'autoattack'}({ball})"
    if name is None:
        return f"{ATTACKS.get(metric, 'an attack not named')}, {norm} {eps}"
    step_size = next((field for prefix, field in STEP_SIZES.items() if source.startswith(prefix)), None)
    if step_size is None or not steps:
        return f"pgd of {steps or 'unknown'} steps, {norm} {eps}"
    return f"pgd({', '.join(filter(None, [ball, f'steps={steps}', step_size]))})"
