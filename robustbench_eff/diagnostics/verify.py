"""A self-test that needs no data: formulas and kernels against references that are shipped with the package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from importlib.resources import files
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.perturbation_sets import CIFAR10_C_BAR, IMAGENET_C_BAR
from robustbench_eff.scores import alexnet
from robustbench_eff.scores.corruptions import mean_corruption_error
from robustbench_eff.scores.cue_conflict import ShapeTextureCounts
from robustbench_eff.scores.effective import baselines
from robustbench_eff.scores.real_labels import real_labels

SEVERITY, SIDE, SAMPLE = 3, 64, "verify"
"""Severity, image side in pixels and sample id of the stored references."""
MAX_LEVELS, MAX_SHARE = 1, 0.01
"""Largest accepted difference from a reference in levels, and the share of values that may differ at all: the sine of
another processor may end in another bit."""
ATTACKS = {"none": 359, "fgsm(eps=8/255)": 318, "pgd(eps=8/255, steps=50)": 279}
"""Correct answers of digits_standard on the 360 test digits, by attack."""
MAX_SAMPLES_OFF = 2
"""Samples that the last bit of a margin may decide."""
NEEDS_PUBLISHED_PICTURES = ("frost_published", "frost_imagecorruptions")
"""Corruptions that read pictures which the package may not contain, so that no reference is stored for them."""

Pixels = npt.NDArray[np.uint8]


class Status(Enum):
    """Outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """There is nothing to compare with. A skipped check is not a failure."""

    @classmethod
    def of(cls, passed: bool) -> Status:
        """Return PASSED or FAILED.

        Args:
            passed: True if the result is within the tolerance of the check.
        """
        return cls.PASSED if passed else cls.FAILED


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the self-test."""

    subject: str
    """What was computed."""
    expected: str
    """The reference, or the tolerance."""
    result: str
    """What this installation gives, or why the check was skipped."""
    status: Status


def checks() -> Iterator[Check]:
    """Run all checks, the quick ones first."""
    references = json.loads((files("robustbench_eff") / "facts" / "references.json").read_text())
    yield from _corruption_errors(references["imagenet_c"]["models"])
    yield from _shape_biases(references["shape_bias"]["observers"])
    yield from _baselines(references["effective_robustness"]["fits"])
    yield from _classes()
    yield from _kernels()
    yield from _attacks()


def picture() -> Pixels:
    """Return the test picture, uint8 (64, 64, 3): slopes, edges and fine stripes."""
    row, column = np.mgrid[:SIDE, :SIDE]
    disk = (row - 30) ** 2 + (column - 34) ** 2 < 20**2
    stripes = ((row + 2 * column) // 3) % 2
    channels = [4 * column, 255 - 4 * row, np.where(disk, 200, 40) + 30 * stripes]
    return np.stack(channels, -1).clip(0, 255).astype(np.uint8)


def referenced_corruptions() -> list[str]:
    """Return the package's own corruptions whose output is stored; plugins are not among them."""
    return [name for name in CORRUPTIONS.own if name not in NEEDS_PUBLISHED_PICTURES]


def corrupted(name: str) -> Pixels:
    """Return the test picture under a corruption at severity 3, uint8 (64, 64, 3).

    Args:
        name: A row of the table of corruptions.

    Raises:
        SpecError: The table does not contain the corruption.
        DataError: The corruption reads pictures that were not found.
    """
    import torch

    from robustbench_eff.core.rng import RandomStreams
    from robustbench_eff.registry.build_corruption import parse_corruption

    only_cifar10 = name in CIFAR10_C_BAR and name not in IMAGENET_C_BAR
    constants = ", constants='cifar10'" if only_cifar10 else ""
    corruption = parse_corruption(f"{name}(severity={SEVERITY}{constants})")
    pixels: Pixels = corruption(torch.from_numpy(picture())[None], RandomStreams.of(0, [SAMPLE]))[0].numpy()
    return pixels


