"""What a pool of workers is to the dispatch loop, whatever the workers are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from ..plan import Plan, Task
from .store_writer import TaskFinished

MAX_DEATHS = 3
"""Number of workers that may die of the same samples; then the run ends with an error."""
TELL_SECONDS = 0.5
"""Seconds between two messages about the passes of a task."""
TASKS_PER_WORKER = 2
"""Number of tasks that a worker holds at once: one that it computes, and one whose images it fetches meanwhile."""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """Event of a worker's death; the pool has replaced the worker or will do so."""

    worker: int
    """Number of the dead worker."""
    tasks: Sequence[Task]
    """Unfinished tasks of the worker; it died while it computed the first."""
    why: str
    """Cause of the death, for the error message."""


Advanced: TypeAlias = Callable[[Task, int], None]
"""Called with a task in progress and the number of forward and backward passes that it has made."""


class PassCounter:
    """The passes of a task in progress, told now and then."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        """Start at zero.

        Args:
            tell: Called with the number of passes so far, at most every `TELL_SECONDS`.
        """
        self._tell, self._passes, self._told = tell, 0, time.monotonic()

    def __call__(self, passes: int) -> None:
        """Count passes.

        Args:
            passes: Number of further passes.
        """
        self._passes += passes
        if (now := time.monotonic()) - self._told >= TELL_SECONDS:
            self._told = now
            self._tell(self._passes)


@runtime_checkable
class Pool(Protocol):
    """Workers that each hold the models of a run; `plan` and `wait` raise the errors of the workers."""

    size: int
    """Intended number of workers."""

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        """Return the plan of the run, made by one of the workers.

        Args:
            preparing: Called with a benchmark's name, the number of its decoded images and the number of all its
                images; an engine whose workers run on other machines may ignore it.

        Returns:
            The cells of the run, and the inputs that are missing.

        Raises:
            EvaluationError: If the worker dies.
        """

    def free(self) -> Sequence[int]:
        """Return the numbers of the workers that can take one more task, those with the fewest tasks first."""

    def give(self, worker: int, task: Task) -> None:
        """Append a task to a worker's queue.

        Args:
            worker: Number of a worker that `free` returned.
            task: Samples to evaluate.
        """

    def wait(self, seconds: float | None, advanced: Advanced) -> Sequence[TaskFinished | WorkerLost]:
        """Return the events since the last call; block until there is one.

        Args:
            seconds: Longest time to block; None means without a limit.
            advanced: Told about tasks in progress; an engine whose workers run on other machines may ignore it.

        Returns:
            Finished tasks and lost workers; empty if nothing happened in time.
        """

    def close(self) -> None:
        """Stop all workers, also in the middle of a task."""
