"""Estimate of what a run would compute and how long it would take, from a short calibration on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

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
from .engines.open_cell import affordable_size, shard_size
from .failures import FailedShard
from .plan import PlannedCell, Task
from .settings import Settings

SAMPLES = 64
"""Number of samples on which a cell is timed."""
MIN_SAMPLES = 8
"""Number of samples below which a measurement would be too noisy."""
SECONDS = 2.0
"""Longest measurement of a cell; an attack that may take longer is estimated from its number of passes."""
MIN_STORED_SAMPLES = 32
"""Number of stored samples from which on their mean number of passes replaces the attack's upper bound."""

EstimateBasis = Literal["finished", "measured", "from the store", "at most"]
"""Measured on some samples, computed from the passes of stored samples, or from the upper bound of the passes."""
FINISHED: EstimateBasis = "finished"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Remaining work of a cell, and its cost on one worker of a device."""

    planned: PlannedCell
    left: int
    """Number of samples that the store does not hold."""
    shards: int
    """Number of shards of these samples; a few more at the start, when shards are small."""
    passes: float
    """Number of forward and backward passes of these samples."""
    seconds: float
    how: EstimateBasis


@dataclass(frozen=True, slots=True)
class Forecast:
    """Estimates for one kind of device."""

    device: str
    """Name of the kind: a GPU's name, or `cpu`."""
    count: int
    """Number of devices that work side by side: GPUs, however many workers share one, or processes on a CPU."""
    cells: list[Estimate]

    @property
    def seconds(self) -> float:
        """Seconds that a single device would need for all cells."""
        return sum(estimate.seconds for estimate in self.cells)


class _SampleCost(NamedTuple):
    """Mean cost of a sample of a cell."""

    passes: float
    seconds: float
    basis: EstimateBasis


def estimate_cost(*models: ModelLike, settings: Settings, preparing: Callable[[str, int, int], None]) -> list[Forecast]:
    """Estimate the remaining cost of a run for each kind of device that the settings name; nothing is stored.

    The number of passes is exact for cells without an attack. For an attack it is the mean over measured or stored
    samples, or else the upper bound of the attack.

    Args:
        models: Names, modules in eval mode, or classifiers.
        settings: Settings of the run.
        preparing: Called with a benchmark's name, the number of its decoded images and the number of all its images.

    Returns:
        One forecast per kind of device, each with an estimate for every cell.

    Raises:
        UsageError: If the engine is Ray, or an input is unusable or missing: the same errors that `evaluate` raises
            before its first batch.
    """
    if settings.engine == "ray":
        raise UsageError(
            "The cost is estimated on this machine, not on a Ray cluster.",
            "Leave out --engine ray; --workers counts the same.",
        )
    devices = hardware.resolve_devices(settings.device, settings.workers)
    devices_by_kind: dict[str, list[str]] = {}
    for device in devices:
        devices_by_kind.setdefault(hardware.kind(device), []).append(device)
    threads = hardware.threads_each(len(devices)) if len(devices) > 1 else None
    store, subjects, forecasts = Store(settings.store), classifiers(models), list[Forecast]()
    for kind, alike in devices_by_kind.items():
        count = len(alike) if kind == "cpu" else len(set(alike))
        with hardware.current(alike[0]):
            calibration = _Calibration(DeviceRuntime(subjects, settings, alike[0], threads), store)
            forecasts.append(Forecast(kind, count, calibration.estimates(len(devices), preparing)))
    return forecasts


