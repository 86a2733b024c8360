"""The engine without further processes: one worker, which is this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from robustbench_eff.core import progress
from robustbench_eff.core.errors import ModelError

from ..failures import FailedShard
from ..plan import Plan, Task
from ..shard_columns import ShardColumns
from .pool import TASKS_PER_WORKER, Advanced, PassCounter
from .store_writer import TaskFinished


@runtime_checkable
class WorkerRuntime(Protocol):
    """A device with the models and images of a run; equal arguments make equal plans."""

    def plan(self, preparing: Callable[[str, int, int], None] = ...) -> Plan:
        """Return the plan of the run.

        Args:
            preparing: Called with a benchmark's name, the number of its decoded images and the number of all its
                images; by default nothing is called.

        Returns:
            The cells of the run, and the inputs that are missing.

        Raises:
            MissingInputs: If inputs are missing and the settings do not skip them; the error lists them all.
            UsageError: If a model or an input cannot be loaded, or does not fit the others.
        """

    def fetch(self, task: Task) -> None:
        """Start to fetch the images of a coming task and return at once; an implementation may do nothing.

        Args:
            task: Task that `work` will receive soon.
        """

    def work(self, task: Task) -> ShardColumns | FailedShard:
        """Evaluate a task.

        Args:
            task: Samples of a cell of the plan.

        Returns:
            The outcomes of the samples, or why there are none.

        Raises:
            EvaluationError: If the cell of the task differs from the cell here.
            ModelError: If the model was changed.
        """


def cannot_be_sent(error: Exception) -> ModelError:
    """Return the error for a model that cannot be sent to another process.

    Args:
        error: Error that pickling the model raised.
    """
    return ModelError(
        f"A model cannot be sent to another process: {error}",
        "Define its class in a module, give it as file.py:factory, or use one device.",
    )


class Inline:
    """A pool of one worker, which computes while the run waits for it."""

    size = 1

    def __init__(self, runtime: WorkerRuntime) -> None:
        """Make the pool.

        Args:
            runtime: Runtime that computes the tasks.
        """
        self._runtime = runtime
        self._queue: deque[Task] = deque()

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        """See `Pool`.

        Args:
            preparing: See `Pool`.
        """
        return self._runtime.plan(preparing)

    def free(self) -> Sequence[int]:
        """See `Pool`."""
        return (0,) if len(self._queue) < TASKS_PER_WORKER else ()

    def give(self, worker: int, task: Task) -> None:
        """See `Pool`.

        Args:
            worker: Always 0.
            task: See `Pool`.
        """
        del worker
        self._queue.append(task)
        self._runtime.fetch(task)

    def wait(self, seconds: float | None, advanced: Advanced) -> Sequence[TaskFinished]:
        """Compute the first task of the queue and return it.

        Args:
            seconds: Ignored: the call takes as long as the task.
            advanced: See `Pool`.
        """
        del seconds
        task = self._queue.popleft()
        with progress.passes_told(PassCounter(partial(advanced, task))):
            done = self._runtime.work(task)
        return [TaskFinished(task, done.to_result, done.passes)]

    def close(self) -> None:
        """Do nothing: the worker is this process."""