def _corruption_errors(models: Mapping[str, Mapping[str, Any]]) -> Iterator[Check]:
    """RobustBench normalises by its own run of AlexNet, so the published errors of AlexNet are replaced here."""
    published = alexnet.published()
    alexnet_errors = {name: sum(errors) for name, errors in models["AlexNet"]["errors"].items()}
    baseline = replace(published, errors={name: alexnet_errors[name] for name in published.errors})
    for name, model in models.items():
        errors = {corruption: sum(by_severity) for corruption, by_severity in model["errors"].items()}
        error = 100 * mean_corruption_error(errors, baseline)
        yield _number(f"mCE of {name}, from 75 cells", model["stated"], error, 0.01)


def _shape_biases(observers: Mapping[str, Mapping[str, Any]]) -> Iterator[Check]:
    for name, counts in observers.items():
        bias = ShapeTextureCounts(shape=counts["shape"], texture=counts["texture"], trials=0).shape_bias
        yield _number(f"shape bias of {name}, from counts", counts["stated"], 100 * (bias or 0), 0.005)


def _baselines(fits: Mapping[str, list[float]]) -> Iterator[Check]:
    for name, stated in fits.items():
        line = baselines()[name]
        pairs = zip(("slope", "intercept", "r"), stated, (line.slope, line.intercept, line.r), strict=True)
        for quantity, expected, result in pairs:
            yield _number(f"effective robustness, {quantity} of {name}", expected, result, 1e-3, digits=4)


def _classes() -> Iterator[Check]:
    counts = {"imagenet-a": (200, 200), "imagenet-r": (200, 200), "objectnet": (113, 125), "cue-conflict": (16, 207)}
    used_outputs = {}
    for name, expected in counts.items():
        class_map = build_benchmark.benchmark(name).class_map
        assert class_map is not None
        members = class_map().members
        used_outputs[name] = {output for outputs in members for output in outputs}
        result = (len(members), len(used_outputs[name]))
        yield _equal(f"classes and outputs of {name}", expected, result)
    shared = len(used_outputs["imagenet-a"] & used_outputs["imagenet-r"])
    yield _equal("classes of both ImageNet-A and -R", 86, shared)
    labels = real_labels()
    labelled = f"{sum(map(bool, labels))} of {len(labels)}"
    yield _equal("images with ReaL labels", "46837 of 50000", labelled)


def _kernels() -> Iterator[Check]:
    with (files("robustbench_eff") / "facts" / "corrupted.npz").open("rb") as file:
        references = dict(np.load(file))
    for name in CORRUPTIONS:
        subject, expected = f"{name}, severity {SEVERITY}", f"≤ {MAX_LEVELS} level, ≤ {100 * MAX_SHARE:.0f} %"
        if name not in references:
            yield Check(subject, "", "no reference is stored", Status.SKIPPED)
            continue
        difference = np.abs(corrupted(name).astype(int) - references[name])
        share = float((difference > 0).mean())
        result = f"{difference.max()} levels, {100 * share:.2f} % of values"
        passed = bool(difference.max() <= MAX_LEVELS and share <= MAX_SHARE)
        yield Check(subject, expected, result, Status.of(passed))


def _attacks() -> Iterator[Check]:
    """The shipped network under two attacks, through the same path as any evaluation."""
    from robustbench_eff.evaluation.evaluate import evaluate

    with TemporaryDirectory() as folder:
        attacks = [text for text in ATTACKS if text != "none"]
        result = evaluate("digits_standard", attacks=attacks, store=folder, precision="float32", device="cpu")
        result.check()
    num_correct = {
        score.perturbation: round((score.value or 0) * score.n)
        for score in result.scores
        if score.metric in ("accuracy", "robust_accuracy")
    }
    for text, expected in ATTACKS.items():
        status = Status.of(abs(num_correct[text] - expected) <= MAX_SAMPLES_OFF)
        yield Check(f"digits_standard under {text}", f"{expected} of 360 right", f"{num_correct[text]}", status)


def _number(subject: str, expected: float, result: float, tolerance: float, digits: int = 2) -> Check:
    status = Status.of(abs(result - expected) <= tolerance)
    return Check(subject, f"{expected:.{digits}f}", f"{result:.{digits}f}", status)


def _equal(subject: str, expected: object, result: object) -> Check:
    return Check(subject, str(expected), str(result), Status.of(result == expected))
