"""Robust accuracy under several attacks together: a sample counts if none of them changed its prediction."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from robustbench_eff.core import spec
from robustbench_eff.core.statistics import proportion_interval

from .build_score import cell_flags, protocol_over
from .cell_groups import CellOutcomes, subject_of
from .distances import distances, survives
from .score import Score
from .score_function import GroupScores, ScoreContext

Shares = npt.NDArray[np.float64]
Votes = npt.NDArray[np.bool_]


def worst_case(votes: Sequence[Votes]) -> Shares:
    """Return the fraction of right votes of each sample under its strongest attack, in [0, 1], shape (n,).

    With one vote per sample that is 1 where it is classified correctly under every attack, else 0. Of several votes
    each half is counted under the attack that the other half finds strongest: the lowest of several noisy fractions
    would be too low.

    Args:
        votes: For each attack, which votes on the same samples are right, each of shape (n, votes).
    """
    if all(of.shape[1] == 1 for of in votes):
        everywhere: Shares = np.logical_and.reduce(votes)[:, 0].astype(np.float64)
        return everywhere
    halves = [np.stack([of[:, min(half, of.shape[1] - 1) :: 2].mean(axis=1) for of in votes]) for half in (0, 1)]
    samples = np.arange(halves[0].shape[1])
    chosen = [halves[half][halves[1 - half].argmin(axis=0), samples] for half in (0, 1)]
    shares: Shares = np.mean(chosen, axis=0)
    return shares


def worst_case_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return `robust_accuracy` of every model in every ball that one of its attacks searched, under all attacks in it.

    An image found within a smaller radius counts for the larger ones; attacks on other samples are never combined. The
    perturbation has the names of the attacks, and the protocol their full texts, so that the worst of other attacks is
    another column. The score has the flags of its cells and what is suspected of them; unfinished cells in the ball are
    left out, and a flag says so. There is no score where only one cell lies in the ball: its own score says the same.

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
        unfinished = [item for item in attacks if not item.finished]
        for eps in sorted({item.cell.eps for item in finished if not item.cell.is_minimum_norm}):
            inside = {item.cell.id: votes for item in finished if (votes := _votes(item, eps)) is not None}
            taken = [item for item in finished if item.cell.id in inside]
            if len(taken) > 1:
                left_out = [
                    f"{item.cell.perturbation} is incomplete and left out"
                    for item in unfinished
                    if item.cell.is_minimum_norm or item.cell.eps <= eps
                ]
                flags = [
                    flag for item in taken for flag in (*cell_flags(item), *context.suspicions.get(item.cell.id, ()))
                ]
                scores.append(_score(taken, worst_case([*inside.values()]), eps, (*left_out, *dict.fromkeys(flags))))
    return scores


def _votes(item: CellOutcomes, eps: float) -> Votes | None:
    """Votes on the images found within `eps`, right where there is none; None if it was not searched.

    A search for the closest image says only whether most votes are right.
    """
    if item.cell.is_minimum_norm:
        return survives(distances(item), eps)[:, None]
    return item.votes if item.cell.eps <= eps else None


def _score(attacks: Sequence[CellOutcomes], shares: Shares, eps: float, flags: tuple[str, ...]) -> Score:
    cell, n, survivors = attacks[0].cell, len(shares), float(shares.sum())
    texts = tuple(sorted({item.cell.perturbation for item in attacks}, key=_numbered))
    runs = f" in {len(attacks)} runs" if len(attacks) > len(texts) else ""
    low, high = proportion_interval(survivors, n)
    return Score(
        model=cell.model,
        benchmark=cell.benchmark,
        perturbation=f"worst of {_names(texts)}{runs}, {cell.norm} {spec.literal(eps)}",
        kind="several",
        metric="robust_accuracy",
        value=survivors / n,
        low=low,
        high=high,
        n=n,
        protocol=replace(protocol_over([item.cell for item in attacks]), attacks=texts),
        flags=flags,
    )


def _names(texts: Iterable[str]) -> str:
    """The names of attacks, sorted, with how many different ones have the same: `fgsm, pgd ×2`."""
    counts = Counter(_name(text) for text in texts)
    return ", ".join(name if number == 1 else f"{name} ×{number}" for name, number in sorted(counts.items()))


def _numbered(text: str) -> tuple[str, list[float], str]:
    """A key by which texts are sorted that differ in numbers alone: by size, 4/255 before 16/255."""
    numbers = re.findall(r"\d+\.?\d*", text)
    return re.sub(r"\d+\.?\d*", "#", text), [float(number) for number in numbers], text


def _name(text: str) -> str:
    """The name of an attack without its arguments, with the model that its images were found on, if any."""
    return re.sub(r"\(.*\)", "", text)


WORST_CASE = GroupScores(compute=worst_case_scores, kinds=("attack", "minimum norm"), over="store")
