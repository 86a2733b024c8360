"""`evaluate`: one call takes models to scores, with every outcome stored on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from robustbench_eff.core.errors import Missing, UsageError
from robustbench_eff.registry.load_classifier import Model, ModelLike, classifiers, portable
from robustbench_eff.scores.alexnet import measured, published
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.masking_checks import Verdict, store_verdicts
from robustbench_eff.scores.score import Score
from robustbench_eff.storage.store import Store, jsonable, new_run_id
from robustbench_eff.system import devices as hardware
from robustbench_eff.system import environment

from .device_runtime import DeviceRuntime
from .engines import dispatch
from .engines.dispatch import Pool
from .engines.inline import Inline
from .engines.process_pool import Processes
from .engines.store_writer import Progress
from .plan import CLEAN, Plan
from .settings import Settings


@runtime_checkable
class Listener(Protocol):
    """What a caller may want to hear during a run."""

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        """Images are being decoded."""

    def planned(self, plan: Plan) -> None:
        """Everything was found; these cells will be evaluated."""

    def progressed(self, progress: Progress) -> None:
        """A shard is in the store, or a cell begins with what the store holds already, or it ends.

        Called in another thread than the rest, one call at a time, after `planned` and before `ended`.
        """

    def ended(self) -> None:
        """The run is over, whether it finished or not."""


class NullListener:
    """Hears nothing."""

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        del benchmark, done, total

    def planned(self, plan: Plan) -> None:
        del plan

    def progressed(self, progress: Progress) -> None:
        del progress

    def ended(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gives."""

    scores: list[Score]
    store: str
    """Folder or URL of the outcomes."""
    missing: list[Missing]
    """What was skipped, with `skip_missing`."""
    verdicts: list[Verdict]
    """What the checks for gradient masking say about the models of this run."""
    other_seeds: tuple[int, ...]
    """Seeds under which the store holds these evaluations too, in cells of their own."""


def evaluate(
    *models: ModelLike, settings: Settings | None = None, listener: Listener | None = None, **options: Any
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
    listener = listener or NullListener()
    if not models:
        raise UsageError("There is no model to evaluate.", "Pass a name, a module or a classifier.")
    alexnet = published() if settings.alexnet_baseline is None else measured(settings.alexnet_baseline)
    store = Store(settings.store)
    store.check_writable()
    with _pool(models, settings) as pool:
        plan = pool.plan(listener.preparing)
        with store.lock():
            _run(plan, pool, store, settings, listener)
    names = {planned.cell.id: planned.cell.model for planned in plan.cells}
    verdicts = store_verdicts(store, names)
    scores = store_scores(store, names, verdicts, alexnet)
    return Result(scores, store.place, plan.missing, verdicts, _other_seeds(store, plan))


@contextmanager
def _pool(models: Sequence[ModelLike], settings: Settings) -> Iterator[Pool]:
    """The workers of a run, ended when it ends."""
    pool: Pool
    if settings.engine == "ray":
        from .engines.ray_pool import RayCluster

        opening = partial(_opened, portable(models), settings, 1)
        pool = RayCluster(opening, hardware.keep_freed_memory, settings.device, settings.workers, settings.ray_address)
    elif len(devices := hardware.resolve_devices(settings.device, settings.workers)) == 1:
        with hardware.current(devices[0]):
            yield Inline(DeviceRuntime(classifiers(models), settings, devices[0]))
        return
    else:
        opening = partial(_opened, portable(models), settings, hardware.threads_each(len(devices)))
        pool = Processes([partial(opening, device) for device in devices], hardware.keep_freed_memory)
    try:
        yield pool
    finally:
        pool.close()


def _opened(models: Sequence[Model], settings: Settings, threads: int, device: str) -> DeviceRuntime:
    """A workshop in a process of its own, which has nothing to do with the other devices."""
    hardware.use(hardware.resolve_device(device))
    return DeviceRuntime(models, settings, device, threads)


def _run(plan: Plan, pool: Pool, store: Store, settings: Settings, listener: Listener) -> None:
    """Work everything off, with a manifest that says how it ended."""
    run_id, started = new_run_id(), time.monotonic()
    manifest = environment.describe() | plan.hardware
    manifest |= {
        "workers": pool.size,
        "settings": jsonable(settings),
        "models": [jsonable(planned.provenance) for planned in plan.cells if planned.cell.perturbation == CLEAN],
        "cells": [planned.cell.id for planned in plan.cells],
        "queried": {planned.cell.id: planned.query_mode for planned in plan.cells if planned.query_mode},
    }
    store.write_run(run_id, manifest | {"status": "started"})
    listener.planned(plan)
    status = "failed"
    target_ci = None if settings.target_ci is None else settings.target_ci / 100
    try:
        drawn = settings.shuffle_shards or target_ci is not None
        dispatch.run(plan, pool, store, listener.progressed, drawn=drawn, target_ci=target_ci)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        listener.ended()
        store.write_run(run_id, manifest | {"status": status, "wall_seconds": time.monotonic() - started})


def _other_seeds(store: Store, plan: Plan) -> tuple[int, ...]:
    """Seeds of cells in the store that differ in nothing else from a cell of this run."""

    def but_seed(cell: dict[str, Any]) -> str:
        return json.dumps({key: cell[key] for key in cell if key not in ("seed", "model")}, sort_keys=True)

    drawn = [planned.cell for planned in plan.cells if planned.cell.seed is not None]
    mine = {but_seed(jsonable(cell)) for cell in drawn}
    seeds = {cell["seed"] for cell in store.cells().values() if but_seed(cell) in mine}
    return tuple(sorted(seeds - {cell.seed for cell in drawn}))
