"""The work on one shard: images, what changes them, referee, outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from robustbench_eff.errors import EvaluationError, RobustEvalError
from robustbench_eff.gallery import SHOWN, Sample
from robustbench_eff.outcomes import SCHEMA, as_numpy
from robustbench_eff.plan import Shard, Work
from robustbench_eff.referee import Verdict, answers_at_random, check_batch, judge, watch
from robustbench_eff.rng import Draws
from robustbench_eff.threat import Threat
from robustbench_eff.types import CountingModel, Effort, Films, Images, Labels

ANYTHING = Threat("linf", 1.0)
"""Where a corrupted image may lie: a corruption has no threat model."""
ASKED_TWICE = 8
"""Samples of each shard of the clean cell that are classified twice, to notice a network that draws at random."""


@dataclass(frozen=True, slots=True)
class Done:
    """What the work on a shard gives."""

    outcomes: pa.Table
    successes: list[Sample]
    """A few that the referee confirmed, for a picture."""


def run_shard(work: Work, shard: Shard, clean: pa.Table | None) -> Done:
    """The outcomes of one shard.

    `clean` holds the clean outcomes of the same samples (None while the clean cell itself is made): only
    samples that are right when clean are attacked. Corrupted are all, and right is then who is right on the
    corrupted image; of a sequence the frame with the smallest margin stands for all.
    """
    labels = work.images.labels_of(shard.start, shard.stop, work.classifier.mean.device)
    known = None if clean is None else torch.tensor(as_numpy(clean["clean_prediction"]).astype(np.int64)).to(labels)
    sequence = work.sequence
    found = _judged(work, shard, labels, known) if sequence is None else _filmed(work, sequence, shard, labels)
    prediction = found.verdict.prediction
    clean_prediction = prediction if known is None else known
    right = clean_prediction == labels if work.attack is not None else torch.ones_like(labels, dtype=torch.bool)
    beaten = (right & (prediction != labels)).nonzero()[:SHOWN, 0].tolist()
    samples = [
        _sample(found.images[row], found.verdict.judged[row], int(labels[row]), int(prediction[row])) for row in beaten
    ]
    return Done(_outcomes(work, shard, labels, clean_prediction, right, found), samples)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of the samples of a shard."""

    images: Images
    """Before they were changed."""
    verdict: Verdict
    effort: Effort
    rankings: list[list[int]]
    """Of every frame of a sequence; else empty."""


def _judged(work: Work, shard: Shard, labels: Labels, known: torch.Tensor | None) -> Judged:
    """Clean, corrupted or attacked images before the referee; `known` are the clean predictions."""
    classifier, ids = work.classifier, work.images.sample_ids[shard.start : shard.stop]
    pixels = work.images.bytes(shard.start, shard.stop, labels.device)
    images = work.images.seen(pixels)
    check_batch(images, labels, classifier.num_classes, ids)
    proposed, threat, effort = images, None, Effort.none(len(labels), labels.device)
    if work.attack is not None:
        assert known is not None
        proposed, effort = _attack(work, images, labels, ids, known == labels)
        threat = work.attack.threat
    else:
        effort.num_forwards += 1
    if work.corruption is not None:
        draws = Draws.of(work.cell.seed or 0, ids, labels.device)
        proposed, threat = work.images.seen(work.corruption(pixels, draws)), ANYTHING
    verdict = judge(classifier, images, labels, proposed, threat, work.batch_size)
    if work.is_clean:
        for row in answers_at_random(classifier, images[:ASKED_TWICE]).nonzero()[:, 0].tolist():
            verdict.flags[row] = "random_output"
    return Judged(images, verdict, effort, [[] for _ in ids])


def _filmed(work: Work, sequence: Films, shard: Shard, labels: Labels) -> Judged:
    """Sequences of frames before the referee: every frame is ranked, and the one with the smallest margin judged.

    Of published ones nobody has the clean image; the first frame stands for it.
    """
    classifier, ids = work.classifier, work.images.sample_ids[shard.start : shard.stop]
    size, draws = work.images.pixels.shape[1], Draws.of(work.cell.seed or 0, ids, labels.device)
    first, worst, rankings = [], [], []
    for position, label in enumerate(labels.tolist()):
        picture = work.images.picture(shard.start + position, labels.device)
        frames = work.images.seen(sequence(picture, size, draws[position : position + 1]))
        ranking, lowest = watch(classifier, frames, label, work.batch_size)
        first.append(frames[0])
        worst.append(frames[lowest])
        rankings.append(ranking)
    published = work.images.published
    images = torch.stack(first) if published else work.images.batch(shard.start, shard.stop, labels.device)[0]
    check_batch(images, labels, classifier.num_classes, ids)
    effort = Effort.none(len(labels), labels.device)
    effort.num_forwards += sequence.frames + 1
    verdict = judge(classifier, images, labels, torch.stack(worst), ANYTHING, work.batch_size)
    return Judged(images, verdict, effort, rankings)


