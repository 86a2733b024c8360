"""The work on one shard: images, what changes them, referee, outcomes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from robustbench_eff.core.batching import out_of_memory
from robustbench_eff.core.errors import EvaluationError, RobustEvalError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import FrameGenerator, Images, Labels, Pixels, QueryCountingModel, QueryStats
from robustbench_eff.storage.outcomes import SCHEMA

from .gallery import MAX_TILES, Sample, picture
from .plan import CellRuntime, SampleIndices, Task
from .prefetch import fetched, pictures
from .referee import Judgement, check_batch, has_nondeterministic_logits, judge, rank_frames

UNBOUNDED = Threat("linf", 1.0)
"""Where a corrupted image may lie: a corruption has no threat model."""
REPEAT_EVERY = 32
"""Of so many samples of the clean cell one is classified twice, to notice a network that draws at random."""


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What the work on a shard gives: its outcomes, and a picture of successes as PNG where one was wanted."""

    outcomes: pa.Table
    picture: bytes | None
    seconds: float
    """That the worker took."""


@dataclass(frozen=True, slots=True)
class ShardColumns:
    """What the device had to say about a shard. The rest of the work needs neither it nor the model."""

    columns: dict[str, Any]
    """By name and in the order of SCHEMA, in the memory of the host."""
    successes: list[Sample]
    """A few that the referee confirmed, for a picture."""
    seconds: float

    def done(self) -> ShardResult:
        """The same as it is stored."""
        arrays = [
            pa.array(values.numpy() if isinstance(values, torch.Tensor) else values).cast(field.type)
            for field, values in zip(SCHEMA, self.columns.values(), strict=True)
        ]
        outcomes = pa.Table.from_arrays(arrays, schema=SCHEMA)
        return ShardResult(outcomes, picture(self.successes) if self.successes else None, self.seconds)


def run_shard(work: CellRuntime, task: Task, pixels: Pixels | None = None) -> ShardColumns:
    """The answers for one shard; `pixels` are its images where they are on the device already.

    Only samples that are right when clean are attacked. Corrupted are all, and right is then who is right on the
    corrupted image; of a sequence the frame with the smallest margin stands for all. Where memory runs out, the shard
    is worked off in parts.
    """
    if work.per_shard_randomness:
        return _answers(work, task, pixels)

    def of(positions: torch.Tensor) -> ShardColumns:
        part = slice(int(positions[0]), int(positions[-1]) + 1)
        return _answers(work, task.part(part), None if pixels is None else pixels[part])

    return _united(work.shards.map(of, torch.arange(len(task.rows))))


def _united(parts: Sequence[ShardColumns]) -> ShardColumns:
    if len(parts) == 1:
        return parts[0]
    columns = {name: _concatenated([part.columns[name] for part in parts]) for name in parts[0].columns}
    successes = [sample for part in parts for sample in part.successes]
    return ShardColumns(columns, successes[:MAX_TILES], sum(part.seconds for part in parts))


def _concatenated(values: Sequence[Any]) -> Any:
    if isinstance(values[0], torch.Tensor):
        return torch.cat(tuple(values))
    return np.concatenate(values) if isinstance(values[0], np.ndarray) else [item for part in values for item in part]


