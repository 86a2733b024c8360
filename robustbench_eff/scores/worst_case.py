"""Robust accuracy under all attacks together: a sample is right where none of them broke it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from robustbench_eff.core import spec
from robustbench_eff.core.statistics import wilson

from .build_score import flags_of, protocol_over
from .cell_groups import CellOutcomes, subject_of
from .distances import distances, is_minimum_norm_attack, survives
from .score import Score

Right = npt.NDArray[np.bool_]


def worst_case(rights: Sequence[Right]) -> Right:
    """Who is right under every attack; arrays (n,) of the same samples."""
    everywhere: Right = np.logical_and.reduce(rights)
    return everywhere


def worst_case_scores(
    cells: Sequence[CellOutcomes], suspected: Mapping[str, tuple[str, ...]] | None = None
) -> list[Score]:
    """`robust_accuracy` of every model in every ball that one of its attacks searched, under all that lie inside it.

    An image found within a smaller radius counts for the larger ones; attacks on other samples are never put together.
    What is to be known of a cell, and what is `suspected` of it by its id, is to be known of the score too; unfinished
    cells are left out, which is said. There is no score where only one cell lies in the ball: its own says the same.
    """
    groups: dict[tuple[str, ...], list[CellOutcomes]] = {}
    for attacked in cells:
        groups.setdefault((*subject_of(attacked.cell), attacked.norm), []).append(attacked)
    scores = []
    for attacks in groups.values():
        finished = [attack for attack in attacks if attack.finished]
        flags = tuple(
            f"{attack.cell['perturbation']} is incomplete and left out" for attack in attacks if not attack.finished
        )
        for eps in sorted({attack.eps for attack in finished if not is_minimum_norm_attack(attack.cell)}):
            inside = {attack.id: right for attack in finished if (right := _right(attack, eps)) is not None}
            taken = [attack for attack in finished if attack.id in inside]
            if len(taken) > 1:
                known = [flag for attack in taken for flag in flags_of(attack.outcomes, len(attack.outcomes))]
                known += [flag for attack in taken for flag in (suspected or {}).get(attack.id, ())]
                score = _score(taken, worst_case([*inside.values()]), eps)
                scores.append(replace(score, flags=(*flags, *dict.fromkeys(known))))
    return scores


def _right(attack: CellOutcomes, eps: float) -> Right | None:
    """Who is right when clean and has no image found within `eps`; None where that ball was not searched."""
    if is_minimum_norm_attack(attack.cell):
        return survives(distances(attack.cell, attack.outcomes), eps)
    return attack.correct if attack.eps <= eps else None


def _score(attacks: Sequence[CellOutcomes], right: Right, eps: float) -> Score:
    cell, n, survivors = attacks[0].cell, len(right), int(right.sum())
    kinds = len({attack.cell["perturbation"] for attack in attacks})
    runs = f" in {len(attacks)} runs" if len(attacks) > kinds else ""
    low, high = wilson(survivors, n)
    return Score(
        model=cell["model"],
        benchmark=cell["benchmark"],
        perturbation=f"worst of {kinds} attack{'s' if kinds > 1 else ''}{runs}, {attacks[0].norm} {spec.literal(eps)}",
        metric="robust_accuracy",
        value=survivors / n,
        low=low,
        high=high,
        n=n,
        protocol=protocol_over([attack.cell for attack in attacks]),
    )