class _Calibration:
    """Measurements of the cells of a run on one device."""

    def __init__(self, runtime: DeviceRuntime, store: Store) -> None:
        self.runtime, self.store = runtime, store
        self.clean_predictions: dict[str, npt.NDArray[np.int32]] = {}
        """Clean predictions of all samples by the clean cell's id; -1 for samples that were not measured."""
        self.clean_seconds: dict[str, float] = {}
        """Seconds per clean image by the clean cell's id."""

    def estimates(self, workers: int, preparing: Callable[[str, int, int], None]) -> list[Estimate]:
        """Estimate every cell; a clean cell is measured first if a cell that depends on it is not finished."""
        cells = self.runtime.plan(preparing).cells
        stored = {
            planned.cell.id: self.store.outcomes(planned.cell.id, ["num_forwards", "num_backwards"])
            for planned in cells
        }
        remaining = {planned.cell.id: planned.cell.samples - stored[planned.cell.id].num_rows for planned in cells}
        needed: set[str | None] = set()
        for planned in reversed(cells):  # a cell comes after the one whose predictions it needs
            if remaining[planned.cell.id] or planned.cell.id in needed:
                needed |= {planned.cell.id, planned.clean}
        estimates = []
        for planned in cells:
            cell_id = planned.cell.id
            if planned.cell.kind == "none" and cell_id in needed:
                self._measure_clean(planned)
            if planned.cell.kind == "certificate" and planned.clean in self.clean_seconds:
                self.clean_seconds[cell_id] = self.clean_seconds[planned.clean]
            cost = _SampleCost(0.0, 0.0, FINISHED)
            if left := remaining[cell_id]:
                cost = self._cost_per_sample(planned, stored[cell_id])
            size = affordable_size(planned, shard_size(planned, workers), cost.passes)
            estimates.append(
                Estimate(planned, left, -(-left // size), left * cost.passes, left * cost.seconds, cost.basis)
            )
        return estimates

    def _measure_clean(self, planned: PlannedCell) -> None:
        cell = planned.cell
        self._measure(planned, None, SAMPLES)  # work that is done only once does not belong to the estimate
        self.clean_seconds[cell.id], outcomes = self._measure(planned, None, SAMPLES)
        predictions = np.full(cell.samples, -1, np.int32)
        predictions[as_numpy(outcomes["index"])] = as_numpy(outcomes["prediction"])
        self.clean_predictions[cell.id] = predictions

    def _cost_per_sample(self, planned: PlannedCell, stored: pa.Table) -> _SampleCost:
        clean_seconds = self.clean_seconds.get(planned.clean or planned.cell.id)
        if planned.cell.kind == "none" and clean_seconds is not None:
            return _SampleCost(planned.passes, clean_seconds, "measured")
        if planned.cell.smoothing is not None and clean_seconds is not None:
            return _SampleCost(planned.passes, planned.passes * clean_seconds, "at most")
        if not planned.query_mode or clean_seconds is None:
            seconds, _ = self._measure(planned, None, MIN_SAMPLES)
            if SAMPLES * seconds <= SECONDS:
                seconds, _ = self._measure(planned, None, SAMPLES)
            return _SampleCost(planned.passes, seconds, "measured")
        clean_predictions = self.clean_predictions.get(planned.clean or "")
        if (count := min(SAMPLES, int(SECONDS / (planned.passes * clean_seconds)))) >= MIN_SAMPLES:
            self._measure(planned, clean_predictions, MIN_SAMPLES)  # the first call of an attack may compile code
            seconds, outcomes = self._measure(planned, clean_predictions, count)
            return _SampleCost(_mean_passes(outcomes) or planned.passes, seconds, "measured")
        if stored.num_rows >= MIN_STORED_SAMPLES and (passes := _mean_passes(stored)):
            return _SampleCost(passes, passes * clean_seconds, "from the store")
        return _SampleCost(planned.passes, planned.passes * clean_seconds, "at most")

    def _measure(
        self, planned: PlannedCell, clean_predictions: npt.NDArray[np.int32] | None, count: int
    ) -> tuple[float, pa.Table]:
        """Evaluate the first `count` samples of `shuffled`; return the seconds per sample, and the outcomes."""
        rows = np.sort(shuffled(planned.cell.samples)[:count])
        if planned.cell.kind == "none":
            predictions = None
        else:
            predictions = np.full(len(rows), -1, np.int32) if clean_predictions is None else clean_predictions[rows]
        start = time.perf_counter()
        task = Task(planned.cell_index, planned.cell, rows, predictions, has_gallery=True)
        result = self.runtime.work(task).to_result()
        if isinstance(result, FailedShard):
            raise result.error
        return (time.perf_counter() - start) / len(rows), result.outcomes


def _mean_passes(outcomes: pa.Table) -> float | None:
    """Return the mean number of forward and backward passes per sample; None if they were not counted."""
    counts = [as_numpy(outcomes[name]) for name in ("num_forwards", "num_backwards")]
    return None if min(count.min() for count in counts) < 0 else float(sum(count.mean() for count in counts))
