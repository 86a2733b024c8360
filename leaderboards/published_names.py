"""Names in published tables, and the benchmark, perturbation and metric they stand for here.

A published table says `imagenet-linf-4/255` and `autoattack_top1`; here that is `imagenet`, `autoattack(eps=4/255)` and
`robust_accuracy`, as a measured result would say it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .entry import Unit

METRICS = {
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
PLAIN = ("accuracy_difference", "error_consistency", "observed_consistency", "mean_rank", "ood_accuracy_fraction")
"""Metrics that are not given in percent."""
ATTACKS = {
    "autoattack_top1": "autoattack",
    "reported_robust_top1": "the authors' attack",
    "external_best_known_robust_top1": "the best known attack",
}
STEP_SIZES = {"MadryLab/robustness": "", "cihangxie/SmoothAdversarialTraining": "step_size=1/255"}
"""Sources that say how long the steps of their PGD are: 2.5 eps / steps, as here, and one level."""
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
"""Metrics over all changes of a set, and the name of all of them."""
_VARIANT = re.compile(r"(?P<name>[^(]+)\((?P<variant>.+)\)$")
_FORMAT = re.compile(r"(?P<name>imagenetv2-.+?)-(?P<variant>format-val.*)$")
_ATTACKED = re.compile(
    r"(?P<name>.+?)-((?P<attack>pgd|fgsm)(?P<steps>\d*)-)?((?P<norm>linf|l2)-)?(?P<eps>\d[\d./]*)(\((?P<variant>.+)\))?$"
)
_CHANGED = re.compile(
    r"(?P<name>[^/(]+-(c|3dcc))/(?P<change>\w+)(/(?P<severity>\d))?(/(?P<variant>[\w-]+)|\((?P<also>.+)\))?$"
)


def sized(model: str, size: int, largest: int) -> str:
    """timm evaluates a model at several sizes: the largest has its name, others say theirs."""
    return model if size >= largest else f"{model} @ {size} px"


class Name(NamedTuple):
    """What a published number is of."""

    benchmark: str
    perturbation: str
    metric: str
    unit: Unit
    variant: str
    """Of the images or the protocol, where there are several."""


def name_of(benchmark: str, metric: str, source: str = "") -> Name:
    """The names used here for those of a published table; what is not known keeps its own.

    A PGD becomes one that can be run only where the source says which steps it takes.
    """
    ours = METRICS.get(metric, metric)
    unit: Unit = "number" if metric in PLAIN else "fraction"
    if (changed := _CHANGED.fullmatch(benchmark)) is not None:
        name, change = changed["name"], changed["change"]
        text = change if changed["severity"] is None else f"{change}(severity={changed['severity']})"
        return Name(name, text, ours, unit, changed["variant"] or changed["also"] or "")
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
        return Name(name, "imagenet_c", "mean_accuracy", unit, kind)
    if ours == "robust_accuracy":
        return Name(name, "an attack not named", ours, unit, kind)
    return Name(BENCHMARKS.get(name, name), WHOLE_SETS.get(ours, "none"), ours, unit, kind)


def _attack(words: re.Match[str], metric: str, source: str) -> str:
    """As an attack would be written that is run here; in words where the source does not say all of it."""
    norm, eps, name, steps = words["norm"] or "linf", words["eps"], words["attack"], words["steps"]
    ball = f"eps={eps}" if norm == "linf" else f"eps={eps}, norm={norm!r}"
    if name == "fgsm" or ATTACKS.get(metric) == "autoattack":
        return f"{name or 'autoattack'}({ball})"
    if name is None:
        return f"{ATTACKS.get(metric, 'an attack not named')}, {norm} {eps}"
    of_step = next((field for known, field in STEP_SIZES.items() if source.startswith(known)), None)
    if of_step is None or not steps:
        return f"pgd of {steps or 'unknown'} steps, {norm} {eps}"
    return f"pgd({', '.join(filter(None, [ball, f'steps={steps}', of_step]))})"
