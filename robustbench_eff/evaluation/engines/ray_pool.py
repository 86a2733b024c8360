"""Workers as actors on a Ray cluster: one that is there, or one that is started on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from robustbench_eff.core.batching import cuda_error_message
from robustbench_eff.core.errors import EvaluationError, MissingExtra, RobustEvalError, UsageError

from ..plan import Plan, Task
from ..worker import ShardResult
from .dispatch import MAX_DEATHS, TASKS_PER_WORKER, WorkerLost
from .inline import WorkerRuntime, cannot_be_sent
from .store_writer import TaskFinished

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError as error:
    raise MissingExtra("ray", "ray") from error

Answer = TypeVar("Answer")
Opening = Callable[[str], WorkerRuntime]
"""A workshop on a device."""


class _Worker:
    """What an actor does. Its workshop is opened by a call, so that what is missing is raised like any other error."""

    def __init__(self, opening: Callable[[], WorkerRuntime], settling: Callable[[], None], folder: str) -> None:
        if Path(folder).is_dir():
            os.chdir(folder)  # where the paths of the command begin, if this node has it
        settling()
        self._opening = opening

    def join(self) -> None:
        self._workshop = _call_reporting_device_failure(self._opening)

    def plan(self) -> Plan:
        return _call_reporting_device_failure(self._workshop.plan)

    def fetch(self, task: Task) -> None:
        self._workshop.fetch(task)

    def work(self, task: Task) -> ShardResult:
        return _call_reporting_device_failure(lambda: self._workshop.work(task).done())


def _call_reporting_device_failure(function: Callable[[], Answer]) -> Answer:
    """What a function gives. That a device failed is raised by itself, since causes do not travel."""
    try:
        return function()
    except Exception as error:
        if (failure := cuda_error_message(error)) is not None:
            raise RuntimeError(failure) from error
        raise


@dataclass(slots=True)
class _Actor:
    handle: Any
    joining: Any
    """Reference to the answer of `join`; None once it is there."""
    tasks: dict[Any, Task] = field(default_factory=dict)
    """By the reference to the answer, in the order they were given."""


class RayCluster:
    """A pool of actors that each take a GPU, or a core; one that is lost is replaced as soon as there is room for it.

    Raises UsageError where the cluster cannot be reached or has no room for a worker.
    """

    def __init__(
        self,
        opening: Opening,
        settling: Callable[[], None],
        device: str,
        workers: int | None,
        address: str | None,
    ) -> None:
        """`device` is auto, cpu or cuda; `workers` are as many as there is room for now unless said.

        `settling` is what each does first.
        """
        self._mine = not ray.is_initialized()
        if self._mine:
            _connect(address)
        try:
            room = ray.available_resources() if workers is None else ray.cluster_resources()
            if device == "auto":
                device = "cuda" if room.get("GPU", 0) >= 1 else "cpu"
            resource = "GPU" if device == "cuda" else "CPU"
            self.size = workers or int(room.get(resource, 0))
            if not self.size:
                raise UsageError(
                    f"The Ray cluster has no {resource} to spare now.",
                    "Use --device, or --workers N for one that grows.",
                )
            needs: dict[str, Any] = {"num_cpus": 1, "num_gpus": int(device == "cuda")}
            remote: Any = ray.remote(**needs, concurrency_groups={"ahead": 1})(_Worker)
            self._start = partial(remote.remote, _shared(partial(opening, device)), settling, str(Path.cwd()))
        except RobustEvalError:
            self._leave()
            raise
        self._actors: dict[int, _Actor] = {}
        self._started = 0
        for _ in range(self.size):
            self._add()

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        del preparing  # it happens elsewhere
        deaths = 0
        while True:
            for event in self.wait(None):
                assert isinstance(event, WorkerLost)
                deaths += 1
                if deaths >= self.size + MAX_DEATHS - 1:  # a node that goes takes many along
                    raise EvaluationError(f"{deaths} Ray workers died of their start: {event.why}.")
            for actor in self._actors.values():
                if actor.joining is None:
                    try:
                        plan: Plan = _answer(actor.handle.plan.remote())
                    except RayError as error:
                        raise EvaluationError(f"The Ray worker that made the plan died: {_of(error)}.") from error
                    return plan

    def free(self) -> Sequence[int]:
        able = [
            number
            for number, actor in self._actors.items()
            if not actor.joining and len(actor.tasks) < TASKS_PER_WORKER
        ]
        return sorted(able, key=lambda number: len(self._actors[number].tasks))

    def give(self, worker: int, task: Task) -> None:
        actor, there = self._actors[worker], ray.put(task)
        actor.handle.fetch.options(concurrency_group="ahead").remote(there)
        actor.tasks[actor.handle.work.remote(there)] = task

    def wait(self, seconds: float | None) -> Sequence[TaskFinished | WorkerLost]:
        awaited = {reference: number for number, actor in self._actors.items() for reference in actor.tasks}
        awaited |= {actor.joining: number for number, actor in self._actors.items() if actor.joining is not None}
        ready, _ = ray.wait(list(awaited), timeout=seconds)
        events = [self._heard(awaited[reference], reference) for reference in ready]
        return [event for event in events if event is not None]

    def close(self) -> None:
        for actor in self._actors.values():
            ray.kill(actor.handle)
        self._leave()

    def _heard(self, number: int, reference: Any) -> TaskFinished | WorkerLost | None:
        actor = self._actors[number]
        try:
            done = _answer(reference)
        except RayError as error:
            del self._actors[number]
            ray.kill(actor.handle)
            self._add()
            return WorkerLost(number, list(actor.tasks.values()), _of(error))
        if reference == actor.joining:
            actor.joining = None
            return None
        return TaskFinished(actor.tasks.pop(reference), lambda: done)

    def _add(self) -> None:
        handle = self._start()
        self._actors[self._started] = _Actor(handle, handle.join.remote())
        self._started += 1

    def _leave(self) -> None:
        if self._mine:
            ray.shutdown()


def _connect(address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        if address is None:
            ray.init("local", include_dashboard=False, logging_level=logging.ERROR)
        else:
            ray.init(address=address, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address is None:
            raise UsageError(f"Ray cannot be started here: {error}", "Leave out --engine ray.") from error
        raise UsageError(
            f"No Ray cluster at {address}: {error}", "Start one with `ray start --head`, or leave out --ray-address."
        ) from error


def _shared(opening: Callable[[], WorkerRuntime]) -> Any:
    """A reference that every actor reads; the weights of a model travel along, once to a node."""
    try:
        return ray.put(opening)
    except TypeError as error:
        raise cannot_be_sent(error) from error


def _answer(reference: Any) -> Any:
    """What a call gave; what it raised is raised here as it was, RayError where nobody answers any more."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if cuda_error_message(error.cause) is not None:
            raise RayError(str(error.cause)) from error  # who has no device is as good as dead
        if isinstance(error.cause, RayError):  # what it raised cannot be sent
            raise EvaluationError(f"A Ray worker failed: {error.cause}") from error
        raise error.cause from error


def _of(error: RayError) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"
