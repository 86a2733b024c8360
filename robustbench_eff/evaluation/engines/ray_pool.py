"""The engine with one Ray actor per worker, on an existing cluster or on one that is started on this machine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from robustbench_eff.core.batching import cuda_error_message
from robustbench_eff.core.errors import EvaluationError, MissingExtra, RobustEvalError, UsageError

from ..failures import FailedShard
from ..plan import Plan, Task
from ..shard_columns import ShardResult
from .inline import WorkerRuntime, cannot_be_sent
from .pool import MAX_DEATHS, TASKS_PER_WORKER, Advanced, WorkerLost
from .ray_connection import connect
from .store_writer import TaskFinished

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError as error:
    raise MissingExtra("ray", "ray") from error

LOGGER = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Opening = Callable[[str], WorkerRuntime]
"""Function that makes the runtime of a worker on a device."""
RESOURCES = {"cpu": ("CPU",), "cuda": ("GPU", "CPU")}
"""Ray resources of which a worker takes one each, by device."""
FREE_TIMEOUT_SECONDS = 60.0
"""Longest wait for free resources. Ray releases those of a killed driver only once it has noticed its death."""
FREE_NOTICE_SECONDS = 5.0
"""Seconds of waiting after which a message is logged, once."""
FREE_POLL_SECONDS = 0.5
"""Seconds between two checks for free resources."""


class _Worker:
    """The actor of a worker. `join` makes its runtime, so that missing inputs are raised like any other error."""

    def __init__(self, opening: Callable[[], WorkerRuntime], settling: Callable[[], None], folder: str) -> None:
        if Path(folder).is_dir():
            os.chdir(folder)  # relative paths of the command start there, if this node has the folder
        settling()
        self._opening = opening

    def join(self) -> None:
        self._runtime = _call_reporting_device_failure(self._opening)

    def plan(self) -> Plan:
        return _call_reporting_device_failure(self._runtime.plan)

    def fetch(self, task: Task) -> None:
        self._runtime.fetch(task)

    def work(self, task: Task) -> ShardResult | FailedShard:
        return _call_reporting_device_failure(lambda: self._runtime.work(task).to_result())


def _call_reporting_device_failure(function: Callable[[], Answer]) -> Answer:
    """Call a function; raise a device failure by itself, because Ray does not transmit the causes of an error."""
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
    """Reference to the result of `join`; None once the worker is ready."""
    tasks: dict[Any, Task] = field(default_factory=dict)
    """Tasks by the reference to their result, in the order in which they were given."""


class RayCluster:
    """A pool of actors that each take a GPU or a core; a lost actor is replaced once the cluster has room for it."""

    def __init__(
        self,
        opening: Opening,
        settling: Callable[[], None],
        device: str,
        workers: int | None,
        address: str | None,
    ) -> None:
        """Connect to the cluster and start the actors.

        Args:
            opening: Function that makes the runtime of a worker on a device.
            settling: Function that every actor calls first.
            device: `cpu`, `cuda`, or `auto`, which means `cuda` on a cluster with a GPU.
            workers: Number of workers; by default as many as the cluster has room for. With a number, workers without
                room start as soon as there is some.
            address: Address of the cluster; None starts one on this machine.

        Raises:
            UsageError: If the cluster cannot be reached, does not have the resources of a worker, or none becomes free
                within `FREE_TIMEOUT_SECONDS`.
            ModelError: If a model cannot be sent to another process.
        """
        self._owns_connection = not ray.is_initialized()
        if self._owns_connection:
            connect(address)
        try:
            device = resolve_device(device)
            self.size = wait_for_room(device) if workers is None else workers
            needs: dict[str, Any] = {"num_cpus": 1, "num_gpus": int(device == "cuda")}
            remote: Any = ray.remote(**needs, concurrency_groups={"ahead": 1})(_Worker)
            self._start = partial(remote.remote, _shared(partial(opening, device)), settling, str(Path.cwd()))
        except RobustEvalError:
            self._disconnect()
            raise
        self._actors: dict[int, _Actor] = {}
        self._num_started = 0
        for _ in range(self.size):
            self._start_actor()

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        """Return the plan that the first ready worker makes. See `Pool`.

        Args:
            preparing: Ignored: the images are decoded on another machine.

        Raises:
            EvaluationError: If too many workers die while they start, or the worker that makes the plan dies.
        """
        del preparing
        deaths = 0
        while True:
            for event in self.wait(None):
                assert isinstance(event, WorkerLost)
                deaths += 1
                if deaths >= self.size + MAX_DEATHS - 1:  # a node that leaves takes many workers with it
                    raise EvaluationError(f"{deaths} Ray workers died while they started: {event.why}.")
            for actor in self._actors.values():
                if actor.joining is None:
                    try:
                        plan: Plan = _result(actor.handle.plan.remote())
                    except RayError as error:
                        why = _described(error)
                        raise EvaluationError(f"The Ray worker that made the plan died: {why}.") from error
                    return plan

    def free(self) -> Sequence[int]:
        """See `Pool`."""
        able = [
            index for index, actor in self._actors.items() if not actor.joining and len(actor.tasks) < TASKS_PER_WORKER
        ]
        return sorted(able, key=lambda index: len(self._actors[index].tasks))

    def give(self, worker: int, task: Task) -> None:
        """See `Pool`.

        Args:
            worker: See `Pool`.
            task: See `Pool`.
        """
        actor, shared_task = self._actors[worker], ray.put(task)
        actor.handle.fetch.options(concurrency_group="ahead").remote(shared_task)
        actor.tasks[actor.handle.work.remote(shared_task)] = task

    def wait(self, seconds: float | None, advanced: Advanced | None = None) -> Sequence[TaskFinished | WorkerLost]:
        """See `Pool`.

        Args:
            seconds: See `Pool`.
            advanced: Ignored: nothing is known of a task on another machine until it is finished.
        """
        del advanced
        awaited = {reference: index for index, actor in self._actors.items() for reference in actor.tasks}
        awaited |= {actor.joining: index for index, actor in self._actors.items() if actor.joining is not None}
        ready, _ = ray.wait(list(awaited), timeout=seconds)
        events = [self._event(awaited[reference], reference) for reference in ready]
        return [event for event in events if event is not None]

    def close(self) -> None:
        """See `Pool`."""
        for actor in self._actors.values():
            ray.kill(actor.handle)
        self._disconnect()

    def _event(self, index: int, reference: Any) -> TaskFinished | WorkerLost | None:
        """Return the event that a finished call means; None for a worker that has become ready."""
        actor = self._actors[index]
        try:
            result = _result(reference)
        except RayError as error:
            del self._actors[index]
            ray.kill(actor.handle)
            self._start_actor()
            return WorkerLost(index, list(actor.tasks.values()), _described(error))
        if reference == actor.joining:
            actor.joining = None
            return None
        return TaskFinished(actor.tasks.pop(reference), lambda: result, result.passes)

    def _start_actor(self) -> None:
        handle = self._start()
        self._actors[self._num_started] = _Actor(handle, handle.join.remote())
        self._num_started += 1

    def _disconnect(self) -> None:
        if self._owns_connection:
            ray.shutdown()


def resolve_device(device: str) -> str:
    """Return `cuda` or `cpu` for `auto`; the cluster's resources decide, whether they are free or not.

    A run that is resumed while a killed driver still holds the GPUs would otherwise evaluate other cells, because the
    precision of the CPU differs.

    Args:
        device: `auto`, `cpu` or `cuda`.
    """
    if device != "auto":
        return device
    return "cuda" if _lacking(ray.cluster_resources(), "cuda") is None else "cpu"


def wait_for_room(device: str) -> int:
    """Return how many workers the cluster has room for; wait until it has room for one.

    Args:
        device: `cpu` or `cuda`.

    Raises:
        UsageError: At once if the cluster does not have the resources of a worker at all; else if they are not free
            within `FREE_TIMEOUT_SECONDS`.
    """
    if (lacking := _lacking(ray.cluster_resources(), device)) is not None:
        raise UsageError(
            f"The Ray cluster does not have a {lacking}.",
            "Use another --device, or --workers N for a cluster that grows.",
        )
    began, logged = time.monotonic(), False
    while (lacking := _lacking(available := ray.available_resources(), device)) is not None:
        waited = time.monotonic() - began
        if waited > FREE_TIMEOUT_SECONDS:
            raise UsageError(
                f"All {lacking}s of the Ray cluster were in use for {FREE_TIMEOUT_SECONDS:.0f} s.",
                "Wait until other jobs of the cluster end, use another --device, or --workers N to queue for N.",
            )
        if waited > FREE_NOTICE_SECONDS and not logged:
            logged = True
            LOGGER.warning("Waiting for a free %s of the Ray cluster, %.0f s at most.", lacking, FREE_TIMEOUT_SECONDS)
        time.sleep(FREE_POLL_SECONDS)
    return min(int(available[name]) for name in RESOURCES[device])


def _lacking(resources: Mapping[str, float], device: str) -> str | None:
    """Return the first resource of which there is not enough for a worker; None if a worker fits."""
    return next((name for name in RESOURCES[device] if resources.get(name, 0) < 1), None)


def _shared(opening: Callable[[], WorkerRuntime]) -> Any:
    """Return a reference that every actor reads; the weights of modules travel with it, once to each node."""
    try:
        return ray.put(opening)
    except TypeError as error:
        raise cannot_be_sent(error) from error


def _result(reference: Any) -> Any:
    """Return the result of a call, or raise its error; RayError means that the worker is lost."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if cuda_error_message(error.cause) is not None:
            raise RayError(str(error.cause)) from error  # a worker without a device counts as lost
        if isinstance(error.cause, RayError):  # the original error cannot be pickled
            raise EvaluationError(f"A Ray worker failed: {error.cause}") from error
        raise error.cause from error


def _described(error: RayError) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"
