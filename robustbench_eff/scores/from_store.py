"""All scores of a store, from its outcomes alone."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from robustbench_eff.checks import Verdict, suspicions
from robustbench_eff.store import Store

from .accuracy import accuracy_scores
from .alexnet import AlexNet
from .corruptions import corruption_scores, is_corrupted
from .distances import distance_scores, searches_the_nearest
from .score import Score
from .sequences import is_filmed, mean_sequence_scores, sequence_scores


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
    cells = store.cells()
    chosen = {cell_id: {**cells[cell_id], "model": name} for cell_id, name in names.items()} if names else cells
    models: dict[str, set[str]] = defaultdict(set)
    for cell in chosen.values():
        models[cell["model"]].add(_model(cell))
    suspected = suspicions(verdicts)
    scores: list[Score] = []
    corrupted: list[tuple[dict[str, Any], pa.Table]] = []
    filmed: list[tuple[dict[str, Any], pa.Table]] = []
    for cell_id, cell in chosen.items():
        several = len(models[cell["model"]]) > 1
        shown = {**cell, "model": f"{cell['model']} #{_model(cell)}"} if several else cell
        outcomes = store.outcomes(cell_id)
        found = _scores_of(shown)(shown, outcomes, cell_id)
        scores += [replace(score, flags=score.flags + suspected.get(cell_id, ())) for score in found]
        if outcomes.num_rows == shown["samples"]:
            corrupted += [(shown, outcomes)] if is_corrupted(shown) else []
            filmed += [(shown, outcomes)] if is_filmed(shown) else []
    scores += [score for cells in _comparable(corrupted) for score in corruption_scores(cells, alexnet)]
    return scores + [score for cells in _comparable(filmed) for score in mean_sequence_scores(cells, alexnet)]


def _scores_of(cell: dict[str, Any]) -> Callable[[dict[str, Any], pa.Table, str], list[Score]]:
    """What turns a cell's outcomes into scores."""
    if is_filmed(cell):
        return sequence_scores
    return distance_scores if searches_the_nearest(cell) else accuracy_scores


def _comparable(cells: Sequence[tuple[dict[str, Any], pa.Table]]) -> list[list[tuple[dict[str, Any], pa.Table]]]:
    """Cells of one model, on the same images, with the same constants and seed; or of the same published samples."""
    groups: dict[str, list[tuple[dict[str, Any], pa.Table]]] = defaultdict(list)
    drawn = sorted({cell["seed"] for cell, _ in cells if cell["seed"] is not None}) or [None]
    for cell, outcomes in cells:
        published = cell["configuration"].get("published", False)
        same = [cell[name] for name in ("model_digest", "preprocessing", "benchmark", "protocol")]
        same += [_samples(outcomes) if published else cell["data"]]
        same += [cell["configuration"].get(name) for name in ("constants", "jpeg_quality")]
        seeds = [None] if published else drawn  # where nothing is drawn, every seed is the same
        for seed in seeds if cell["seed"] is None else [cell["seed"]]:
            groups[json.dumps([*same, seed])].append((cell, outcomes))
    return list(groups.values())


def _samples(outcomes: pa.Table) -> str:
    """A hash of which samples these are: every published corruption has files of its own."""
    found = hashlib.blake2b(digest_size=16)
    for name in ("sample_id", "label"):
        found.update("\n".join(map(str, outcomes[name].to_pylist())).encode())
    return found.hexdigest()


def _model(cell: Mapping[str, Any]) -> str:
    """What tells models of one name apart: weights and preprocessing."""
    text = f"{cell['model_digest']} {cell['preprocessing']}"
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()
