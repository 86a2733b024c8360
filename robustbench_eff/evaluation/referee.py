"""The referee: the only code that decides whether an image is classified correctly and an attack succeeded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import DataError, EvaluationError
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.threat import Threat, distance
from robustbench_eff.core.types import Images, Labels, Logits, Mask, PerSample
from robustbench_eff.models.classifier import Classifier

from .votes import Answers, ask

TOLERANCE = 1e-6
"""Largest excess over the ball that float32 rounding alone may cause. It is in units of [0, 1] pixels if eps is at most
1, else relative to eps, because L2 and L1 lengths are sums over many pixels."""
RANKED = 5
"""Number of best classes that are stored per frame."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Predictions of the plain float32 model for a batch of images, with one entry per sample."""

    prediction: Tensor
    """Predicted class."""
    prediction_8bit: Tensor
    """Predicted class after rounding the image to 8 bits."""
    correct: Mask
    """True where the predicted class is the true class; of several votes, where more than half are right. An attack has
    succeeded where the clean image was classified correctly and this is False."""
    correct_8bit: Mask
    """The same after rounding the image to 8 bits."""
    confidence: PerSample
    """Probability of the true class."""
    prediction_confidence: PerSample
    """Probability of the predicted class."""
    margin: PerSample
    """Logit of the true class minus the largest other logit."""
    distance_linf: PerSample
    """L-infinity distance between the judged and the clean image, in units of [0, 1] pixels; the next two likewise."""
    distance_l2: PerSample
    distance_l1: PerSample
    distance_l0: Tensor
    """Number of changed pixels."""
    excess: PerSample
    """Distance by which the proposed image left the threat model."""
    flags: list[str]
    """`left_threat_model`, `not_finite`, or empty."""
    judged: Images
    """The images that were classified: the proposed ones, projected into the threat model."""
    votes: list[list[bool]]
    """Whether each of several votes is right; empty lists where every image was classified once."""


class _Admitted(NamedTuple):
    """Proposed images after the projection into the threat model."""

    judged: Images
    excess: PerSample
    flags: list[str]


def judge(
    classifier: Classifier,
    images: Images,
    labels: Labels,
    proposed: Images,
    threat: Threat | None,
    batches: Batches,
    votes: int | None = None,
) -> Judgement:
    """Classify the proposed images after projecting them into the threat model.

    An image that leaves the ball or [0, 1] by more than `TOLERANCE` is projected back and flagged. An image with a NaN
    or infinite pixel is replaced with its clean image and flagged. Of several votes the prediction is the most frequent
    one, and confidences and margins are means. Where the images of a batch share what a network draws, each image is
    classified alone, so that votes are independent.

    Args:
        classifier: Model in eval mode.
        images: Clean images.
        labels: True classes.
        proposed: Images to judge, of the same shape and dtype as `images`.
        threat: Set of images that the attack may return; None if `proposed` must equal `images`.
        batches: Batch size of the forward passes.
        votes: How often to classify each image, for a network that draws at random; None for once.

    Raises:
        EvaluationError: If the shape or dtype is wrong, or the model returns NaN or infinite logits.
        ModelError: If the model is in train mode.
    """
    judged, excess, flags = _admit(images, proposed, threat)
    classifier.check_mode()
    query = partial(_logits, classifier, batches=Batches(1) if votes and classifier.shares_draws else batches)
    answers = ask(query, judged, labels, votes or 1)
    prediction_8bit, correct_8bit = _answers_8bit(query, judged, labels, answers, votes or 1)
    return Judgement(
        prediction=answers.prediction,
        prediction_8bit=prediction_8bit,
        correct=answers.correct,
        correct_8bit=correct_8bit,
        confidence=answers.confidence,
        prediction_confidence=answers.prediction_confidence,
        margin=answers.margin,
        distance_linf=distance(judged, images, "linf"),
        distance_l2=distance(judged, images, "l2"),
        distance_l1=distance(judged, images, "l1"),
        distance_l0=distance(judged, images, "l0").long(),
        excess=excess,
        flags=flags,
        judged=judged,
        votes=answers.right.tolist() if votes else [[] for _ in flags],
    )


