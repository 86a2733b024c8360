"""Evaluation of one shard: load the images, perturb them, have them judged by the referee, and collect the outcomes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from robustbench_eff.core.errors import EvaluationError, RobustEvalError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.shortages import out_of_memory
from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import FrameGenerator, Images, Labels, PerSample, Pixels, QueryCountingModel, QueryStats
from robustbench_eff.storage.picture import Pictured

from .gallery import MAX_TILES, Sample
from .plan import CellRuntime, SampleIndices, Task
from .prefetch import fetched, pictures
from .referee import Judgement, check_batch, has_nondeterministic_logits, judge, rank_frames
from .shard_columns import ShardColumns, merged_columns
from .smoothed_votes import judge_by_votes

UNBOUNDED = Threat("linf", 1.0)
"""Threat model of corrupted images: a corruption may change a pixel to any value in [0, 1]."""
REPEAT_EVERY = 32
"""One of so many clean samples is classified twice, to detect a network with random outputs."""


def run_shard(work: CellRuntime, task: Task, pixels: Pixels | None = None) -> ShardColumns:
    """Evaluate one shard; if memory runs out, evaluate it in parts.

    Attacks run only on samples that are classified correctly when clean, or on all where each has several votes.
    Corruptions apply to every sample, and `correct` refers to the corrupted image. A sequence is scored by its frame
    with the smallest margin.

    Args:
        work: Cell with its model, images and perturbation.
        task: Samples to evaluate.
        pixels: Images of the samples if they are already on the device; None loads them.

    Returns:
        One outcome per sample, in the order of `task.rows`.

    Raises:
        EvaluationError: If the attack or the model fails, or memory does not suffice for a single sample.
        DataError: If an image or a label does not fit the model.
        ModelError: If the attack changed the model.
    """
    if work.per_shard_randomness:
        return evaluate_samples(work, task, pixels)

    def evaluate_part(positions: torch.Tensor) -> ShardColumns:
        part = slice(int(positions[0]), int(positions[-1]) + 1)
        return evaluate_samples(work, task.part(part), None if pixels is None else pixels[part])

    return merged_columns(work.shards.map(evaluate_part, torch.arange(len(task.rows))))


def evaluate_samples(work: CellRuntime, task: Task, pixels: Pixels | None) -> ShardColumns:
    """Evaluate samples together; see `run_shard`.

    Args:
        work: Cell with its model, images and perturbation.
        task: Samples to evaluate.
        pixels: Their images if they are already on the device; None loads them.
    """
    start = time.perf_counter()
    labels = work.images.labels_of(task.rows, work.classifier.mean.device)
    clean = None if task.clean_predictions is None else torch.tensor(task.clean_predictions.astype(np.int64)).to(labels)
    if work.sequence is not None:
        batch = _judge_sequences(work, work.sequence, task.rows, labels)
    else:
        pixels = fetched(work.images, task.rows, labels.device) if pixels is None else pixels
        batch = _judge_images(work, task.rows, labels, clean, pixels)
    prediction = batch.verdict.prediction
    clean_prediction = prediction if clean is None else clean
    eligible = clean_prediction == labels if work.attack is not None else torch.ones_like(labels, dtype=torch.bool)
    misclassified = [] if task.has_gallery else (eligible & ~batch.verdict.correct).nonzero()[:MAX_TILES, 0].tolist()
    successes = [
        _gallery_sample(
            batch.images[row],
            batch.verdict.judged[row],
            Pictured(int(task.rows[row]), int(labels[row]), int(prediction[row])),
        )
        for row in misclassified
    ]
    columns = _columns(work, task.rows, labels, clean_prediction, eligible, batch)
    return ShardColumns(columns, successes, time.perf_counter() - start)


@dataclass(frozen=True, slots=True)
class JudgedBatch:
    """Samples of a shard after the referee's judgement."""

    images: Images
    """Images before the perturbation."""
    verdict: Judgement
    effort: QueryStats
    """Queries that the attack or the classification needed."""
    rankings: list[list[int]]
    """Best classes of every frame of a sample's sequence; empty lists for single images."""
    radius: PerSample | None = None  # certified radius of the judged image