def _answers(work: CellRuntime, task: Task, pixels: Pixels | None) -> ShardColumns:
    began = time.perf_counter()
    labels = work.images.labels_of(task.rows, work.classifier.mean.device)
    known = None if task.clean_predictions is None else torch.tensor(task.clean_predictions.astype(np.int64)).to(labels)
    if work.sequence is not None:
        found = _filmed(work, work.sequence, task.rows, labels)
    else:
        pixels = fetched(work.images, task.rows, labels.device) if pixels is None else pixels
        found = _judged(work, task.rows, labels, known, pixels)
    prediction = found.verdict.prediction
    clean_prediction = prediction if known is None else known
    right = clean_prediction == labels if work.attack is not None else torch.ones_like(labels, dtype=torch.bool)
    beaten = [] if task.has_gallery else (right & (prediction != labels)).nonzero()[:MAX_TILES, 0].tolist()
    samples = [
        _sample(found.images[row], found.verdict.judged[row], int(labels[row]), int(prediction[row])) for row in beaten
    ]
    columns = _columns(work, task.rows, labels, clean_prediction, right, found)
    return ShardColumns(columns, samples, time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class JudgedBatch:
    """What came of the samples of a shard."""

    images: Images
    """Before they were changed."""
    verdict: Judgement
    effort: QueryStats
    rankings: list[list[int]]
    """Of every frame of a sequence; else empty."""


def _judged(
    work: CellRuntime, rows: SampleIndices, labels: Labels, known: torch.Tensor | None, pixels: Pixels
) -> JudgedBatch:
    """Clean, corrupted or attacked images before the referee; `known` are the clean predictions."""
    classifier, ids = work.classifier, _ids(work, rows)
    images = work.images.to_model_input(pixels)
    check_batch(images, labels, classifier.num_classes, ids)
    proposed, threat, effort = images, None, QueryStats.none(len(labels), labels.device)
    if work.attack is not None:
        assert known is not None
        proposed, effort = _attack(work, images, labels, ids, known == labels)
        threat = work.attack.threat
    else:
        effort.num_forwards += 1
    if work.corruption is not None:
        draws = RandomStreams.of(work.cell.seed or 0, ids, labels.device)
        proposed, threat = work.images.to_model_input(work.corruption(pixels, draws)), UNBOUNDED
    verdict = judge(classifier, images, labels, proposed, threat, work.batches)
    if work.is_clean:
        asked = np.flatnonzero(rows % REPEAT_EVERY == 0)
        if len(asked):
            at_random = has_nondeterministic_logits(classifier, images[asked.tolist()], work.batches).cpu().numpy()
            for row in asked[at_random]:
                verdict.flags[row] = "random_output"
    return JudgedBatch(images, verdict, effort, [[] for _ in ids])


def _filmed(work: CellRuntime, sequence: FrameGenerator, rows: SampleIndices, labels: Labels) -> JudgedBatch:
    """Sequences of frames before the referee: every frame is ranked, and the one with the smallest margin judged.

    Of published ones nobody has the clean image; the first frame stands for it.
    """
    classifier, ids = work.classifier, _ids(work, rows)
    size, draws = work.images.pixels.shape[1], RandomStreams.of(work.cell.seed or 0, ids, labels.device)
    first, worst, rankings = [], [], []
    wholes = pictures(work.images, rows, labels.device)
    for position, (label, whole) in enumerate(zip(labels.tolist(), wholes, strict=True)):
        frames = work.images.to_model_input(sequence(whole, size, draws[position : position + 1]))
        ranking, lowest = rank_frames(classifier, frames, label, work.batches)
        first.append(frames[0])
        worst.append(frames[lowest])
        rankings.append(ranking)
    published = work.images.published
    images = torch.stack(first) if published else work.images.to_model_input(work.images.bytes(rows).to(labels.device))
    check_batch(images, labels, classifier.num_classes, ids)
    effort = QueryStats.none(len(labels), labels.device)
    effort.num_forwards += sequence.frames + 1
    verdict = judge(classifier, images, labels, torch.stack(worst), UNBOUNDED, work.batches)
    return JudgedBatch(images, verdict, effort, rankings)


def _columns(
    work: CellRuntime,
    rows: SampleIndices,
    labels: Labels,
    clean_prediction: torch.Tensor,
    right: torch.Tensor,
    found: JudgedBatch,
) -> dict[str, Any]:
    """The outcomes by column; `right` says who can still be right."""
    verdict, effort = found.verdict, found.effort
    columns = {
        "index": rows,
        "sample_id": _ids(work, rows),
        "label": labels,
        "texture": np.full(len(rows), -1) if work.images.textures is None else work.images.textures[rows],
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
    return {name: values.cpu() if isinstance(values, torch.Tensor) else values for name, values in columns.items()}


def _ids(work: CellRuntime, rows: SampleIndices) -> list[str]:
    return [work.images.sample_ids[row] for row in rows.tolist()]


def _sample(clean: torch.Tensor, perturbed: torch.Tensor, label: int, prediction: int) -> Sample:
    before, after = (image.permute(1, 2, 0).cpu().numpy() for image in (clean, perturbed))
    return Sample(before, after, f"{label} as {prediction}")


def _attack(
    work: CellRuntime, images: Images, labels: Labels, ids: list[str], right: torch.Tensor
) -> tuple[Images, QueryStats]:
    """Attack the samples that are right when clean; the others keep their clean image and cost nothing."""
    rows = right.nonzero()[:, 0]
    draws = RandomStreams.of(work.cell.seed or 0, [ids[row] for row in rows.tolist()], images.device)
    oracle = work.oracle
    assert oracle is not None
    oracle.watch(len(rows), images.device)
    proposed = images.clone()
    proposed[rows] = _answer(work, oracle, images[rows], labels[rows], draws)
    spent, effort = oracle.effort, QueryStats.none(len(labels), images.device)
    for all_rows, attacked in zip(effort.counts(), spent.counts(), strict=True):
        all_rows[rows] = attacked
    for row, winner in zip(rows.tolist(), spent.won_by, strict=True):
        effort.won_by[row] = winner
    effort.notes = spent.notes
    return proposed, effort


def _answer(
    work: CellRuntime, oracle: QueryCountingModel, images: Images, labels: Labels, draws: RandomStreams
) -> Images:
    """What the attack returns, or EvaluationError: it may be anybody's code."""
    name = work.cell.perturbation
    if work.attack is None or not len(images):  # many models cannot take an empty batch
        return images
    try:
        answer = work.attack(oracle, images.clone(), labels.clone(), draws)
    except RobustEvalError:
        raise
    except Exception as error:  # the attack or the model may be the user's, and raise anything
        if out_of_memory(error) and not work.per_shard_randomness:
            raise
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
