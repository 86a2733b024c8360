"""All scores of a store, from its outcomes alone."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from robustbench_eff.checks import Verdict, suspicions
from robustbench_eff.store import Store

from .accuracy import accuracy_scores
from .corruptions import corruption_scores, is_corrupted
from .distances import distance_scores, searches_the_nearest
from .score import Score


def store_scores(store: Store, names: Mapping[str, str] | None = None, verdicts: Sequence[Verdict] = ()) -> list[Score]:
    """The scores of all cells in the order they were begun, or of those in `names`, under these model names.

    What `verdicts` suspect stands among the flags of the cells they compared. Two models with one name are told
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
    for cell_id, cell in chosen.items():
        several = len(models[cell["model"]]) > 1
        shown = {**cell, "model": f"{cell['model']} #{_model(cell)}"} if several else cell
        outcomes = store.outcomes(cell_id)
        nearest = searches_the_nearest(shown)
        found = (distance_scores if nearest else accuracy_scores)(shown, outcomes, cell_id)
        scores += [replace(score, flags=score.flags + suspected.get(cell_id, ())) for score in found]
        if is_corrupted(shown) and outcomes.num_rows == shown["samples"]:
            corrupted.append((shown, outcomes))
    return scores + [score for cells in _comparable(corrupted) for score in corruption_scores(cells)]


def _comparable(cells: Sequence[tuple[dict[str, Any], pa.Table]]) -> list[list[tuple[dict[str, Any], pa.Table]]]:
    """Corrupted cells of one model, on the same images, with the same constants and seed."""
    groups: dict[str, list[tuple[dict[str, Any], pa.Table]]] = defaultdict(list)
    seeds = sorted({cell["seed"] for cell, _ in cells if cell["seed"] is not None}) or [None]
    for cell, outcomes in cells:
        same = [cell[name] for name in ("model_digest", "preprocessing", "benchmark", "protocol", "data")]
        same += [cell["configuration"].get(name) for name in ("constants", "jpeg_quality")]
        for seed in seeds if cell["seed"] is None else [cell["seed"]]:  # where nothing is drawn, every seed is the same
            groups[json.dumps([*same, seed])].append((cell, outcomes))
    return list(groups.values())


def _model(cell: Mapping[str, Any]) -> str:
    """What tells models of one name apart: weights and preprocessing."""
    text = f"{cell['model_digest']} {cell['preprocessing']}"
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()