def _judge_images(
    work: CellRuntime, rows: SampleIndices, labels: Labels, clean: torch.Tensor | None, pixels: Pixels
) -> JudgedBatch:
    """Perturb images and have them judged; `clean` holds the clean predictions, None for a clean cell."""
    classifier, ids = work.classifier, _ids(work, rows)
    images = work.images.to_model_input(pixels)
    check_batch(images, labels, classifier.num_classes, ids)
    proposed, threat, radius, effort = images, None, None, QueryStats.none(len(labels), labels.device)
    if work.attack is not None:
        assert clean is not None
        eligible = torch.ones_like(labels, dtype=torch.bool) if work.votes else clean == labels
        proposed, effort = _attack(work, images, labels, ids, eligible)
        threat = work.attack.threat
    else:
        effort.num_forwards += work.votes or 1
    draws = RandomStreams.of(work.cell.seed or 0, ids, labels.device)
    if work.corruption is not None:
        proposed, threat = work.images.to_model_input(work.corruption(pixels, draws)), UNBOUNDED
    verdict = judge(classifier, images, labels, proposed, threat, work.batches, work.votes)
    if work.is_clean and not work.votes and work.stream is None:  # in a stream another query changes the next
        _flag_random_outputs(work, rows, images, verdict)
    if work.smoothing is not None:
        verdict, radius = judge_by_votes(work, work.smoothing, verdict, effort, labels, draws)
    return JudgedBatch(images, verdict, effort, [[] for _ in ids], radius)


def _flag_random_outputs(work: CellRuntime, rows: SampleIndices, images: Images, verdict: Judgement) -> None:
    """Classify some of the samples twice, and flag those whose logits differ."""
    repeated = np.flatnonzero(rows % REPEAT_EVERY == 0)
    if len(repeated):
        differs = has_nondeterministic_logits(work.classifier, images[repeated.tolist()], work.batches).cpu().numpy()
        for row in repeated[differs]:
            verdict.flags[row] = "random_output"


def _judge_sequences(work: CellRuntime, sequence: FrameGenerator, rows: SampleIndices, labels: Labels) -> JudgedBatch:
    """Rank the classes of every frame, and have the frame with the smallest margin judged.

    A published sequence does not have a clean image; its first frame is used instead.
    """
    classifier, ids = work.classifier, _ids(work, rows)
    size, draws = work.images.pixels.shape[1], RandomStreams.of(work.cell.seed or 0, ids, labels.device)
    first_frames, worst_frames, rankings = [], [], []
    sources = pictures(work.images, rows, labels.device)
    for position, (label, source) in enumerate(zip(labels.tolist(), sources, strict=True)):
        frames = work.images.to_model_input(sequence(source, size, draws[position : position + 1]))
        ranking, worst = rank_frames(classifier, frames, label, work.batches)
        first_frames.append(frames[0])
        worst_frames.append(frames[worst])
        rankings.append(ranking)
    if work.images.published:
        images = torch.stack(first_frames)
    else:
        images = work.images.to_model_input(work.images.bytes(rows).to(labels.device))
    check_batch(images, labels, classifier.num_classes, ids)
    effort = QueryStats.none(len(labels), labels.device)
    effort.num_forwards += sequence.frames + 1
    verdict = judge(classifier, images, labels, torch.stack(worst_frames), UNBOUNDED, work.batches)
    return JudgedBatch(images, verdict, effort, rankings)


