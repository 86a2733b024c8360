"""Robust accuracy under several attacks together: a sample counts if none of them changed its prediction."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core import spec
from robustbench_eff.core.statistics import proportion_interval

from .build_score import cell_flags, protocol_over
from .cell_groups import CellOutcomes, subject_of
from .class_scores import class_scores_of_union
from .distances import distances, number_unknown, survives
from .score import Ball, Score
from .score_function import GroupScores, ScoreContext

LEFT_OUT = "left out"
"""Ends the flag of an attack in a ball that a number under all attacks does not count."""
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


class Union(NamedTuple):
    """The finished attacks of a model in one ball together."""

    ball: Ball
    attacks: Sequence[CellOutcomes]
    """At least two."""
    shares: Shares
    """Fraction of right votes of each sample under its strongest attack, shape (n,)."""
    left_out: tuple[str, ...]
    """A flag for every attack in the ball that is unfinished, or of which distances are unknown."""


def worst_case_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return `robust_accuracy` of every model in every ball that one of its attacks searched, under all attacks in it.

    The balls are those of the radii of attacks inside a ball, and of every radius of security curves.

    The perturbation has the names of the attacks, and the protocol their full texts, so that the worst of other attacks
    is another column. The score has the flags of its cells and what is suspected of them; unfinished cells in the ball
    and those with unknown distances are left out, and a flag says so.

    Args:
        cells: Cells of attacks with their outcomes.
        context: Its suspicions become flags.
    """
    return [_scored(union, context) for union in unions(cells)]


def worst_case_class_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return `balanced_robust_accuracy` and `worst_class_robust_accuracy` under all attacks in every ball.

    Args:
        cells: Cells of attacks with their outcomes.
        context: Its suspicions become flags.
    """
    return [
        score
        for union in unions(cells)
        for score in class_scores_of_union(_scored(union, context), union.attacks[0], union.shares)
    ]


def _scored(union: Union, context: ScoreContext) -> Score:
    """The robust accuracy with the flags of its cells."""
    flags = [flag for item in union.attacks for flag in (*cell_flags(item), *context.suspicions.get(item.cell.id, ()))]
    return score_of_union(union, (*union.left_out, *dict.fromkeys(flags)))


def unions(cells: Sequence[CellOutcomes]) -> Iterator[Union]:
    """Yield the attacks of every model in every ball that one of them searched, where at least two lie in it.

    A security curve searched the ball of each of its radii. An image found within a smaller radius counts for the
    larger ones; attacks on other samples are never combined. With a single attack in the ball, its own score says the
    same.

    Args:
        cells: Cells of attacks with their outcomes.
    """
    groups: dict[tuple[object, ...], list[CellOutcomes]] = {}
    for item in cells:
        groups.setdefault((*subject_of(item.cell), item.cell.norm), []).append(item)
    for attacks in groups.values():
        usable = [item for item in attacks if not _why_left_out(item)]
        for eps in sorted({radius for item in usable for radius in _radii(item)}):
            inside = [item for item in usable if _searched(item, eps)]
            if len(inside) > 1:
                left_out = tuple(
                    f"{item.cell.perturbation} {reason}"
                    for item in attacks
                    if (reason := _why_left_out(item)) and _searched(item, eps)
                )
                shares = worst_case([votes_within(item, eps) for item in inside])
                yield Union(Ball(attacks[0].cell.norm, eps), inside, shares, left_out)


def _why_left_out(item: CellOutcomes) -> str:
    """How a flag goes on after the text of an attack that cannot be taken; empty if it can."""
    if not item.finished:
        return f"is incomplete and {LEFT_OUT}"
    return f"has unknown distances and is {LEFT_OUT}" if item.cell.is_minimum_norm and number_unknown(item) else ""


def _radii(item: CellOutcomes) -> tuple[float, ...]:
    """The radii of the balls that an attack searched; none of a search without a radius."""
    return item.cell.radii if item.cell.is_minimum_norm else (item.cell.eps,)


def _searched(item: CellOutcomes, eps: float) -> bool:
    """Whether an attack looked for images within a radius."""
    return item.cell.is_minimum_norm or item.cell.eps <= eps


def votes_within(item: CellOutcomes, eps: float) -> Votes:
    """Return the votes on the images found within a radius, right where there is none, bool, shape (n, votes).

    A search for the closest image says only whether most votes are right.

    Args:
        item: A cell of an attack with its outcomes.
        eps: Radius, in the units of the distances.
    """
    if item.cell.is_minimum_norm:
        return survives(distances(item), eps)[:, None]
    return item.votes


def score_of_union(union: Union, flags: tuple[str, ...]) -> Score:
    """Return the robust accuracy under several attacks together.

    Args:
        union: The attacks.
        flags: What a reader must know of them.
    """
    cells, n, survivors = [item.cell for item in union.attacks], len(union.shares), float(union.shares.sum())
    texts = tuple(sorted({cell.perturbation for cell in cells}, key=_numbered))
    runs = f" in {len(cells)} runs" if len(cells) > len(texts) else ""
    low, high = proportion_interval(survivors, n)
    return Score(
        model=cells[0].model,
        benchmark=cells[0].benchmark,
        perturbation=f"worst of {_names(texts)}{runs}, {union.ball.norm} {spec.literal(union.ball.eps)}",
        kind="several",
        ball=union.ball,
        metric="robust_accuracy",
        value=survivors / n,
        low=low,
        high=high,
        n=n,
        protocol=replace(protocol_over(cells), attacks=texts),
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
WORST_CASE_BY_CLASS = GroupScores(compute=worst_case_class_scores, kinds=("attack", "minimum norm"), over="store")
