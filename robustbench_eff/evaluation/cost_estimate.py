"""What a run would do and how long it would take, from a short calibration on the devices of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.shuffle import shuffled
from robustbench_eff.registry.load_classifier import ModelLike, classifiers
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.store import Store
from robustbench_eff.system import devices as hardware

from .device_runtime import DeviceRuntime
from .engines.store_writer import shard_size
from .plan import CLEAN, PlannedCell, Task
from .settings import Settings

SAMPLES = 64
"""Images that a cell is tried on."""
MIN_SAMPLES = 8
"""Fewer say nothing."""
SECONDS = 2.0
"""Attacks that may take longer on these are estimated from their passes."""
MIN_STORED_SAMPLES = 32
"""Samples in the store from which their passes say more than the most an attack may take."""

EstimateBasis = Literal["finished", "measured", "from the store", "at most"]
FINISHED: EstimateBasis = "finished"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left of a cell, and what it would take on one worker of a device."""

    planned: PlannedCell
    left: int
    """Samples that the store does not hold."""
    shards: int
    passes: float
    """Forward and backward passes for all of them."""
    seconds: float
    how: EstimateBasis
    """Measured on some samples; from the passes of samples in the store; or from the most passes that it may take."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one kind of device would take."""

    device: str
    """Its name."""
    count: int
    """How many of them would work side by side: GPUs, however many workers share one, or processes on a CPU."""
    cells: list[Estimate]

    @property
    def seconds(self) -> float:
        """Of one of them."""
        return sum(of.seconds for of in self.cells)


def estimate_cost(*models: ModelLike, settings: Settings, preparing: Callable[[str, int, int], None]) -> list[Forecast]:
    """For each kind of device that the settings name, an estimate for every cell; nothing is stored.

    A number of its passes is exact where nothing is attacked, and otherwise the most that the attack may take, unless
    samples say less. Raises what `evaluate` raises before its first batch.
    """
    if settings.engine == "ray":
        raise UsageError("A plan is calibrated on this machine.", "Leave out --engine ray; --workers counts the same.")
    devices = hardware.resolve_devices(settings.device, settings.workers)
    kinds: dict[str, list[str]] = {}
    for device in devices:
        kinds.setdefault(hardware.kind(device), []).append(device)
    threads = hardware.threads_each(len(devices)) if len(devices) > 1 else None
    store, subjects, found = Store(settings.store), classifiers(models), list[Forecast]()
    for kind, alike in kinds.items():
        count = len(alike) if kind == "cpu" else len(set(alike))
        with hardware.current(alike[0]):
            workshop = DeviceRuntime(subjects, settings, alike[0], threads)
            found.append(Forecast(kind, count, _estimated(workshop, len(devices), store, preparing)))
    return found


def _estimated(
    workshop: DeviceRuntime, workers: int, store: Store, preparing: Callable[[str, int, int], None]
) -> list[Estimate]:
    plan = workshop.plan(preparing).cells
    stored = {of.cell.id: store.outcomes(of.cell.id, ["num_forwards", "num_backwards"]) for of in plan}
    left = {of.cell.id: of.cell.samples - stored[of.cell.id].num_rows for of in plan}
    needed = {cell for of in plan if left[of.cell.id] for cell in (of.cell.id, of.clean)}
    found: list[Estimate] = []
    predictions: dict[str, npt.NDArray[np.int32]] = {}
    each: dict[str, float] = {}
    """Seconds that a clean image takes."""
    for planned in plan:
        cell = planned.cell
        if cell.perturbation == CLEAN and cell.id in needed:
            _tried(workshop, planned, None, SAMPLES)  # what is done once only is no part of the estimate
            each[cell.id], outcomes = _tried(workshop, planned, None, SAMPLES)
            predictions[cell.id] = np.full(cell.samples, -1, np.int32)
            predictions[cell.id][as_numpy(outcomes["index"])] = as_numpy(outcomes["prediction"])
        passes, seconds, how = 0.0, 0.0, FINISHED
        if left[cell.id]:
            known, clean = predictions.get(planned.clean or ""), each.get(planned.clean or cell.id)
            passes, seconds, how = _of_a_sample(workshop, planned, known, stored[cell.id], clean)
        shards = -(-left[cell.id] // shard_size(planned, workers))
        found.append(Estimate(planned, left[cell.id], shards, left[cell.id] * passes, left[cell.id] * seconds, how))
    return found


def _of_a_sample(
    workshop: DeviceRuntime,
    planned: PlannedCell,
    known: npt.NDArray[np.int32] | None,
    stored: pa.Table,
    each: float | None,
) -> tuple[float, float, EstimateBasis]:
    """Passes and seconds that a sample takes; `each` are the seconds of a clean one, where that was measured."""
    if planned.cell.perturbation == CLEAN and each is not None:
        return planned.passes, each, "measured"
    if not planned.query_mode or each is None:
        seconds, _ = _tried(workshop, planned, None, MIN_SAMPLES)
        if SAMPLES * seconds <= SECONDS:
            seconds, _ = _tried(workshop, planned, None, SAMPLES)
        return planned.passes, seconds, "measured"
    if (count := min(SAMPLES, int(SECONDS / (planned.passes * each)))) >= MIN_SAMPLES:
        _tried(workshop, planned, known, MIN_SAMPLES)  # an attack may compile something
        seconds, outcomes = _tried(workshop, planned, known, count)
        return _passes(outcomes) or planned.passes, seconds, "measured"
    if stored.num_rows >= MIN_STORED_SAMPLES and (passes := _passes(stored)):
        return passes, passes * each, "from the store"
    return planned.passes, planned.passes * each, "at most"


def _tried(
    workshop: DeviceRuntime, planned: PlannedCell, known: npt.NDArray[np.int32] | None, count: int
) -> tuple[float, pa.Table]:
    """Seconds for each of the first so many samples of `shuffled`, and what came out; `known` are the clean predictions
    of all."""
    rows = np.sort(shuffled(planned.cell.samples)[:count])
    if planned.cell.perturbation != CLEAN:
        known = np.full(len(rows), -1, np.int32) if known is None else known[rows]
    began = time.perf_counter()
    outcomes = workshop.work(Task(planned.cell_index, planned.cell, rows, known, has_gallery=True)).done().outcomes
    return (time.perf_counter() - began) / len(rows), outcomes


def _passes(outcomes: pa.Table) -> float | None:
    """Forward and backward passes of a sample on average; None where they were not counted."""
    counts = [as_numpy(outcomes[name]) for name in ("num_forwards", "num_backwards")]
    return None if min(count.min() for count in counts) < 0 else float(sum(count.mean() for count in counts))
