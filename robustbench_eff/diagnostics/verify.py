"""A self-test that needs no data: formulas and kernels against references that are shipped with the package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from robustbench_eff.registry import build, build_benchmark
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.perturbation_sets import CIFAR10_C_BAR, IMAGENET_C_BAR
from robustbench_eff.scores import alexnet
from robustbench_eff.scores.corruptions import mean_corruption_error
from robustbench_eff.scores.cue_conflict import ShapeTextureCounts
from robustbench_eff.scores.effective import baselines
from robustbench_eff.scores.real import real_labels

SEVERITY, SIDE, SAMPLE = 3, 64, "verify"
"""Under which corruptions were kept, of a picture of how many pixels, and what draws are keyed by."""
LEVELS, SHARE = 1, 0.01
"""How far a pixel's level may be from the reference, and how many may: another processor's sine ends on another bit."""
ATTACKS = {"none": 359, "fgsm(eps=8/255)": 318, "pgd(eps=8/255, steps=50)": 279}
"""Right answers of digits_standard on the 360 test digits."""
WITHIN = 2
"""So many may be decided by the last bit of a margin."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was computed anew, what it should be, and whether it is."""

    what: str
    expected: str
    found: str
    good: bool


def checks() -> Iterator[Check]:
    """All of them, the quick ones first."""
    references = json.loads((files("robustbench_eff") / "facts" / "references.json").read_text())
    yield from _corruption_errors(references["imagenet_c"]["models"])
    yield from _shape_biases(references["shape_bias"]["observers"])
    yield from _baselines(references["effective_robustness"]["fits"])
    yield from _classes()
    yield from _kernels()
    yield from _attacks()


def _corruption_errors(models: dict[str, dict[str, Any]]) -> Iterator[Check]:
    """RobustBench divides by its own run of AlexNet."""
    normalised = alexnet.published()
    own = {name: sum(errors) for name, errors in models["AlexNet"]["errors"].items()}
    theirs = replace(normalised, errors={name: own[name] for name in normalised.errors})
    for name, model in models.items():
        errors = {corruption: sum(of) for corruption, of in model["errors"].items()}
        yield _number(
            f"mCE of {name}, from 75 cells", model["stated"], 100 * mean_corruption_error(errors, theirs), 0.01
        )


def _shape_biases(observers: dict[str, dict[str, Any]]) -> Iterator[Check]:
    for name, counts in observers.items():
        found = ShapeTextureCounts(shape=counts["shape"], texture=counts["texture"], trials=0).shape_bias
        yield _number(f"shape bias of {name}, from counts", counts["stated"], 100 * (found or 0), 0.005)


def _baselines(fits: dict[str, list[float]]) -> Iterator[Check]:
    for name, stated in fits.items():
        line = baselines()[name]
        pairs = zip(("slope", "intercept", "r"), stated, (line.slope, line.intercept, line.r), strict=True)
        for what, expected, found in pairs:
            yield _number(f"effective robustness, {what} of {name}", expected, found, 1e-3, digits=4)


def _classes() -> Iterator[Check]:
    counts = {"imagenet-a": (200, 200), "imagenet-r": (200, 200), "objectnet": (113, 125), "cue-conflict": (16, 207)}
    kept = {}
    for name, expected in counts.items():
        class_map = build_benchmark.benchmark(name).class_map
        assert class_map is not None
        members = class_map().members
        kept[name] = {output for outputs in members for output in outputs}
        found = (len(members), len(kept[name]))
        yield Check(f"classes and outputs of {name}", str(expected), str(found), found == expected)
    shared = len(kept["imagenet-a"] & kept["imagenet-r"])
    yield Check("classes of both ImageNet-A and -R", "86", str(shared), shared == 86)
    labelled = sum(map(bool, real_labels()))
    yield Check("images with ReaL labels", "46837 of 50000", f"{labelled} of {len(real_labels())}", labelled == 46_837)


def picture() -> np.ndarray:
    """A picture with slopes, edges and fine stripes; uint8 (64, 64, 3)."""
    down, across = np.mgrid[:SIDE, :SIDE]
    disk = (down - 30) ** 2 + (across - 34) ** 2 < 20**2
    stripes = ((down + 2 * across) // 3) % 2
    channels = [4 * across, 255 - 4 * down, np.where(disk, 200, 40) + 30 * stripes]
    return np.stack(channels, -1).clip(0, 255).astype(np.uint8)


def kept_kernels() -> list[str]:
    """Corruptions whose output is kept: all but those whose pictures a user brings."""
    return [name for name in CORRUPTIONS if name not in ("frost_published", "frost_imagecorruptions")]


def corrupted(name: str) -> np.ndarray:
    """The picture under a corruption; uint8 (64, 64, 3)."""
    import torch

    from robustbench_eff.core.rng import RandomStreams

    only_cifar10 = name in CIFAR10_C_BAR and name not in IMAGENET_C_BAR
    constants = ", constants='cifar10'" if only_cifar10 else ""
    made = build.corruption(f"{name}(severity={SEVERITY}{constants})")
    pixels: np.ndarray = made(torch.from_numpy(picture())[None], RandomStreams.of(0, [SAMPLE]))[0].numpy()
    return pixels


def _kernels() -> Iterator[Check]:
    with (files("robustbench_eff") / "facts" / "corrupted.npz").open("rb") as file:
        kept = dict(np.load(file))
    for name in kept_kernels():
        apart = np.abs(corrupted(name).astype(int) - kept[name])
        share = float((apart > 0).mean())
        good = apart.max() <= LEVELS and share <= SHARE
        found = f"{apart.max()} levels, {100 * share:.2f} % of values"
        yield Check(f"{name}, severity {SEVERITY}", f"≤ {LEVELS} level, ≤ {100 * SHARE:.0f} %", found, good)


def _attacks() -> Iterator[Check]:
    """The shipped network under two attacks, through the same path as any evaluation."""
    from robustbench_eff.evaluation.evaluate import evaluate

    with TemporaryDirectory() as folder:
        attacks = [text for text in ATTACKS if text != "none"]
        result = evaluate("digits_standard", attacks=attacks, store=folder, precision="float32", device="cpu")
    right = {
        score.perturbation: round((score.value or 0) * score.n)
        for score in result.scores
        if score.metric in ("accuracy", "robust_accuracy")
    }
    for text, expected in ATTACKS.items():
        good = abs(right[text] - expected) <= WITHIN
        yield Check(f"digits_standard under {text}", f"{expected} of 360 right", f"{right[text]}", good)


def _number(what: str, expected: float, found: float, within: float, digits: int = 2) -> Check:
    return Check(what, f"{expected:.{digits}f}", f"{found:.{digits}f}", abs(found - expected) <= within)
