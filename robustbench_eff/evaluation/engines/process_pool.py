"""One process for each worker, on the devices of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from robustbench_eff.core.batching import cuda_error_message
from robustbench_eff.core.errors import EvaluationError, RobustEvalError, RobustEvalWarning

from ..plan import Plan, Task
from ..worker import ShardColumns
from .dispatch import TASKS_PER_WORKER, WorkerLost
from .inline import WorkerRuntime, cannot_be_sent
from .store_writer import TaskFinished

SPAWN = multiprocessing.get_context("spawn")
"""A forked process cannot use a GPU."""

Opening = Callable[[], WorkerRuntime]


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    tasks: list[Task] = field(default_factory=list)

    def send(self, message: bytes) -> None:
        """Say something pickled; who died does not hear it, and `wait` hears of that."""
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(message)


class _Broken(Exception):
    """A worker says that its device has failed, and ends."""


class Processes:
    """A pool with a process for each of `openings`, which make their workshops there.

    A process that dies is replaced. Raises ModelError where a model cannot be sent to another process.
    """

    def __init__(self, openings: Sequence[Opening], settling: Callable[[], None]) -> None:
        """`settling` is what a process does before anything else."""
        self.size = len(openings)
        self._settling = settling
        self._openings = [_pickled(opening) for opening in openings]
        self._workers = [self._started() for _ in openings]
        for worker, opening in zip(self._workers, self._openings, strict=True):
            worker.send(opening)

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        try:
            self._workers[0].send(pickle.dumps(None))
            while True:
                match self._next(0):
                    case "preparing", step:
                        preparing(*step)
                    case "plan", plan:
                        return plan  # type: ignore[no-any-return]
        except _Broken as error:
            raise EvaluationError(f"The device of the first worker failed while it made the plan: {error}.") from error
        except (EOFError, OSError) as error:
            raise EvaluationError(
                f"The first worker died while it made the plan ({self._end_of(0, error)}).",
                "In a script, call evaluate under `if __name__ == '__main__':`, which new processes do not run.",
            ) from error

    def free(self) -> Sequence[int]:
        able = [number for number, worker in enumerate(self._workers) if len(worker.tasks) < TASKS_PER_WORKER]
        return sorted(able, key=lambda number: len(self._workers[number].tasks))

    def give(self, worker: int, task: Task) -> None:
        self._workers[worker].tasks.append(task)
        self._workers[worker].send(pickle.dumps(task))

    def wait(self, seconds: float | None) -> Sequence[TaskFinished | WorkerLost]:
        pipes = {worker.pipe: number for number, worker in enumerate(self._workers)}
        for pipe in wait(list(pipes), seconds)[:1]:  # one, so that an error of the next does not take its answer along
            event = self._heard(pipes[pipe])  # type: ignore[index]
            return [] if event is None else [event]
        return []

    def close(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(2)
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()

    def _heard(self, number: int) -> TaskFinished | WorkerLost | None:
        worker = self._workers[number]
        try:
            what, found = self._next(number)
        except (EOFError, OSError, _Broken) as error:
            lost = WorkerLost(number, worker.tasks, self._end_of(number, error))
            worker.pipe.close()
            worker.process.kill()  # whose device has failed may never come to an end
            self._workers[number] = self._started()
            self._workers[number].send(self._openings[number])
            return lost
        return TaskFinished(worker.tasks.pop(0), lambda: found) if what == "done" else None

    def _next(self, number: int) -> tuple[str, Any]:
        """What a worker says; its warnings are given here, its errors raised. EOFError if it is dead, _Broken if it
        ends."""
        what, found = pickle.loads(self._workers[number].pipe.recv_bytes())
        if what == "broken":
            raise _Broken(found)
        if what == "error":
            raise found
        if what == "warning":
            text, category = found
            warnings.warn(text, category, stacklevel=2)
        return what, found

    def _started(self) -> _Worker:
        """A process that waits for its opening. That does not go along with the start, which would wait for ever where
        a process dies before it has read all of it."""
        here, there = SPAWN.Pipe()
        process = SPAWN.Process(target=_serve, args=(there, self._settling), daemon=True)
        process.start()
        there.close()  # so that the pipe ends with the process
        return _Worker(process, here)

    def _end_of(self, number: int, error: Exception) -> str:
        if isinstance(error, _Broken):
            return str(error)
        process = self._workers[number].process
        process.join()
        code = process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _pickled(opening: Opening) -> bytes:
    """Plainly, so that it can be read as often as workers are started; the weights of a model travel along."""
    try:
        return pickle.dumps(opening)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise cannot_be_sent(error) from error


def _serve(pipe: Connection, settling: Callable[[], None]) -> None:
    """What a worker's process does: one task after the other, while the images of the next are fetched and the
    outcomes of the last are sent. What opens its workshop is read first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who gave the tasks decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout = sys.stderr  # a model of the user may print; stdout is for the result
    settling()
    with ThreadPoolExecutor(1) as speaking:

        def say(what: str, found: Any) -> None:
            speaking.submit(_send, pipe, what, found)

        def warn(message: Warning | str, category: type[Warning], *where: Any) -> None:
            del where
            ours = issubclass(category, RobustEvalWarning)
            say("warning", (str(message), RobustEvalWarning if ours else UserWarning))

        warnings.showwarning = warn  # type: ignore[assignment]
        try:
            workshop: WorkerRuntime = pickle.loads(pipe.recv_bytes())()
            tasks: queue.SimpleQueue[Task | type[EOFError] | None] = queue.SimpleQueue()
            threading.Thread(target=_listen, args=(pipe, workshop, tasks), daemon=True).start()
            while (task := tasks.get()) is not EOFError:
                if isinstance(task, Task):
                    say("done", workshop.work(task))
                else:
                    say("plan", workshop.plan(lambda *step: say("preparing", step)))
        except Exception as error:  # noqa: BLE001, whatever it is, it belongs to who gave the task
            failure = cuda_error_message(error)
            say("error", _readable(error)) if failure is None else say("broken", failure)


def _listen(pipe: Connection, workshop: WorkerRuntime, tasks: queue.SimpleQueue[Any]) -> None:
    """Queue what is asked for, and begin to fetch its images, while another task is worked on."""
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            tasks.put(EOFError)
            return
        tasks.put(task)
        if task is not None:
            workshop.fetch(task)


def _send(pipe: Connection, what: str, found: Any) -> None:
    """Say what was found, answers in the form in which they are stored; or what went wrong with that."""
    try:
        message = pickle.dumps((what, found.done() if isinstance(found, ShardColumns) else found))
    except Exception as error:  # noqa: BLE001, whoever waits for the answer must hear of it
        message = pickle.dumps(("error", _readable(error)))
    pipe.send_bytes(message)


def _readable(error: Exception) -> Exception:
    """An error that the other process can read: ours as they are, of others the text."""
    if isinstance(error, RobustEvalError) and type(error).__module__.startswith("robustbench_eff."):
        return error
    if isinstance(error, RobustEvalError):
        return EvaluationError(error.message, error.hint)
    return RuntimeError(f"in a worker: {''.join(traceback.format_exception(error))}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
