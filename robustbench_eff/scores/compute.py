"""All scores of a store, from its outcomes alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from robustbench_eff.storage.store import Store

from .accuracy import accuracy_scores
from .alexnet import AlexNet
from .cell_groups import CellOutcomes, Kind, cells_with_unique_names, columns_of, comparable, kind_of
from .clean import clean_scores
from .corruptions import corruption_scores
from .distances import distance_scores
from .effective import effective_scores
from .masking_checks import Verdict, suspicions
from .score import Score
from .sequences import mean_sequence_scores, sequence_scores
from .worst_case import worst_case_scores


def store_scores(
    store: Store,
    names: Mapping[str, str] | None = None,
    verdicts: Sequence[Verdict] = (),
    alexnet: AlexNet | None = None,
) -> list[Score]:
    """The scores of all cells in the order they were begun, or of those in `names`, under these model names.

    What `verdicts` suspect stands among the flags of the cells they compared; `alexnet` is what corruption errors and
    flip rates are relative to, the published figures unless given. Two models with one name are told
    apart by a few digits of their hash.
    """
    suspected = suspicions(verdicts)
    scores: list[Score] = []
    kinds: dict[Kind, list[tuple[dict[str, Any], pa.Table]]] = defaultdict(list)
    attacks: list[CellOutcomes] = []
    for cell_id, cell in cells_with_unique_names(store, names).items():
        kind = kind_of(cell)
        outcomes = store.outcomes(cell_id, columns_of(cell, kind))
        found = SCORES[kind](cell, outcomes, cell_id)
        scores += [replace(score, flags=score.flags + suspected.get(cell_id, ())) for score in found]
        kinds[kind].append((cell, outcomes))
        if kind in ("attacked", "searched"):
            attacks.append(CellOutcomes(cell_id, cell, outcomes))
    scores += effective_scores(kinds["clean"])
    scores += worst_case_scores(attacks, suspected)
    scores += [score for cells in comparable(kinds["corrupted"]) for score in corruption_scores(cells, alexnet)]
    return scores + [score for cells in comparable(kinds["filmed"]) for score in mean_sequence_scores(cells, alexnet)]


SCORES: Mapping[Kind, Callable[[dict[str, Any], pa.Table, str], list[Score]]] = {
    "clean": clean_scores,
    "corrupted": accuracy_scores,
    "filmed": sequence_scores,
    "attacked": accuracy_scores,
    "searched": distance_scores,
}
"""What turns the outcomes of a cell into scores, by its kind."""
