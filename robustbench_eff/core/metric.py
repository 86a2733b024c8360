"""Metric: the name, unit, bounds and direction of a number, in one table that every room reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

Unit = Literal["fraction", "number"]
"""A fraction is stored in [0, 1] and printed in percent; a number is printed as it is."""
Section = Literal[
    "accuracy",
    "success",
    "distance",
    "clean",
    "effective",
    "cue conflict",
    "corruption",
    "sequence",
    "certificate",
    "other",
]
"""The table of the terminal report in which a metric stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The meaning of a number, wherever it is printed, stored, ranked or validated."""

    name: str
    summary: str
    """One line for tables and documents."""
    unit: Unit = "fraction"
    low: float | None = 0.0
    """The smallest value it can have; None without a bound."""
    high: float | None = 1.0
    """The largest value it can have; None without a bound."""
    higher_is_better: bool = True
    section: Section = "other"
    arguments: str = ""
    """Argument that follows the name, such as `@EPS` or ` of CLASS`; empty for a metric without one."""
    is_proportion: bool = False
    """Whether the value is the fraction of samples with a property, so that its interval is the exact one."""
    source: str = ""
    """Where it is defined: authors, year and section; empty where it is elementary."""


def _table(*metrics: Metric) -> Mapping[str, Metric]:
    return {metric.name: metric for metric in metrics}


HENDRYCKS = "Hendrycks & Dietterich 2019, arXiv:1903.12261"
GEIRHOS_BIAS = "Geirhos et al. 2019, arXiv:1811.12231"
BY_DIFFICULTY = "_difficulty_N"
_errors = partial(Metric, unit="number", source="Geirhos, Meding & Wichmann 2020, arXiv:2006.16736")
_sequence = partial(Metric, section="sequence", source=HENDRYCKS)
_one_pixel = partial(
    Metric, section="success", higher_is_better=False, source="Su, Vargas & Sakurai 2019, arXiv:1710.08864"
)
_certificate = partial(Metric, section="certificate", source="Cohen, Rosenfeld & Kolter 2019, arXiv:1902.02918")

METRICS: Mapping[str, Metric] = _table(
    Metric(name="accuracy", summary="samples classified correctly", section="accuracy", is_proportion=True),
    Metric(
        name="robust_accuracy",
        summary="samples classified correctly both clean and under attack",
        section="accuracy",
        arguments="@EPS",
        is_proportion=True,
    ),
    Metric(
        name="robust_accuracy_8bit",
        summary="robust accuracy with the adversarial image rounded to 8 bits",
        section="accuracy",
        is_proportion=True,
    ),
    Metric(name="accuracy_every_vote", summary="samples right in every vote", section="accuracy", is_proportion=True),
    Metric(name="robust_accuracy_every_vote", summary="the same under attack", section="accuracy", is_proportion=True),
    Metric(
        name="security_curve_area",
        summary="mean robust accuracy over all radii from 0 to the largest",
        section="accuracy",
    ),
    Metric(
        name="median_distance",
        summary="median distance of the closest adversarial image that was found, in units of [0, 1] pixels",
        unit="number",
        high=None,
        section="distance",
        arguments="_NORM",
    ),
    Metric(
        name="balanced_accuracy",
        summary="mean over classes of the accuracy of each",
        section="clean",
        source="Brodersen et al. 2010, ICPR",
    ),
    Metric(name="worst_class_accuracy", summary="lowest accuracy of any class", section="clean"),
    Metric(
        name="expected_calibration_error",
        summary="mean difference between confidence and accuracy over bins (ECE)",
        higher_is_better=False,
        section="clean",
        source="Guo et al. 2017, arXiv:1706.04599",
    ),
    Metric(
        name="rms_calibration_error",
        summary="root mean square difference between confidence and accuracy over bins",
        higher_is_better=False,
        section="clean",
        source="Hendrycks et al. 2019, arXiv:1812.04606",
    ),
    Metric(
        name="aurc",
        summary="area under the risk-coverage curve",
        higher_is_better=False,
        section="clean",
        source="Geifman & El-Yaniv 2017, arXiv:1705.08500",
    ),
    Metric(
        name="effective_robustness",
        summary="accuracy under a natural shift beyond what clean accuracy predicts, in points",
        low=-1.0,
        section="effective",
        source="Taori et al. 2020, arXiv:2007.00644",
    ),
    Metric(
        name="shape_bias",
        summary="share of shape decisions among the shape and texture decisions",
        section="cue conflict",
        arguments=" of CLASS",
        source=GEIRHOS_BIAS,
    ),
    Metric(name="shape_decisions", summary="samples named by their shape", section="cue conflict", source=GEIRHOS_BIAS),
    Metric(
        name="texture_decisions", summary="samples named by their texture", section="cue conflict", source=GEIRHOS_BIAS
    ),
    _errors(
        name="error_consistency",
        summary="Cohen's kappa of correctness with human observers",
        low=-1.0,
        section="cue conflict",
    ),
    Metric(
        name="mean_accuracy",
        summary="mean accuracy over corruptions and severities",
        section="corruption",
        source=HENDRYCKS,
    ),
    Metric(
        name="CE",
        summary="corruption error: error over severities divided by AlexNet's",
        high=None,
        higher_is_better=False,
        section="corruption",
        source=HENDRYCKS,
    ),
    Metric(
        name="mCE",
        summary="mean corruption error over the 15 corruptions of ImageNet-C",
        high=None,
        higher_is_better=False,
        section="corruption",
        source=HENDRYCKS,
    ),
    Metric(
        name="relative_mCE",
        summary="mean of what corruptions add to the clean error, divided by AlexNet's",
        low=None,
        high=None,
        higher_is_better=False,
        section="corruption",
        source=HENDRYCKS,
    ),
    Metric(name="accuracy_all_frames", summary="sequences with every frame classified correctly", section="sequence"),
    _sequence(
        name="flip_probability",
        summary="how often the prediction changes from frame to frame",
        higher_is_better=False,
        arguments=BY_DIFFICULTY,
    ),
    _sequence(
        name="top5_distance",
        summary="how many ranks the five best classes move from frame to frame",
        unit="number",
        high=18.0,
        higher_is_better=False,
        arguments=BY_DIFFICULTY,
    ),
    _sequence(
        name="mean_flip_probability",
        summary="mean flip probability over the 10 sequences",
        higher_is_better=False,
        arguments=BY_DIFFICULTY,
    ),
    _sequence(
        name="mean_top5_distance",
        summary="mean top-5 distance over the 10 sequences",
        unit="number",
        high=18.0,
        higher_is_better=False,
        arguments=BY_DIFFICULTY,
    ),
    _sequence(
        name="mFR", summary="mean flip rate: flip probabilities divided by AlexNet's", high=None, higher_is_better=False
    ),
    _sequence(name="mT5D", summary="mean top-5 distance divided by AlexNet's", high=None, higher_is_better=False),
    _certificate(
        name="certified_accuracy",
        summary="samples that a smoothed classifier classifies correctly with at least this certified L2 radius",
        arguments="@EPS",
        is_proportion=True,
    ),
    _certificate(
        name="average_certified_radius",
        summary="mean certified L2 radius, 0 where the prediction is wrong or missing, in units of [0, 1] pixels",
        unit="number",
        high=None,
        source="Zhai et al. 2020, arXiv:2001.02378",
    ),
    _certificate(
        name="abstention_rate",
        summary="samples on which the vote of a smoothed classifier is too close",
        higher_is_better=False,
        is_proportion=True,
    ),
    _one_pixel(
        name="any_target_success_rate",
        summary="samples classified correctly when clean that the one-pixel attack moved to any other class",
    ),
    _one_pixel(
        name="mean_confidence", summary="mean probability of the class predicted where the one-pixel attack succeeds"
    ),
    # Metrics that only published tables hold.
    Metric(name="top5_accuracy", summary="samples with the label among the five best classes", is_proportion=True),
    Metric(name="error", summary="samples classified wrongly", higher_is_better=False, is_proportion=True),
    Metric(
        name="mCE_3D",
        summary="mean corruption error over the corruptions of ImageNet-3DCC",
        high=None,
        higher_is_better=False,
        source="Kar et al. 2022, arXiv:2203.01441",
    ),
    Metric(name="map", summary="mean average precision"),
    Metric(name="ap", summary="average precision"),
    Metric(name="map_delta", summary="difference of mean average precisions", low=-1.0),
    Metric(name="ap_delta", summary="difference of average precisions", low=-1.0),
    Metric(name="top1_delta", summary="difference of accuracies", low=-1.0),
    Metric(name="robust_top1_delta", summary="difference of robust accuracies", low=-1.0),
    Metric(name="mce_improvement", summary="by how much the mCE fell", low=None, high=None),
    Metric(name="zero_shot_top1", summary="accuracy of a zero-shot classifier"),
    Metric(name="linear_top1", summary="accuracy of a linear classifier on frozen features"),
    _errors(
        name="accuracy_difference",
        summary="difference between the accuracies of a model and of human observers",
        higher_is_better=False,
    ),
    _errors(
        name="observed_consistency", summary="samples on which a model and human observers are both right or both wrong"
    ),
    _errors(
        name="mean_rank", summary="mean rank over the criteria of model-vs-human", high=None, higher_is_better=False
    ),
    _errors(name="ood_accuracy_fraction", summary="accuracy over the out-of-distribution sets of model-vs-human"),
)
"""Every metric that the package computes or that its published tables hold, by name."""


def metric_of(name: str, plugins: Iterable[Metric] = ()) -> Metric | None:
    """Return the metric that a score's name stands for, with or without arguments; None for an unknown name.

    Args:
        name: Name of a score, such as `robust_accuracy@8/255` or `median_distance_linf`.
        plugins: Metrics of other packages, looked up after the package's own.
    """
    known = {**{metric.name: metric for metric in plugins}, **METRICS}
    if name in known:
        return known[name]
    candidates = [
        metric
        for metric in known.values()
        if metric.arguments and name.startswith(metric.name + _separator(metric.arguments))
    ]
    return max(candidates, key=lambda metric: len(metric.name), default=None)


def _separator(arguments: str) -> str:
    """Return the text between a metric's name and its argument: `@`, `_`, ` of ` or `_difficulty_`."""
    return arguments.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
