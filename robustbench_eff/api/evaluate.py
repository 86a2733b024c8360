"""`evaluate`: one call takes models to scores, with every outcome stored on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from robustbench_eff import environment
from robustbench_eff.checks import Verdict, store_verdicts
from robustbench_eff.engines import local
from robustbench_eff.errors import Missing, UsageError
from robustbench_eff.plan import Work
from robustbench_eff.scores.alexnet import measured, published
from robustbench_eff.scores.from_store import store_scores
from robustbench_eff.scores.score import Score
from robustbench_eff.store import Store, jsonable, new_run_id

from . import hardware
from .compose import compose
from .preflight import Model, check
from .settings import Settings


@runtime_checkable
class Listener(Protocol):
    """What a caller may want to hear during a run."""

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        """Images are being decoded."""

    def planned(self, works: Sequence[Work]) -> None:
        """Everything was found; these cells will be evaluated."""

    def progressed(self, progress: local.Progress) -> None:
        """A shard is in the store, or a cell begins with what the store holds already."""

    def ended(self) -> None:
        """The run is over, whether it finished or not."""


class Silence:
    """Hears nothing."""

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        del benchmark, done, total

    def planned(self, works: Sequence[Work]) -> None:
        del works

    def progressed(self, progress: local.Progress) -> None:
        del progress

    def ended(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gives."""

    scores: list[Score]
    store: Path
    missing: list[Missing]
    """What was skipped, with `skip_missing`."""
    verdicts: list[Verdict]
    """What the checks for gradient masking say about the models of this run."""
    other_seeds: tuple[int, ...]
    """Seeds under which the store holds these evaluations too, in cells of their own."""


def evaluate(
    *models: Model, settings: Settings | None = None, listener: Listener | None = None, **options: Any
) -> Result:
    """Evaluate models on benchmarks under attacks; what the store holds already is not computed again.

    `models` are names, modules in eval mode, or what `load_classifier` returned; `options` are the fields of
    Settings. Raises MissingInputs with everything missing at once before any work, unless `skip_missing`;
    UsageError, DataError and ModelError for bad input; EvaluationError and StoreError while running.
    Whatever ends the run, the finished shards are in the store.
    """
    if settings is not None and options:
        raise UsageError(f"Give settings or {', '.join(options)}, not both.")
    settings = settings or Settings(**options)
    listener = listener or Silence()
    if not models:
        raise UsageError("There is no model to evaluate.", "Pass a name, a module or a classifier.")
    alexnet = published() if settings.normalisers is None else measured(settings.normalisers)
    device = hardware.resolve_device(settings.device)
    ready = check(models, settings, device)
    store = Store(settings.store)
    store.check_writable()
    works = compose(ready, settings, device, listener.preparing)
    with store.lock():
        _run(works, store, settings, device, listener)
    names = {work.cell.id: work.cell.model for work in works}
    verdicts = store_verdicts(store, names)
    scores = store_scores(store, names, verdicts, alexnet)
    return Result(scores, store.folder, ready.missing, verdicts, _other_seeds(store, works))


def _run(works: Sequence[Work], store: Store, settings: Settings, device: str, listener: Listener) -> None:
    """Work everything off, with a manifest that says how it ended."""
    run_id, started = new_run_id(), time.monotonic()
    manifest = environment.describe() | hardware.describe(device)
    manifest |= {
        "settings": jsonable(settings),
        "models": [jsonable(work.classifier.provenance) for work in works if work.is_clean],
        "cells": [work.cell.id for work in works],
    }
    store.write_run(run_id, manifest | {"status": "started"})
    listener.planned(works)
    status = "failed"
    try:
        with hardware.threads(max(work.classifier.preprocessing.geometry.size for work in works)):
            local.run(works, store, listener.progressed)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        listener.ended()
        manifest["queried"] = {work.cell.id: work.oracle.speed for work in works if work.oracle is not None}
        store.write_run(run_id, manifest | {"status": status, "wall_seconds": time.monotonic() - started})


def _other_seeds(store: Store, works: Sequence[Work]) -> tuple[int, ...]:
    """Seeds of cells in the store that differ in nothing else from a cell of this run."""

    def but_seed(cell: dict[str, Any]) -> str:
        return json.dumps({key: cell[key] for key in cell if key not in ("seed", "model")}, sort_keys=True)

    drawn = [work.cell for work in works if work.cell.seed is not None]
    mine = {but_seed(jsonable(cell)) for cell in drawn}
    seeds = {cell["seed"] for cell in store.cells().values() if but_seed(cell) in mine}
    return tuple(sorted(seeds - {cell.seed for cell in drawn}))
