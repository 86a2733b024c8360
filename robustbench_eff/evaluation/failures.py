"""Evaluations that fail: an attack that cannot run on a model ends its own cell, not the run."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass

from robustbench_eff.core.batching import cuda_error_message
from robustbench_eff.core.errors import EvaluationError, RobustEvalError
from robustbench_eff.core.shortages import shortage
from robustbench_eff.core.types import Pixels
from robustbench_eff.storage.stored_cell import StoredCell

from .plan import CellRuntime, Task
from .shard_columns import ShardColumns
from .stream_worker import run_stream
from .worker import run_shard


@dataclass(frozen=True, slots=True)
class FailedShard:
    """A shard without outcomes."""

    error: RobustEvalError
    """Why there are none; an error of this package, which other processes can unpickle."""

    @property
    def passes(self) -> None:
        """None: nobody knows what it has cost."""

    def to_result(self) -> FailedShard:
        """Return the failure itself, which is what a worker sends instead of outcomes."""
        return self


@dataclass(frozen=True, slots=True)
class FailedCell:
    """A cell of a run that has no number, or one of some samples only."""

    cell: StoredCell
    error: RobustEvalError
    """Why."""


def attempt_shard(work: CellRuntime, task: Task, pixels: Pixels | None) -> ShardColumns | FailedShard:
    """Evaluate a shard; if the perturbation or the model fails on it, return the reason.

    Args:
        work: Cell with its model, images and perturbation.
        task: Samples to evaluate.
        pixels: Images of the samples if they are already on the device; None loads them.

    Raises:
        ModelError: If the model was changed: no further number of it could be trusted.
        Exception: If the device failed.
    """
    try:
        return run_shard(work, task, pixels) if work.stream is None else run_stream(work, task)
    except Exception as error:
        if cuda_error_message(error) is not None:
            raise
        work.classifier.check_mode()
        work.classifier.check_weights()
        if os.environ.get("ROBUST_EVAL_TRACEBACK") == "1":
            traceback.print_exception(error)
        return FailedShard(_as_evaluation_error(error, work.cell))


def dependent_failure(cell: StoredCell) -> EvaluationError:
    """Return the error of a cell that was not begun because that of its clean images has failed.

    Args:
        cell: The cell that depends on it.
    """
    return EvaluationError(f"{cell.perturbation} on {cell.model} was not run: its clean images could not be evaluated.")


def _as_evaluation_error(error: Exception, cell: StoredCell) -> RobustEvalError:
    """Return an error of this package as it is, any other as a sentence."""
    if (lack := shortage(error)) is not None and not isinstance(error, RobustEvalError):
        return EvaluationError(f"{cell.perturbation} on {cell.model} failed: {lack.message}", lack.hint)
    if not isinstance(error, RobustEvalError):
        return EvaluationError(
            f"{cell.perturbation} on {cell.model} failed: {type(error).__name__}: {error}",
            "Set ROBUST_EVAL_TRACEBACK=1 to see where.",
        )
    if type(error).__module__.startswith("robustbench_eff."):
        return error
    return EvaluationError(error.message, error.hint)
