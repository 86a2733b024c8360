"""The only one who says whether an attack succeeded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import DataError, EvaluationError
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.threat import Threat, distance
from robustbench_eff.core.types import Images, Labels, Logits, Mask, PerSample
from robustbench_eff.models.classifier import Classifier

TOLERANCE = 1e-6
"""How far outside the ball float32 rounding alone may put an image: in units of [0, 1] pixels where eps is at most
1, else relative to eps, because lengths in L2 and L1 are sums over many pixels."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the plain float32 model says about a batch of images, one entry per sample."""

    prediction: Tensor
    prediction_8bit: Tensor
    confidence: PerSample
    """Probability of the true class."""
    prediction_confidence: PerSample
    """Probability of the predicted class."""
    margin: PerSample
    distance_linf: PerSample
    distance_l2: PerSample
    distance_l1: PerSample
    distance_l0: Tensor
    excess: PerSample
    flags: list[str]
    judged: Images
    """What was classified: the proposed images, put inside the threat model."""


def judge(
    classifier: Classifier,
    images: Images,
    labels: Labels,
    proposed: Images,
    threat: Threat | None,
    batches: Batches,
) -> Judgement:
    """Classify `proposed` after putting it inside `threat` (None: it must equal `images`).

    A sample that leaves the ball or the box by more than TOLERANCE is projected back and flagged; one that
    is not finite is judged on its clean image and flagged. Distances are those of what was judged.
    Raises EvaluationError for a wrong shape or dtype, or when the model returns NaN or infinity.
    """
    if proposed.shape != images.shape or proposed.dtype != images.dtype:
        raise EvaluationError(
            f"The attack returned {proposed.dtype} {tuple(proposed.shape)} "
            f"for {images.dtype} {tuple(images.shape)} images."
        )
    classifier.check_mode()
    finite = proposed.isfinite().flatten(1).all(1)
    candidate = torch.where(finite[:, None, None, None], proposed, images)
    if threat is None:
        excess, judged, allowed = distance(candidate, images, "linf"), images, TOLERANCE
    else:
        excess = threat.excess(candidate, images)
        allowed = TOLERANCE * max(1.0, threat.eps) if math.isfinite(threat.eps) else TOLERANCE
        judged = torch.where((excess > 0)[:, None, None, None], threat.project(candidate, images), candidate)
    logits = _logits(classifier, judged, batches)
    rounded = (judged * 255).round() / 255
    same = (rounded == judged).flatten(1).all(1)
    prediction = logits.argmax(1)
    prediction_8bit = prediction.clone()
    if not same.all():
        prediction_8bit[~same] = _logits(classifier, rounded[~same], batches).argmax(1)
    own, probabilities = logits.gather(1, labels[:, None])[:, 0], logits.softmax(1)
    return Judgement(
        prediction=prediction,
        prediction_8bit=prediction_8bit,
        confidence=probabilities.gather(1, labels[:, None])[:, 0],
        prediction_confidence=probabilities.amax(1),
        margin=own - logits.scatter(1, labels[:, None], float("-inf")).amax(1),
        distance_linf=distance(judged, images, "linf"),
        distance_l2=distance(judged, images, "l2"),
        distance_l1=distance(judged, images, "l1"),
        distance_l0=distance(judged, images, "l0").long(),
        excess=excess,
        flags=_flags(finite, excess > allowed),
        judged=judged,
    )


RANKED = 5
"""Best classes that are kept of every frame."""


def rank_frames(classifier: Classifier, frames: Images, label: int, batches: Batches) -> tuple[list[int], int]:
    """The best classes of every frame, one frame after the other, and which frame has the smallest margin.

    Of classes with equal logits the first is ranked first. Errors as `judge`.
    """
    logits = _logits(classifier, frames, batches)
    ranking = logits.sort(dim=1, descending=True, stable=True).indices[:, :RANKED]
    others = logits.clone()
    others[:, label] = float("-inf")
    return ranking.flatten().tolist(), int((logits[:, label] - others.amax(1)).argmin())


def has_nondeterministic_logits(classifier: Classifier, images: Images, batches: Batches) -> Mask:
    """Which of `images` get other logits when they are asked twice in the same batch."""
    first, second = (_logits(classifier, images, batches) for _ in range(2))
    return ~torch.isclose(first, second, rtol=1e-4, atol=1e-5).all(1)


def check_batch(images: Images, labels: Labels, num_classes: int, sample_ids: list[str]) -> None:
    """Raise DataError for pixels outside [0, 1] or labels outside [0, num_classes), naming the sample."""
    bad_pixels = ~((images >= 0) & (images <= 1)).flatten(1).all(1)  # NaN fails both comparisons
    if bad_pixels.any():
        raise DataError(f"Sample {_first(bad_pixels, sample_ids)} has pixels outside [0, 1].")
    bad_labels = (labels < 0) | (labels >= num_classes)
    if bad_labels.any():
        position = int(bad_labels.nonzero()[0])
        raise DataError(
            f"Sample {sample_ids[position]} has label {int(labels[position])}, "
            f"but the model has classes 0 to {num_classes - 1}."
        )


def _logits(classifier: Classifier, images: Images, batches: Batches) -> Logits:
    with torch.no_grad(), plain_float32(images.device):
        logits = batches.cat_map(classifier, images)
    classifier.check_mode()
    if not logits.isfinite().all():
        raise EvaluationError(
            f"{classifier.name} returned NaN or infinite logits.",
            "No number can be computed from them: check the weights and the normalisation.",
        )
    return logits


def _flags(finite: Mask, outside: Mask) -> list[str]:
    words = {(True, False): "", (True, True): "left_threat_model"}
    return [words.get(pair, "not_finite") for pair in zip(finite.tolist(), outside.tolist(), strict=True)]


def _first(mask: Mask, sample_ids: list[str]) -> str:
    return sample_ids[int(mask.nonzero()[0])]