def _outcomes(
    work: Work, shard: Shard, labels: Labels, clean_prediction: torch.Tensor, right: torch.Tensor, found: Judged
) -> pa.Table:
    """One row a sample; `right` says who can still be right."""
    verdict, effort = found.verdict, found.effort
    columns = {
        "index": np.arange(shard.start, shard.stop),
        "sample_id": work.images.sample_ids[shard.start : shard.stop],
        "label": labels,
        "texture": _textures(work, shard),
        "clean_prediction": clean_prediction,
        "prediction": verdict.prediction,
        "correct": right & (verdict.prediction == labels),
        "correct_8bit": right & (verdict.prediction_8bit == labels),
        "confidence": verdict.confidence,
        "prediction_confidence": verdict.prediction_confidence,
        "margin": verdict.margin,
        "distance_linf": verdict.distance_linf,
        "distance_l2": verdict.distance_l2,
        "distance_l1": verdict.distance_l1,
        "distance_l0": verdict.distance_l0,
        "excess": verdict.excess,
        "num_forwards": effort.num_forwards,
        "num_backwards": effort.num_backwards,
        "zero_gradients": effort.zero_gradients,
        "false_positives": effort.false_positives,
        "won_by": effort.won_by,
        "note": ["; ".join(effort.notes)] * len(labels),
        "ranking": found.rankings,
        "flag": verdict.flags,
    }
    if work.images.published:
        columns |= {name: np.full(len(labels), np.nan) for name in ("distance_linf", "distance_l2", "distance_l1")}
        columns["distance_l0"] = np.full(len(labels), -1)
    arrays = [
        pa.array(values.cpu().numpy() if isinstance(values, torch.Tensor) else values).cast(field.type)
        for field, values in zip(SCHEMA, columns.values(), strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _textures(work: Work, shard: Shard) -> np.ndarray:
    textures = work.images.textures
    return np.full(len(shard), -1) if textures is None else textures[shard.start : shard.stop]


def _sample(clean: torch.Tensor, perturbed: torch.Tensor, label: int, prediction: int) -> Sample:
    before, after = (image.permute(1, 2, 0).cpu().numpy() for image in (clean, perturbed))
    return Sample(before, after, f"{label} as {prediction}")


def _attack(work: Work, images: Images, labels: Labels, ids: list[str], right: torch.Tensor) -> tuple[Images, Effort]:
    """Attack the samples that are right when clean; the others keep their clean image and cost nothing."""
    rows = right.nonzero()[:, 0]
    draws = Draws.of(work.cell.seed or 0, [ids[row] for row in rows.tolist()], images.device)
    oracle = work.oracle
    assert oracle is not None
    oracle.watch(len(rows), images.device)
    proposed = images.clone()
    proposed[rows] = _answer(work, oracle, images[rows], labels[rows], draws)
    spent, effort = oracle.effort, Effort.none(len(labels), images.device)
    for all_rows, attacked in zip(effort.counts(), spent.counts(), strict=True):
        all_rows[rows] = attacked
    for row, winner in zip(rows.tolist(), spent.won_by, strict=True):
        effort.won_by[row] = winner
    effort.notes = spent.notes
    return proposed, effort


def _answer(work: Work, oracle: CountingModel, images: Images, labels: Labels, draws: Draws) -> Images:
    """What the attack returns, or EvaluationError: it may be anybody's code."""
    name = work.cell.perturbation
    if work.attack is None or not len(images):  # many models cannot take an empty batch
        return images
    try:
        answer = work.attack(oracle, images.clone(), labels.clone(), draws)
    except RobustEvalError:
        raise
    except Exception as error:  # the attack or the model may be the user's, and raise anything
        raise EvaluationError(
            f"{name} on {work.cell.model} failed: {type(error).__name__}: {error}",
            "ROBUST_EVAL_TRACEBACK=1 shows where.",
        ) from error
    if not isinstance(answer, torch.Tensor) or answer.shape != images.shape:
        got = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise EvaluationError(f"{name} must return images of shape {tuple(images.shape)}, got {got}.")
    work.classifier.check_mode()
    work.classifier.check_weights()
    return answer.detach().to(images)