def rank_frames(classifier: Classifier, frames: Images, label: int, batches: Batches) -> tuple[list[int], int]:
    """Rank the classes of every frame of a sequence, and find the frame with the smallest margin.

    Args:
        classifier: Model in eval mode.
        frames: Frames of one sequence.
        label: True class of the sequence.
        batches: Batch size of the forward passes.

    Returns:
        The `RANKED` best classes of each frame, one frame after the other, and the index of the frame with the
        smallest margin. Among classes with equal logits the one with the smaller index ranks first.

    Raises:
        EvaluationError: If the model returns NaN or infinite logits.
        ModelError: If the model is in train mode.
    """
    logits = _logits(classifier, frames, batches)
    ranking = logits.sort(dim=1, descending=True, stable=True).indices[:, :RANKED]
    others = logits.clone()
    others[:, label] = float("-inf")
    return ranking.flatten().tolist(), int((logits[:, label] - others.amax(1)).argmin())


def has_nondeterministic_logits(classifier: Classifier, images: Images, batches: Batches) -> Mask:
    """Return which images get different logits when they are classified twice in the same batch.

    Args:
        classifier: Model in eval mode.
        images: Images to classify.
        batches: Batch size of the forward passes.

    Raises:
        EvaluationError: If the model returns NaN or infinite logits.
        ModelError: If the model is in train mode.
    """
    first, second = (_logits(classifier, images, batches) for _ in range(2))
    return ~torch.isclose(first, second, rtol=1e-4, atol=1e-5).all(1)


def check_batch(images: Images, labels: Labels, num_classes: int, sample_ids: list[str]) -> None:
    """Check that all pixels and labels are in range.

    Args:
        images: Images of which every pixel must be in [0, 1].
        labels: Classes that must be in [0, num_classes).
        num_classes: Number of classes of the model.
        sample_ids: Names of the samples for the error message.

    Raises:
        DataError: If a pixel or a label is out of range; the error names the sample.
    """
    bad_pixels = ~((images >= 0) & (images <= 1)).flatten(1).all(1)  # NaN fails both comparisons
    if bad_pixels.any():
        raise DataError(f"Sample {sample_ids[_first(bad_pixels)]} has pixels outside [0, 1].")
    bad_labels = (labels < 0) | (labels >= num_classes)
    if bad_labels.any():
        position = _first(bad_labels)
        raise DataError(
            f"Sample {sample_ids[position]} has label {int(labels[position])}, "
            f"but the model has classes 0 to {num_classes - 1}."
        )


def _admit(images: Images, proposed: Images, threat: Threat | None) -> _Admitted:
    """Project the proposed images into the threat model, and flag those that lay outside."""
    if proposed.shape != images.shape or proposed.dtype != images.dtype:
        raise EvaluationError(
            f"The attack returned {proposed.dtype} {tuple(proposed.shape)} "
            f"for {images.dtype} {tuple(images.shape)} images."
        )
    finite = proposed.isfinite().flatten(1).all(1)
    candidate = torch.where(finite[:, None, None, None], proposed, images)
    if threat is None:
        excess, judged, allowed = distance(candidate, images, "linf"), images, TOLERANCE
    else:
        excess = threat.excess(candidate, images)
        allowed = TOLERANCE * max(1.0, threat.eps) if math.isfinite(threat.eps) else TOLERANCE
        judged = torch.where((excess > 0)[:, None, None, None], threat.project(candidate, images), candidate)
    return _Admitted(judged, excess, _flags(finite, excess > allowed))


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


def _answers_8bit(
    query: Callable[[Images], Logits], judged: Images, labels: Labels, answers: Answers, votes: int
) -> tuple[Tensor, Mask]:
    """Classify the images after rounding them to 8 bits; images on the 8-bit grid keep their answers."""
    rounded = (judged * 255).round() / 255
    moved = ~(rounded == judged).flatten(1).all(1)
    prediction, correct = answers.prediction.clone(), answers.correct
    if moved.any():
        again = ask(query, rounded[moved], labels[moved], votes)
        prediction[moved], correct[moved] = again.prediction, again.correct
    return prediction, correct


def _flags(finite: Mask, outside: Mask) -> list[str]:
    names = {(True, False): "", (True, True): "left_threat_model"}
    return [names.get(pair, "not_finite") for pair in zip(finite.tolist(), outside.tolist(), strict=True)]


def _first(mask: Mask) -> int:
    """Return the index of the first True."""
    return int(mask.nonzero()[0])
