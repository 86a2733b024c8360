"""Stability: how often predictions change from frame to frame, and how far the best five move.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.3 (FP, FR, mFR, T5D), and ImageNet-P/test.py of
hendrycks/robustness 8190fe3, by which frames of noise are compared with the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.flags import flags_over
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.registry.perturbation_sets import SEQUENCE_SETS
from robustbench_eff.storage.outcomes import as_numpy

from .alexnet import MAX_TOP5_DISTANCE, AlexNet
from .bounded_means import Contribution, mean_interval
from .build_score import Contributions, ScoreFlags, cell_flags, score_of, scores_over
from .cell_groups import CellOutcomes
from .score import Score
from .score_function import CellScores, GroupScores, ScoreContext

BEST = 5
DIFFICULTIES = (1, 2, 3)
AGAINST_ALEXNET = ("imagenet-p", "imagenet-p-generated")
"""Benchmarks with AlexNet's classes."""

Classes = npt.NDArray[np.int64]
PerVideo = npt.NDArray[np.float64]


def flip_probability(rankings: Classes, *, with_first: bool = False, difficulty: int = 1) -> PerVideo:
    """Return how often the best class differs between compared frames, for each video, shape (videos,).

    Args:
        rankings: Classes by rank, best first, shape (videos, frames, ranks).
        with_first: Compare every frame with the first one.
        difficulty: Compare frames this far apart, unless `with_first`.
    """
    before, after = _pairs(rankings[:, :, 0], with_first, difficulty)
    flipped: PerVideo = (before != after).mean(1)
    return flipped


def top5_distance(rankings: Classes, *, with_first: bool = False, difficulty: int = 1) -> PerVideo:
    """Return how many ranks the best five classes move between compared frames, for each video, shape (videos,).

    All ranks below the fifth count as one.

    Args:
        rankings: Classes by rank, best first, shape (videos, frames, ranks) with at least five ranks.
        with_first: Compare every frame with the first one.
        difficulty: Compare frames this far apart, unless `with_first`.
    """
    before, after = _pairs(rankings[:, :, :BEST], with_first, difficulty)
    same = before[..., :, None] == after[..., None, :]
    rank = np.where(same.any(-1), same.argmax(-1), BEST)
    moved: PerVideo = np.abs(rank - np.arange(BEST)).sum(-1).mean(1)
    return moved


def _pairs(frames: Classes, with_first: bool, difficulty: int) -> tuple[Classes, Classes]:
    if with_first:
        return frames[:, :1], frames[:, 1:]
    return frames[:, :-difficulty], frames[:, difficulty:]


def sequence_scores(item: CellOutcomes) -> list[Score]:
    """Return `accuracy_all_frames`, and at every difficulty `flip_probability` and `top5_distance`, of one cell.

    The distance needs five classes, and a difficulty more frames than its distance between compared frames; a flag says
    so where there are too few for any. Intervals are over videos.

    Args:
        item: A cell of frame sequences with its outcomes.
    """
    contributions = {f"{name}{suffix(difficulty)}": of for (name, difficulty), of in stabilities(item).items()}
    n = len(item)
    if not n:
        return [score_of(item, metric, None, (None, None)) for metric in ("accuracy_all_frames", *contributions)]
    correct = int(item.correct.sum())
    accuracy = score_of(item, "accuracy_all_frames", correct / n, proportion_interval(correct, n))
    if not contributions:
        accuracy = replace(accuracy, flags=(*accuracy.flags, _why_no_flips(item)))
    scores = [accuracy]
    for metric, added in contributions.items():
        scores.append(score_of(item, metric, float(added.values.mean()), mean_interval(*added)))
    return scores


def _why_no_flips(item: CellOutcomes) -> str:
    too_few = item.cell.configuration["frames"] <= DIFFICULTIES[0]
    return f"no flips: {'one frame has no other to be compared with' if too_few else 'no rankings are stored'}"


def mean_sequence_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return `mean_flip_probability`, `mean_top5_distance`, `mFR` and `mT5D` of one model over the 10 sequences.

    Every score is a mean over videos.

    Args:
        cells: A group of comparable finished cells.
        context: Its AlexNet is what flip probabilities are relative to.
    """
    contributions, flags = mean_sequence_contributions(cells, context.alexnet)
    return scores_over(cells, contributions, flags) if contributions else []


RATES = {"flip_probability": "mFR", "top5_distance": "mT5D"}
"""Metrics that are divided by AlexNet's, and the names of their means."""


