"""Stability: how often predictions change from frame to frame, and how far the best five move.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.3 (FP, FR, mFR, T5D), and ImageNet-P/test.py of
hendrycks/robustness 8190fe3, by which frames of noise are compared with the first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from robustbench_eff.core.statistics import wilson
from robustbench_eff.storage.outcomes import as_numpy

from .alexnet import AlexNet, published
from .bootstrap import mean_intervals
from .build_score import score_of, scores_over
from .score import Score

BEST = 5
DIFFICULTIES = (1, 2, 3)
AGAINST_ALEXNET = ("imagenet-p", "imagenet-p-generated")
"""Benchmarks with AlexNet's classes."""
SEQUENCE_SETS = {
    "imagenet": [
        "gaussian_noise",
        "shot_noise",
        "motion_blur",
        "zoom_blur",
        "snow",
        "brightness",
        "translate",
        "rotate",
        "tilt",
        "scale",
    ],
    "cifar10": [
        "gaussian_noise",
        "shot_noise",
        "motion_blur",
        "zoom_blur",
        "spatter",
        "brightness",
        "translate",
        "rotate",
        "tilt",
        "scale",
    ],
}
"""The 10 of ImageNet-P, and of CIFAR-10-P."""

Classes = npt.NDArray[np.int64]
PerVideo = npt.NDArray[np.float64]
Cells = Sequence[tuple[dict[str, Any], pa.Table]]


def is_sequence(cell: Mapping[str, Any]) -> bool:
    """Whether the samples of a cell are sequences of frames."""
    return "sequence" in cell["configuration"]


def flip_probability(rankings: Classes, *, with_first: bool = False, difficulty: int = 1) -> PerVideo:
    """How often the best class differs, of each video; `rankings` (videos, frames, ranks), best first.

    Compared are frames `difficulty` apart, or all with the first.
    """
    before, after = _pairs(rankings[:, :, 0], with_first, difficulty)
    flipped: PerVideo = (before != after).mean(1)
    return flipped


def top5_distance(rankings: Classes, *, with_first: bool = False, difficulty: int = 1) -> PerVideo:
    """How many ranks the best five classes move, of each video; all below the fifth rank are one."""
    before, after = _pairs(rankings[:, :, :BEST], with_first, difficulty)
    same = before[..., :, None] == after[..., None, :]
    rank = np.where(same.any(-1), same.argmax(-1), BEST)
    moved: PerVideo = np.abs(rank - np.arange(BEST)).sum(-1).mean(1)
    return moved


def _pairs(frames: Classes, with_first: bool, difficulty: int) -> tuple[Classes, Classes]:
    if with_first:
        return frames[:, :1], frames[:, 1:]
    return frames[:, :-difficulty], frames[:, difficulty:]


def sequence_scores(cell: dict[str, Any], outcomes: pa.Table, cell_id: str = "") -> list[Score]:
    """`accuracy_all_frames`, and at every difficulty `flip_probability` and `top5_distance`, of one cell.

    The distance needs five classes. Intervals are Wilson's, and the bootstrap's over videos.
    """
    right, n = int(pc.sum(outcomes["correct"]).as_py() or 0), outcomes.num_rows
    shares = {f"{name}{suffix(difficulty)}": of for (name, difficulty), of in stabilities(cell, outcomes).items()}
    if not n:
        absent = ("accuracy_all_frames", *shares)
        return [score_of(cell, outcomes, cell_id, metric, None, (None, None)) for metric in absent]
    scores = [score_of(cell, outcomes, cell_id, "accuracy_all_frames", right / n, wilson(right, n))]
    intervals = mean_intervals(np.stack([*shares.values()]))
    for (metric, values), interval in zip(shares.items(), intervals, strict=True):
        score = score_of(cell, outcomes, cell_id, metric, float(values.mean()), interval)
        scores.append(replace(score, higher_is_better=False))
    return scores


def mean_sequence_scores(cells: Cells, alexnet: AlexNet | None = None) -> list[Score]:
    """`mean_flip_probability`, `mean_top5_distance`, `mFR` and `mT5D` of one model over the 10 sequences.

    Every score is a mean over videos; `cells` as in `mean_sequence_shares`.
    """
    shares, flags = mean_sequence_shares(cells, alexnet)
    scores = scores_over([one for one, _ in cells], shares, flags) if shares else []
    extra = (alexnet or published()).flags
    return [replace(one, flags=flags + extra) if one.metric in RATES.values() else one for one in scores]


RATES = {"flip_probability": "mFR", "top5_distance": "mT5D"}
"""What is relative to AlexNet, and how it is called then."""


def mean_sequence_shares(
    cells: Cells, alexnet: AlexNet | None = None
) -> tuple[dict[tuple[str, str], PerVideo], tuple[str, ...]]:
    """What every video adds to each of these scores, by perturbation and metric, and what is to be known of them.

    At every difficulty for which all 10 are there; `cells` are finished. What compares with AlexNet only for its
    classes and at difficulty 1, of which alone there are figures.
    """
    alexnet = alexnet or published()
    cell, _ = cells[0]
    constants = cell["configuration"]["constants"]
    tested = SEQUENCE_SETS[constants]
    found: dict[tuple[str, int], dict[str, PerVideo]] = {}
    flags: tuple[str, ...] = ()
    for one, table in cells:
        name = one["configuration"]["sequence"].removesuffix("_sequence")
        for key, values in stabilities(one, table).items():
            if key[0] == "flip_probability" and name in found.get(key, ()):
                flags += (f"{name} {key[1]} was read from several files, of which the last count",)
            found.setdefault(key, {})[name] = values
    shares: dict[str, PerVideo] = {}
    figures = {"flip_probability": alexnet.flip_probabilities, "top5_distance": alexnet.top5_distances}
    for (metric, difficulty), of in sorted(found.items(), key=lambda item: item[0][1]):
        if not set(tested) <= set(of):
            continue
        shares[f"mean_{metric}{suffix(difficulty)}"] = np.mean([of[name] for name in tested], axis=0)
        alexnets = figures[metric]
        if difficulty == 1 and cell["benchmark"] in AGAINST_ALEXNET and set(tested) <= set(alexnets):
            shares[RATES[metric]] = np.mean([of[name] / alexnets[name] for name in tested], axis=0)
    return {(f"{constants}_p", metric): values for metric, values in shares.items()}, flags


def stabilities(cell: Mapping[str, Any], outcomes: pa.Table) -> dict[tuple[str, int], PerVideo]:
    """Flip probabilities and distances of every video by (metric, difficulty)."""
    configuration = cell["configuration"]
    with_first = configuration["compared_with"] == "first"
    flat = as_numpy(outcomes["ranking"].combine_chunks().flatten()).astype(np.int64)
    rankings = flat.reshape(outcomes.num_rows, configuration["frames"], -1) if len(flat) else None
    found: dict[tuple[str, int], PerVideo] = {}
    for difficulty in (configuration["difficulty"],) if with_first else DIFFICULTIES:
        if rankings is None:
            found["flip_probability", difficulty] = np.empty(0)
            continue
        found["flip_probability", difficulty] = flip_probability(rankings, with_first=with_first, difficulty=difficulty)
        if rankings.shape[2] >= BEST:
            found["top5_distance", difficulty] = top5_distance(rankings, with_first=with_first, difficulty=difficulty)
    return found


def suffix(difficulty: int) -> str:
    """How the difficulty ends the name of a metric."""
    return "" if difficulty == 1 else f"_difficulty_{difficulty}"
