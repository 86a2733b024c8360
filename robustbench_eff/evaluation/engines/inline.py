"""One worker: this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from robustbench_eff.core.errors import ModelError

from ..plan import Plan, Task
from ..worker import ShardColumns
from .dispatch import TASKS_PER_WORKER
from .store_writer import TaskFinished


@runtime_checkable
class WorkerRuntime(Protocol):
    """A device with the models and images of a run; the same arguments make the same plan."""

    def plan(self, preparing: Callable[[str, int, int], None] = ...) -> Plan:
        """What there is to do; nobody need hear how far it is.

        Raises MissingInputs with all that is missing, and what cannot be loaded or read.
        """

    def fetch(self, task: Task) -> None:
        """Begin to fetch the images of a task that comes soon; returns at once, and may do nothing."""

    def work(self, task: Task) -> ShardColumns:
        """Work on a task."""


def cannot_be_sent(error: Exception) -> ModelError:
    """What is said of a model that no other process can be given."""
    return ModelError(
        f"A model cannot be sent to another process: {error}",
        "Define its class in a module, give it as file.py:factory, or use one device.",
    )


class Inline:
    """A pool of one worker that works whenever the run waits for it."""

    size = 1

    def __init__(self, workshop: WorkerRuntime) -> None:
        self._workshop = workshop
        self._queue: deque[Task] = deque()

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        return self._workshop.plan(preparing)

    def free(self) -> Sequence[int]:
        return (0,) if len(self._queue) < TASKS_PER_WORKER else ()

    def give(self, worker: int, task: Task) -> None:
        del worker
        self._queue.append(task)
        self._workshop.fetch(task)

    def wait(self, seconds: float | None) -> Sequence[TaskFinished]:
        del seconds
        task = self._queue.popleft()
        return [TaskFinished(task, self._workshop.work(task).done)]

    def close(self) -> None:
        pass
