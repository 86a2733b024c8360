"""Robust accuracy under all attacks together: a sample is right where none of them broke it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robustbench_eff import spec

from .distances import ROUNDING, distances, searches_the_nearest
from .intervals import wilson
from .score import Score

Right = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Attacked:
    """A cell of an attack: who survived it, by the radius of the ball."""

    cell: Mapping[str, Any]
    outcomes: pa.Table

    @property
    def finished(self) -> bool:
        """Whether all samples were attacked."""
        done: bool = self.outcomes.num_rows == self.cell["samples"]
        return done

    @property
    def norm(self) -> str:
        norm: str = self.cell["configuration"]["threat"]["norm"]
        return norm

    @property
    def eps(self) -> float | None:
        """Radius of the ball it searched; None where it looked for the nearest image."""
        nearest = searches_the_nearest(dict(self.cell))
        return None if nearest else float(self.cell["configuration"]["threat"]["eps"])

    def right(self, eps: float) -> Right | None:
        """Who is right when clean and has no image found within `eps`; None where that ball was not searched."""
        if self.eps is None:
            found: Right = distances(dict(self.cell), self.outcomes) > eps + ROUNDING * max(1.0, eps)
            return found
        if self.eps > eps:
            return None
        survived: Right = self.outcomes["correct"].to_numpy(zero_copy_only=False)
        return survived


def worst_case(rights: Sequence[Right]) -> Right:
    """Who is right under every attack; arrays (n,) of the same samples."""
    everywhere: Right = np.logical_and.reduce(rights)
    return everywhere


def worst_case_scores(cells: Sequence[tuple[dict[str, Any], pa.Table]]) -> list[Score]:
    """`robust_accuracy` of every model in every ball that one of its attacks searched, under all that lie inside it.

    `cells` are those of attacks, with their outcomes; unfinished ones are left out, which is said. An image found
    within a smaller radius counts for the larger ones; attacks on other samples are never put together. There is no
    score where only one attack lies in the ball: its own score says the same.
    """
    groups: dict[str, list[Attacked]] = {}
    for cell, outcomes in cells:
        same = ("model_digest", "preprocessing", "benchmark", "protocol", "data", "classes")
        attacked = Attacked(cell, outcomes)
        groups.setdefault(json.dumps([*(cell[name] for name in same), attacked.norm]), []).append(attacked)
    scores = []
    for attacks in groups.values():
        finished = [attack for attack in attacks if attack.finished]
        flags = tuple(
            f"{attack.cell['perturbation']} is incomplete and left out" for attack in attacks if not attack.finished
        )
        for eps in sorted({attack.eps for attack in finished if attack.eps is not None}):
            rights = [right for attack in finished if (right := attack.right(eps)) is not None]
            if len(rights) > 1:
                scores.append(_score(attacks[0], worst_case(rights), len(rights), eps, flags))
    return scores


def _score(attack: Attacked, right: Right, attacks: int, eps: float, flags: tuple[str, ...]) -> Score:
    n, survivors = len(right), int(right.sum())
    low, high = wilson(survivors, n) if n else (None, None)
    return Score(
        model=attack.cell["model"],
        benchmark=attack.cell["benchmark"],
        perturbation=f"worst of {attacks} attacks, {attack.norm} {spec.literal(eps)}",
        metric="robust_accuracy",
        value=survivors / n if n else None,
        low=low,
        high=high,
        n=n,
        protocol=attack.cell["protocol"],
        flags=flags,
    )
