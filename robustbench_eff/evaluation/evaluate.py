"""`evaluate`: one call takes models to scores, with every outcome stored on the way."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, Unpack, runtime_checkable

from robustbench_eff.core.errors import RobustEvalWarning, UsageError
from robustbench_eff.core.stops import signal_of
from robustbench_eff.registry.load_classifier import Model, ModelLike, classifiers, portable
from robustbench_eff.registry.perturbation import as_perturbation
from robustbench_eff.scores.alexnet import measured, published
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.masking_checks import store_verdicts
from robustbench_eff.storage.manifest import STARTED, jsonable, new_run_id
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell
from robustbench_eff.system import devices, environment

from .device_runtime import DeviceRuntime
from .engines import dispatch
from .engines.inline import Inline
from .engines.pool import Pool
from .engines.process_pool import Processes
from .engines.store_writer import Progress
from .failures import FailedCell
from .plan import Plan
from .recognise import recognised
from .result import Result
from .settings import EvaluateOptions, Settings


@runtime_checkable
class Listener(Protocol):
    """A caller that wants to hear about the progress of a run."""

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        """Images are being decoded.

        Args:
            benchmark: Name of the benchmark.
            done: Number of decoded images.
            total: Number of images.
        """

    def planned(self, plan: Plan) -> None:
        """Everything is available; these cells will be evaluated. An error that is raised here ends the run before it.

        Args:
            plan: The cells of the run.
        """

    def progressed(self, progress: Progress) -> None:
        """A shard was stored, a cell starts with what the store holds already, or a cell ends.

        Called in another thread than the rest, one call at a time, after `planned` and before `ended`.

        Args:
            progress: The state of the cell.
        """

    def ended(self) -> None:
        """The run is over, whether it finished or not."""


class NullListener:
    """A listener that ignores everything."""

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        """Ignore it.

        Args:
            benchmark: Name of the benchmark.
            done: Number of decoded images.
            total: Number of images.
        """

    def planned(self, plan: Plan) -> None:
        """Ignore it.

        Args:
            plan: The cells of the run.
        """

    def progressed(self, progress: Progress) -> None:
        """Ignore it.

        Args:
            progress: The state of the cell.
        """

    def ended(self) -> None:
        """Ignore it."""


def evaluate(
    *models: ModelLike,
    settings: Settings | None = None,
    listener: Listener | None = None,
    **options: Unpack[EvaluateOptions],
) -> Result:
    """Evaluate models on benchmarks under perturbations; what the store holds already is not computed again.

    Whatever ends the run, the finished shards are in the store. An attack or corruption that fails on a model ends its
    own evaluation, not the run: the result names it.

    Args:
        models: Names of models, modules in eval mode, or what `load_classifier` returned.
        settings: The options of the run as one object, instead of `options`.
        listener: Hears about the progress of the run.
        options: The fields of `Settings` as keyword arguments.

    Returns:
        The scores of these models with their intervals, and where their outcomes are stored.

    Raises:
        MissingInputs: Weights, images or extras are missing; everything is listed at once, before any work, unless
            `skip_missing` is set.
        UsageError: A name is unknown or an option has a wrong value.
        SpecError: The text of a perturbation cannot be read.
        DataError: An image or label cannot be read.
        ModelError: A model cannot be loaded, is in train mode, or does not return logits.
        EvaluationError: A worker failed, or nothing could be evaluated.
        StoreError: The store cannot be written.
    """
    if settings is not None and options:
        raise UsageError(f"Give settings or {', '.join(options)}, not both.")
    settings = settings or Settings(**options)
    listener = listener or NullListener()
    if not models:
        raise UsageError("No model was given.", "Pass a name, a module or a classifier.")
    if any(isinstance(model, (list, tuple)) for model in models):
        raise UsageError("evaluate takes models one after the other, not a list.", "Write evaluate(*models, ...).")
    alexnet = published() if settings.alexnet_baseline is None else measured(settings.alexnet_baseline)
    store = Store(settings.store)
    store.check_writable()
    run_id = new_run_id()
    with store.remembering():
        with _pool(models, settings, run_id) as pool:
            plan = pool.plan(listener.preparing)
            with store.lock():
                plan = recognised(plan, store)
                try:
                    listener.planned(plan)
                    store.restore_cells({planned.cell.id: planned.cell for planned in plan.cells})
                    _note_killed_run(store)
                    failed = _run(plan, pool, store, settings, listener, run_id)
                finally:
                    listener.ended()
        names = {planned.cell.id: planned.cell.model for planned in plan.cells}
        verdicts = store_verdicts(store, names)
        scores = store_scores(store, names, verdicts, alexnet, settings.radii)
        return Result(scores, store.place, plan.missing, verdicts, _other_seeds(store, plan), failed)


@contextmanager
def _pool(models: Sequence[ModelLike], settings: Settings, run_id: str) -> Iterator[Pool]:
    """The workers of a run, closed when it ends."""
    pool: Pool
    if settings.engine == "ray":
        from .engines.ray_pool import RayCluster

        start = partial(_start_runtime, portable(models), settings, run_id, 1)
        pool = RayCluster(start, devices.keep_freed_memory, settings.device, settings.workers, settings.ray_address)
    elif len(names := devices.resolve_devices(settings.device, settings.workers)) == 1:
        with devices.current(names[0]):
            yield Inline(DeviceRuntime(classifiers(models), settings, names[0], run_id=run_id))
        return
    else:
        start = partial(_start_runtime, portable(models), settings, run_id, devices.threads_each(len(names)))
        pool = Processes([partial(start, name) for name in names], devices.keep_freed_memory)
    try:
        yield pool
    finally:
        pool.close()


def _start_runtime(
    models: Sequence[Model], settings: Settings, run_id: str, threads: int, device: str
) -> DeviceRuntime:
    """The runtime of a process of its own, which uses no other device."""
    devices.use(devices.resolve_device(device))
    return DeviceRuntime(models, settings, device, threads, run_id)


def _run(plan: Plan, pool: Pool, store: Store, settings: Settings, listener: Listener, run_id: str) -> list[FailedCell]:
    """Evaluate all cells, and write a manifest that says how the run ended; return the cells that failed.

    If all of them failed, the reason of the first is raised.
    """
    started = time.monotonic()
    manifest = environment.describe() | plan.hardware
    manifest |= {
        "workers": pool.size,
        "settings": _settings_record(settings),
        "models": [jsonable(planned.provenance) for planned in plan.cells if planned.cell.kind == "none"],
        "cells": [planned.cell.id for planned in plan.cells],
        "queried": {planned.cell.id: planned.query_mode for planned in plan.cells if planned.query_mode},
    }
    store.write_run(run_id, manifest | {"status": STARTED})
    status, failed = "failed", list[FailedCell]()
    target_ci = None if settings.target_ci is None else settings.target_ci / 100
    try:
        drawn = settings.shuffle_shards or target_ci is not None
        failed = dispatch.run(plan, pool, store, listener.progressed, drawn=drawn, target_ci=target_ci)
        if len(failed) == len(plan.cells):
            raise failed[0].error
        status = f"finished, {len(failed)} of {len(plan.cells)} failed" if failed else "finished"
    except KeyboardInterrupt as interrupt:
        status = f"interrupted by {signal_of(interrupt).name}"
        raise
    finally:
        reasons = {item.cell.id: str(item.error) for item in failed}
        ending = {"status": status, "wall_seconds": time.monotonic() - started, "failed": reasons}
        store.write_run(run_id, manifest | ending)
    return failed


def _note_killed_run(store: Store) -> None:
    """Say that the last run never ended, which this process knows because it holds the lock of the store."""
    runs = store.runs()
    if runs and runs[-1].get("status") == STARTED:
        warnings.warn(
            f"The last run into {store.place} never ended: it was killed, or the machine failed. Its finished outcomes "
            "are used. If memory ran out, use a smaller --batch-size or fewer --workers.",
            RobustEvalWarning,
            stacklevel=3,
        )


def _settings_record(settings: Settings) -> dict[str, Any]:
    """The options of the run as JSON types, own attacks and corruptions by their texts."""
    return jsonable(replace(settings, attacks=_texts(settings.attacks), corruptions=_texts(settings.corruptions)))


def _texts(values: Sequence[Any]) -> list[str]:
    return [value if isinstance(value, str) else as_perturbation(value).text for value in values]


def _other_seeds(store: Store, plan: Plan) -> tuple[int, ...]:
    """Seeds of stored cells that differ from a cell of this run in nothing else."""

    def without_seed(cell: StoredCell) -> str:
        record = cell.record()
        return json.dumps({name: record[name] for name in record if name not in ("seed", "model")}, sort_keys=True)

    drawn = [planned.cell for planned in plan.cells if planned.cell.seed is not None]
    of_this_run = {without_seed(cell) for cell in drawn}
    stored = {
        cell.seed for cell in store.cells().values() if cell.seed is not None if without_seed(cell) in of_this_run
    }
    return tuple(sorted(stored - {cell.seed for cell in drawn}))