def _columns(
    work: CellRuntime,
    rows: SampleIndices,
    labels: Labels,
    clean_prediction: torch.Tensor,
    eligible: torch.Tensor,
    batch: JudgedBatch,
) -> dict[str, Any]:
    """Return the outcomes by column; a sample that is not `eligible` counts as incorrect."""
    verdict, effort, ids = batch.verdict, batch.effort, _ids(work, rows)
    columns = {
        "index": rows,
        "sample_id": ids,
        "label": labels,
        "texture": np.full(len(rows), -1) if work.images.textures is None else work.images.textures[rows],
        "clean_prediction": clean_prediction,
        "prediction": verdict.prediction,
        "correct": eligible & verdict.correct,
        "correct_8bit": eligible & verdict.correct_8bit,
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
        "ranking": batch.rankings,
        "flag": verdict.flags,
        "votes": verdict.votes,
        "radius": np.full(len(rows), -1.0) if batch.radius is None else batch.radius,
    }
    if work.images.published:  # a published image has no clean counterpart to measure a distance to
        columns |= {name: np.full(len(labels), np.nan) for name in ("distance_linf", "distance_l2", "distance_l1")}
        columns["distance_l0"] = np.full(len(labels), -1)
    return {name: values.cpu() if isinstance(values, torch.Tensor) else values for name, values in columns.items()}


def _ids(work: CellRuntime, rows: SampleIndices) -> list[str]:
    return [work.images.sample_ids[row] for row in rows.tolist()]


def _gallery_sample(clean: torch.Tensor, perturbed: torch.Tensor, pictured: Pictured) -> Sample:
    before, after = (image.permute(1, 2, 0).cpu().numpy() for image in (clean, perturbed))
    return Sample(before, after, pictured)


def _attack(
    work: CellRuntime, images: Images, labels: Labels, ids: list[str], correct: torch.Tensor
) -> tuple[Images, QueryStats]:
    """Attack the samples of the mask `correct`; the others keep their clean image and cost no queries."""
    rows = correct.nonzero()[:, 0]
    draws = RandomStreams.of(work.cell.seed or 0, [ids[row] for row in rows.tolist()], images.device)
    oracle = work.oracle
    assert oracle is not None
    oracle.watch(len(rows), images.device)
    proposed = images.clone()
    found = _call_attack(work, oracle, images[rows], labels[rows], draws)
    proposed[rows] = work.best_of(found, images[rows], labels[rows])
    spent, effort = oracle.effort, QueryStats.none(len(labels), images.device)
    for all_counts, attacked_counts in zip(effort.counts(), spent.counts(), strict=True):
        all_counts[rows] = attacked_counts
    for row, winner in zip(rows.tolist(), spent.won_by, strict=True):
        effort.won_by[row] = winner
    effort.notes = spent.notes
    return proposed, effort


def _call_attack(
    work: CellRuntime, oracle: QueryCountingModel, images: Images, labels: Labels, draws: RandomStreams
) -> Images:
    """Return the images that the attack proposes; whatever third-party code raises becomes EvaluationError."""
    name = work.cell.perturbation
    if work.attack is None or not len(images):  # many models do not accept an empty batch
        return images
    try:
        proposed = work.attack(oracle, images.clone(), labels.clone(), draws)
    except RobustEvalError:
        raise
    except Exception as error:  # the attack or the model may be the user's
        if out_of_memory(error) and not work.per_shard_randomness:
            raise
        if out_of_memory(error):
            raise EvaluationError(
                f"{name} on {work.cell.model} failed: memory ran out, and its random draws do not allow smaller parts.",
                f"Try --shard-size {max(1, len(images) // 2)}, which then is part of its draws, or fewer --workers.",
            ) from error
        raise EvaluationError(
            f"{name} on {work.cell.model} failed: {type(error).__name__}: {error}",
            "Set ROBUST_EVAL_TRACEBACK=1 to see where.",
        ) from error
    if not isinstance(proposed, torch.Tensor) or proposed.shape != images.shape:
        got = tuple(proposed.shape) if isinstance(proposed, torch.Tensor) else type(proposed).__name__
        raise EvaluationError(f"{name} must return images of shape {tuple(images.shape)}, got {got}.")
    work.classifier.check_mode()
    work.classifier.check_weights()
    return proposed.detach().to(images)
