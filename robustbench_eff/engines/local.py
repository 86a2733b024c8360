"""All shards in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from robustbench_eff.errors import StoreError
from robustbench_eff.gallery import picture
from robustbench_eff.plan import Cell, Shard, Work, shards_of
from robustbench_eff.store import Store, jsonable
from robustbench_eff.worker import run_shard


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a shard (or at the start of a cell, with what was found in the store)."""

    cell: Cell
    samples: int
    """How many samples this step added."""
    done: int
    correct: int
    resumed: bool
    """Whether these samples were found in the store rather than computed."""


def run(works: Sequence[Work], store: Store, report: Callable[[Progress], None]) -> None:
    """Work off every cell; clean cells must come before the others, which build on them.

    What the store holds already is not computed again. Each shard is in the store before the next begins.
    """
    for work in works:
        _run_cell(work, _clean_outcomes(work, works, store), store, report)


def _run_cell(work: Work, clean: pa.Table | None, store: Store, report: Callable[[Progress], None]) -> None:
    cell = work.cell
    store.write_cell(cell.id, jsonable(cell))
    store.tidy(cell.id)
    found = [Shard(*bounds) for bounds in store.shards(cell.id)]
    known = store.outcomes(cell.id)
    done, correct = known.num_rows, int(pc.sum(known["correct"]).as_py() or 0)
    report(Progress(cell, done, done, correct, resumed=True))
    for shard in shards_of(cell.samples, found, work.shard_size):
        part = None if clean is None else clean.slice(shard.start, len(shard))
        result = run_shard(work, shard, part)
        if result.successes:
            store.write_picture(cell.id, picture(result.successes))
        store.write_shard(cell.id, shard.start, shard.stop, result.outcomes)
        done, correct = done + len(shard), correct + int(pc.sum(result.outcomes["correct"]).as_py())
        report(Progress(cell, len(shard), done, correct, resumed=False))
    store.unite(cell.id)


def _clean_outcomes(work: Work, works: Sequence[Work], store: Store) -> pa.Table | None:
    """The clean predictions of the same classifier for the same samples; -1 of those whose clean image nobody has.

    A published image may be another kind of file than its clean one.
    """
    if work.is_clean:
        return None
    known: dict[str, int] = {}
    for other in works:
        if other.is_clean and other.classifier is work.classifier and other.images.benchmark == work.images.benchmark:
            known |= _predictions(other.cell, store)
    samples = work.images.sample_ids
    if work.attack is not None and not known.keys() >= set(samples):
        raise StoreError(f"{store.folder} has no clean outcomes of what is attacked.", "Repeat the same command.")
    return pa.table({"clean_prediction": [known.get(sample, known.get(_stem(sample), -1)) for sample in samples]})


def _predictions(cell: Cell, store: Store) -> dict[str, int]:
    """The predictions of a finished cell by sample, with and without the kind of its file."""
    found = store.outcomes(cell.id)
    if found.num_rows != cell.samples:
        raise StoreError(
            f"{store.folder} has lost clean outcomes during the run.",
            "Repeat the same command: it computes them again.",
        )
    known = dict(zip(found["sample_id"].to_pylist(), found["prediction"].to_pylist(), strict=True))
    return {_stem(sample): prediction for sample, prediction in known.items()} | known


def _stem(sample_id: str) -> str:
    return PurePosixPath(sample_id).with_suffix("").as_posix()
