"""The referee of a smoothed classifier: a vote over noise decides, and certifies a radius."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Labels, PerSample, QueryStats
from robustbench_eff.models.smoothing import Smoothing

from .plan import CellRuntime
from .referee import Judgement


class VotedJudgement(NamedTuple):
    """The judgement of a smoothed classifier."""

    verdict: Judgement
    """With the predictions of the smoothed classifier, -1 where it abstains, and shares of votes for confidences."""
    radius: PerSample
    """Certified L2 radius around the judged image; 0 where the classifier abstains."""


def judge_by_votes(
    work: CellRuntime,
    smoothing: Smoothing,
    verdict: Judgement,
    effort: QueryStats,
    labels: Labels,
    streams: RandomStreams,
) -> VotedJudgement:
    """Replace the network's predictions on the judged images with those of the smoothed classifier.

    An abstention is incorrect. The votes on adversarial images use other noise than those on clean images, so that the
    certificate of the one and the prediction on the other can be tested against each other.

    Args:
        work: Cell of certificates, or of an attack on the smoothed classifier.
        smoothing: The smoothed classifier.
        verdict: The referee's judgement of the network.
        effort: Queries, to which the draws are added; those of an attack become passes of the network.
        labels: True classes.
        streams: Random numbers of every sample.

    Raises:
        EvaluationError: The network returned NaN or infinite logits.
        ModelError: The network is in train mode.
    """
    stream = "certificate" if work.attack is None else "certificate under attack"
    certificates = smoothing.certify(work.classifier, verdict.judged, streams, stream, work.batches)
    if work.attack is not None:
        for counts in (effort.num_forwards, effort.num_backwards):
            counts.copy_(torch.where(counts > 0, counts * smoothing.draws, counts))
    effort.num_forwards += (effort.num_forwards >= 0) * smoothing.max_passes
    shares = (certificates.votes / smoothing.n).to(labels.device)
    prediction, selected = (classes.to(labels.device) for classes in (certificates.prediction, certificates.selected))
    own = shares.gather(1, labels[:, None])[:, 0]
    voted = replace(
        verdict,
        prediction=prediction,
        prediction_8bit=prediction,
        correct=prediction == labels,
        correct_8bit=prediction == labels,
        confidence=own,
        prediction_confidence=shares.gather(1, selected[:, None])[:, 0],
        margin=own - shares.scatter(1, labels[:, None], -1.0).amax(1),
    )
    return VotedJudgement(voted, certificates.radius)
