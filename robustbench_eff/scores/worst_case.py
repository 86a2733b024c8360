"""Robust accuracy under several attacks together: a sample counts if none of them changed its prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from robustbench_eff.core import spec
from robustbench_eff.core.statistics import wilson

from .build_score import flags_of, protocol_over
from .cell_groups import CellOutcomes, subject_of
from .distances import distances, survives
from .score import Score
from .score_function import GroupScores, ScoreContext

Correct = npt.NDArray[np.bool_]


def worst_case(correct: Sequence[Correct]) -> Correct:
    """Return which samples are classified correctly under every attack, bool, shape (n,).

    Args:
        correct: For each attack, which of the same samples are classified correctly, each of shape (n,).
    """
    everywhere: Correct = np.logical_and.reduce(correct)
    return everywhere


def worst_case_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return `robust_accuracy` of every model in every ball that one of its attacks searched, under all attacks in it.

    An image found within a smaller radius counts for the larger ones; attacks on other samples are never combined. The
    score has the flags of its cells and what is suspected of them; unfinished cells are left out, and a flag says so.
    There is no score where only one cell lies in the ball: its own score says the same.

    Args:
        cells: Cells of attacks with their outcomes.
        context: Its suspicions become flags.
    """
    groups: dict[tuple[object, ...], list[CellOutcomes]] = {}
    for item in cells:
        groups.setdefault((*subject_of(item.cell), item.cell.norm), []).append(item)
    scores = []
    for attacks in groups.values():
        finished = [item for item in attacks if item.finished]
        left_out = tuple(
            f"{item.cell.perturbation} is incomplete and left out" for item in attacks if not item.finished
        )
        for eps in sorted({item.cell.eps for item in finished if not item.cell.is_minimum_norm}):
            inside = {item.cell.id: correct for item in finished if (correct := _correct(item, eps)) is not None}
            taken = [item for item in finished if item.cell.id in inside]
            if len(taken) > 1:
                flags = [flag for item in taken for flag in flags_of(item.outcomes, len(item))]
                flags += [flag for item in taken for flag in context.suspicions.get(item.cell.id, ())]
                survivors = worst_case([*inside.values()])
                scores.append(_score(taken, survivors, eps, (*taken[0].cell.flags, *left_out, *dict.fromkeys(flags))))
    return scores


def _correct(item: CellOutcomes, eps: float) -> Correct | None:
    """Samples that are correct when clean and have no adversarial image within `eps`; None if it was not searched."""
    if item.cell.is_minimum_norm:
        return survives(distances(item), eps)
    return item.correct if item.cell.eps <= eps else None


def _score(attacks: Sequence[CellOutcomes], correct: Correct, eps: float, flags: tuple[str, ...]) -> Score:
    cell, n, survivors = attacks[0].cell, len(correct), int(correct.sum())
    different = len({item.cell.perturbation for item in attacks})
    runs = f" in {len(attacks)} runs" if len(attacks) > different else ""
    ball = f"{cell.norm} {spec.literal(eps)}"
    low, high = wilson(survivors, n)
    return Score(
        model=cell.model,
        benchmark=cell.benchmark,
        perturbation=f"worst of {different} attack{'s' if different > 1 else ''}{runs}, {ball}",
        kind="several",
        metric="robust_accuracy",
        value=survivors / n,
        low=low,
        high=high,
        n=n,
        protocol=protocol_over([item.cell for item in attacks]),
        flags=flags,
    )


WORST_CASE = GroupScores(compute=worst_case_scores, kinds=("attack", "minimum norm"), over="store")
