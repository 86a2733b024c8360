"""All scores of a store, computed from its outcomes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from robustbench_eff.core.flags import FAILED, NOT_FINITE
from robustbench_eff.core.infinity import is_number
from robustbench_eff.registry.metrics import score_functions
from robustbench_eff.storage.store import Store

from .alexnet import AlexNet, published
from .cell_groups import CellKind, CellOutcomes, cells_with_unique_names, columns_of, comparable, kind_of
from .masking_checks import Verdict, suspicions
from .score import Score
from .score_function import CellScores, GroupScores, ScoreContext, ScoreFunction


def store_scores(
    store: Store,
    names: Mapping[str, str] | None = None,
    verdicts: Sequence[Verdict] = (),
    alexnet: AlexNet | None = None,
    radii: Sequence[float] = (),
) -> list[Score]:
    """Return the scores of cells in the order in which they were begun, then those over several cells.

    Two models with one name are told apart by a few digits of their hash. A cell that failed has a score without a
    value, whose flag gives the reason. A value or an interval that is not finite, of a plugin, is left out with a flag;
    distances may be infinite.

    Args:
        store: The store.
        names: Ids of the cells, and the name of the model of each; None for all cells as they are stored.
        verdicts: Findings of the gradient-masking checks; what they suspect is flagged on the cells they compared.
        alexnet: Errors and flip probabilities of AlexNet; None for the published ones.
        radii: L2 radii of certified accuracies; empty for a grid that depends on the noise.

    Raises:
        EvaluationError: An attack on a smoothed classifier contradicts its certificates.
    """
    context = ScoreContext(alexnet=alexnet or published(), suspicions=suspicions(verdicts), radii=radii)
    functions: list[ScoreFunction] = [function for _, function in score_functions()]
    reasons = {cell_id: (f"{FAILED}{' '.join(why.split())}",) for cell_id, why in failures(store).items()}
    scores: list[Score] = []
    items: list[CellOutcomes] = []
    for cell in cells_with_unique_names(store, names).values():
        columns = columns_of(cell, _columns(functions, kind_of(cell)))
        item = CellOutcomes(cell, store.outcomes(cell.id, columns))
        items.append(item)
        found = context.suspicions.get(cell.id, ()) + reasons.get(cell.id, ())
        scores += [replace(score, flags=score.flags + found) for score in _of_cell(item, functions)]
    for function in functions:
        if isinstance(function, GroupScores):
            cells = [item for item in items if item.kind in function.kinds]
            groups = comparable(cells) if function.over == "comparable cells" else [cells]
            scores += [score for group in groups if group for score in function.compute(group, context)]
    return [_with_finite_numbers(score) for score in scores]


def failures(store: Store) -> dict[str, str]:
    """Return why cells failed in the last run that evaluated them, by their ids.

    Args:
        store: The store.
    """
    found: dict[str, str] = {}
    for run in store.runs():
        evaluated = set(run.get("cells", ()))
        found = {cell_id: why for cell_id, why in found.items() if cell_id not in evaluated} | run.get("failed", {})
    return found


def _of_cell(item: CellOutcomes, functions: Sequence[ScoreFunction]) -> list[Score]:
    return [
        score
        for function in functions
        if isinstance(function, CellScores) and item.kind in function.kinds
        for score in function.compute(item)
    ]


def _with_finite_numbers(score: Score) -> Score:
    """Leave out what is not a number, or infinite though not a distance; without a value there is no interval."""
    is_sound = partial(is_number, may_be_infinite=score.definition.section == "distance")
    if not is_sound(score.value):
        flags = (*score.flags, f"the value{NOT_FINITE}")
        return replace(score, value=None, low=None, high=None, flags=flags)
    if not (is_sound(score.low) and is_sound(score.high)):
        return replace(score, low=None, high=None, flags=(*score.flags, f"an end of the interval{NOT_FINITE}"))
    return score


def _columns(functions: Sequence[ScoreFunction], kind: CellKind) -> list[str]:
    """The columns that the scores of a cell need; only its outcomes tell whether clean images have conflicting cues."""
    kinds = {kind, "cue conflict"} if kind == "clean" else {kind}
    return [column for function in functions if kinds & set(function.kinds) for column in function.columns]