def mean_sequence_contributions(cells: Sequence[CellOutcomes], alexnet: AlexNet) -> tuple[Contributions, ScoreFlags]:
    """Return what every video adds to each score over the 10 sequences, and the flags of these scores.

    There is a score at every difficulty for which all 10 are available. Numbers relative to AlexNet exist only for
    benchmarks with its classes and at difficulty 1, for which alone its figures are known.

    Args:
        cells: A group of comparable finished cells.
        alexnet: Flip probabilities and top-5 distances of AlexNet.
    """
    first = cells[0].cell
    set_name = f"{first.constants}_p"
    tested = SEQUENCE_SETS[set_name].names
    contributions: dict[tuple[str, str], Contribution] = {}
    flags: dict[tuple[str, str], tuple[str, ...]] = {}
    figures = {"flip_probability": alexnet.flip_probabilities, "top5_distance": alexnet.top5_distances}
    for (metric, difficulty), members in sorted(_by_stability(cells).items(), key=lambda entry: entry[0][1]):
        if not set(tested) <= set(members):
            continue
        of = {name: members[name][-1].values for name in tested}
        mean_name = (set_name, f"mean_{metric}{suffix(difficulty)}")
        highest = members[tested[0]][-1].values.high
        contributions[mean_name] = Contribution(np.mean([of[name].values for name in tested], axis=0), high=highest)
        flags[mean_name] = _flags([members[name] for name in tested], difficulty)
        of_alexnet = figures[metric]
        if difficulty == 1 and first.benchmark in AGAINST_ALEXNET and set(tested) <= set(of_alexnet):
            relative = np.mean([of[name].values / of_alexnet[name] for name in tested], axis=0)
            most = float(np.mean([highest / of_alexnet[name] for name in tested]))
            contributions[set_name, RATES[metric]] = Contribution(relative, high=most)
            flags[set_name, RATES[metric]] = flags[mean_name] + alexnet.flags
    return contributions, flags


class _Member(NamedTuple):
    """A cell of a sequence, and what its videos add at one difficulty."""

    item: CellOutcomes
    values: Contribution


def _by_stability(cells: Sequence[CellOutcomes]) -> dict[tuple[str, int], dict[str, list[_Member]]]:
    """By metric and difficulty, then by sequence, the cells that have it, of which the last counts.

    Sequences that are compared with the first frame have a cell for every difficulty, others one for all.
    """
    found: dict[tuple[str, int], dict[str, list[_Member]]] = {}
    for item in cells:
        for key, values in stabilities(item).items():
            found.setdefault(key, {}).setdefault(item.cell.sequence, []).append(_Member(item, values))
    return found


def _flags(members: Sequence[Sequence[_Member]], difficulty: int) -> tuple[str, ...]:
    """Flags of a mean over sequences at a difficulty, from the cells of each sequence."""
    read_twice = tuple(
        f"{of[-1].item.cell.sequence} {difficulty} was read from several files, of which the last counts"
        for of in members
        if len(of) > 1
    )
    return (*flags_over([cell_flags(of[-1].item) for of in members]), *read_twice)


def stabilities(item: CellOutcomes) -> dict[tuple[str, int], Contribution]:
    """Return the flip probability and top-5 distance of every video, by metric and difficulty.

    Difficulties for which there are too few frames are left out, and all if no rankings are stored.

    Args:
        item: A cell of frame sequences with its outcomes.
    """
    configuration = item.cell.configuration
    with_first = configuration["compared_with"] == "first"
    flat = as_numpy(item.outcomes["ranking"].combine_chunks().flatten()).astype(np.int64)
    rankings = flat.reshape(len(item), configuration["frames"], -1) if len(flat) else None
    values: dict[tuple[str, int], Contribution] = {}
    for difficulty in (configuration["difficulty"],) if with_first else DIFFICULTIES:
        if not len(item):
            values["flip_probability", difficulty] = Contribution(np.empty(0))
            continue
        if rankings is None or configuration["frames"] <= (1 if with_first else difficulty):
            continue
        compared = {"with_first": with_first, "difficulty": difficulty}
        values["flip_probability", difficulty] = Contribution(flip_probability(rankings, **compared))
        if rankings.shape[2] >= BEST:
            moved = top5_distance(rankings, **compared)
            values["top5_distance", difficulty] = Contribution(moved, high=MAX_TOP5_DISTANCE)
    return values


def suffix(difficulty: int) -> str:
    """Return how a difficulty ends the name of a metric.

    Args:
        difficulty: 1, 2 or 3.
    """
    return "" if difficulty == 1 else f"_difficulty_{difficulty}"


STABILITY = CellScores(compute=sequence_scores, kinds=("sequence",), columns=("ranking",))
FLIP_RATE = GroupScores(
    compute=mean_sequence_scores, kinds=("sequence",), over="comparable cells", columns=("ranking",)
)
