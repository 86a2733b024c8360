"""The engine with one process per worker, on the devices of this machine."""

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
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple

from robustbench_eff.core import progress
from robustbench_eff.core.batching import cuda_error_message
from robustbench_eff.core.errors import EvaluationError, RobustEvalError, RobustEvalWarning
from robustbench_eff.core.shortages import NO_MEMORY_HINT, shortage
from robustbench_eff.system.child_processes import safe_path

from ..plan import Plan, Task
from ..shard_columns import ShardColumns
from .inline import WorkerRuntime, cannot_be_sent
from .pool import TASKS_PER_WORKER, Advanced, PassCounter, WorkerLost
from .store_writer import TaskFinished

SPAWN = multiprocessing.get_context("spawn")
"""Start method of the processes: a forked process cannot use a GPU."""
EXIT_SECONDS = 2
"""Seconds that a terminated worker gets to exit before it is killed."""

Opening = Callable[[], WorkerRuntime]
"""Function that makes the runtime of a worker inside its process."""


class _Message(NamedTuple):
    """What a worker sends to the process of the run."""

    kind: str
    """preparing, report, plan, advanced, done, warning, error, or device_failed."""
    content: Any


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    tasks: list[Task] = field(default_factory=list)

    def send(self, message: bytes) -> None:
        """Send a pickled message. A dead worker is ignored here and reported by `wait`."""
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(message)


class _DeviceFailed(Exception):
    """The device of a worker has failed, and the worker exits."""


class Processes:
    """A pool with one process per worker; a process that dies is replaced."""

    def __init__(self, openings: Sequence[Opening], settling: Callable[[], None]) -> None:
        """Start the processes.

        Args:
            openings: One function per worker that makes its runtime inside the process.
            settling: Function that every process calls first.

        Raises:
            ModelError: If a model cannot be sent to another process.
        """
        self.size = len(openings)
        self._settling = settling
        self._openings = [_pickled(opening) for opening in openings]
        self._workers = [self._start_process() for _ in openings]
        for worker, opening in zip(self._workers, self._openings, strict=True):
            worker.send(opening)

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        """Return the plan that the first worker makes. See `Pool`.

        Args:
            preparing: See `Pool`.

        Raises:
            EvaluationError: If the first worker dies, or its device fails.
        """
        try:
            self._workers[0].send(pickle.dumps(None))
            while True:
                match self._receive(0):
                    case "preparing", step:
                        preparing(*step)
                    case "report", step:
                        progress.report(*step)
                    case "plan", plan:
                        return plan  # type: ignore[no-any-return]
        except _DeviceFailed as error:
            raise EvaluationError(f"The device of the first worker failed while it made the plan: {error}.") from error
        except (EOFError, OSError) as error:
            cause = self._cause_of_death(0, error)
            hint = "In a script, call evaluate under `if __name__ == '__main__':`, which new processes do not run."
            if cause == "killed by SIGKILL":
                hint = f"Most likely the system ran out of memory. {NO_MEMORY_HINT}"
            raise EvaluationError(f"The first worker died while it made the plan ({cause}).", hint) from error

    def free(self) -> Sequence[int]:
        """See `Pool`."""
        able = [index for index, worker in enumerate(self._workers) if len(worker.tasks) < TASKS_PER_WORKER]
        return sorted(able, key=lambda index: len(self._workers[index].tasks))

    def give(self, worker: int, task: Task) -> None:
        """See `Pool`.

        Args:
            worker: See `Pool`.
            task: See `Pool`.
        """
        self._workers[worker].tasks.append(task)
        self._workers[worker].send(pickle.dumps(task))

    def wait(self, seconds: float | None, advanced: Advanced) -> Sequence[TaskFinished | WorkerLost]:
        """Return at most one event, so that the error of one worker does not discard the outcomes of another.

        Args:
            seconds: See `Pool`.
            advanced: See `Pool`.
        """
        pipes = {worker.pipe: index for index, worker in enumerate(self._workers)}
        for pipe in wait(list(pipes), seconds)[:1]:
            event = self._event(pipes[pipe], advanced)  # type: ignore[index]
            return [] if event is None else [event]
        return []

    def close(self) -> None:
        """See `Pool`."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(EXIT_SECONDS)
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()

    def _event(self, index: int, advanced: Advanced) -> TaskFinished | WorkerLost | None:
        """Return the event that a worker's next message means; None for a message that is not an event."""
        worker = self._workers[index]
        try:
            message = self._receive(index)
        except (EOFError, OSError, _DeviceFailed) as error:
            lost = WorkerLost(index, worker.tasks, self._cause_of_death(index, error))
            worker.pipe.close()
            worker.process.kill()  # a worker whose device has failed may never exit
            self._workers[index] = self._start_process()
            self._workers[index].send(self._openings[index])
            return lost
        if message.kind == "advanced":
            advanced(worker.tasks[0], message.content)
        if message.kind != "done":
            return None
        return TaskFinished(worker.tasks.pop(0), lambda: message.content, message.content.passes)

    def _receive(self, index: int) -> _Message:
        """Return a worker's next message; repeat its warnings and raise its errors.

        Raises EOFError if the worker is dead, and _DeviceFailed if it exits because its device has failed.
        """
        message = _Message(*pickle.loads(self._workers[index].pipe.recv_bytes()))
        match message:
            case "device_failed", failure:
                raise _DeviceFailed(failure)
            case "error", error:
                raise error
            case "warning", (text, category):
                warnings.warn(text, category, stacklevel=2)
        return message

    def _start_process(self) -> _Worker:
        """Start a process that waits for its opening.

        The opening is sent afterwards: as an argument of the process, it would block the start for ever if the process
        died before it had read all of it.
        """
        own_end, worker_end = SPAWN.Pipe()
        process = SPAWN.Process(target=_serve, args=(worker_end, self._settling), daemon=True)
        with safe_path():
            process.start()
        worker_end.close()  # so that the pipe closes with the process
        return _Worker(process, own_end)

    def _cause_of_death(self, index: int, error: Exception) -> str:
        if isinstance(error, _DeviceFailed):
            return str(error)
        process = self._workers[index].process
        process.join()
        code = process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _pickled(opening: Opening) -> bytes:
    """Pickle an opening once for all processes that are started with it; it contains the weights of modules."""
    try:
        return pickle.dumps(opening)
    except (pickle.PicklingError, AttributeError, TypeError, RuntimeError) as error:  # RuntimeError: TorchScript
        raise cannot_be_sent(error) from error


def _serve(pipe: Connection, settling: Callable[[], None]) -> None:
    """Run a worker: read the opening, then compute one task after the other.

    One thread fetches the images of the next task meanwhile, another sends the outcomes of the last.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the one of the run stops its workers
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    sys.stdout = sys.stderr  # a user's model may print, and stdout is reserved for the result
    settling()
    with ThreadPoolExecutor(1) as sender:

        def send(kind: str, content: Any) -> None:
            sender.submit(_send, pipe, kind, content)

        def send_warning(message: Warning | str, category: type[Warning], *location: Any) -> None:
            del location
            sent = RobustEvalWarning if issubclass(category, RobustEvalWarning) else UserWarning
            send("warning", (str(message), sent))

        warnings.showwarning = send_warning  # type: ignore[assignment]
        try:
            runtime: WorkerRuntime = pickle.loads(pipe.recv_bytes())()
            tasks: queue.SimpleQueue[Task | type[EOFError] | None] = queue.SimpleQueue()
            threading.Thread(target=_listen, args=(pipe, runtime, tasks), daemon=True).start()
            while (task := tasks.get()) is not EOFError:
                if isinstance(task, Task):
                    with progress.passes_told(PassCounter(partial(send, "advanced"))):
                        done = runtime.work(task)
                    send("done", done)
                else:
                    with progress.reported_to(lambda *step: send("report", step)):
                        send("plan", runtime.plan(lambda *step: send("preparing", step)))
        except Exception as error:  # noqa: BLE001, the process of the run raises it, whatever it is
            failure = cuda_error_message(error)
            send("error", _sendable(error)) if failure is None else send("device_failed", failure)


def _listen(pipe: Connection, runtime: WorkerRuntime, tasks: queue.SimpleQueue[Any]) -> None:
    """Queue incoming tasks (None asks for the plan), and start to fetch their images."""
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            tasks.put(EOFError)
            return
        tasks.put(task)
        if task is not None:
            runtime.fetch(task)


def _send(pipe: Connection, kind: str, content: Any) -> None:
    """Send a message, with outcomes in the form that is stored; if that fails, send the error instead."""
    try:
        message = pickle.dumps((kind, content.to_result() if isinstance(content, ShardColumns) else content))
    except Exception as error:  # noqa: BLE001, the process of the run waits for an answer
        message = pickle.dumps(("error", _sendable(error)))
    pipe.send_bytes(message)


def _sendable(error: Exception) -> Exception:
    """Return an error that another process can unpickle: this package's errors as they are, of others the text."""
    if isinstance(error, RobustEvalError) and type(error).__module__.startswith("robustbench_eff."):
        return error
    if isinstance(error, RobustEvalError):
        return EvaluationError(error.message, error.hint)
    if (lack := shortage(error)) is not None:
        return EvaluationError(f"In a worker: {lack.message}", lack.hint)
    return RuntimeError(f"in a worker: {''.join(traceback.format_exception(error))}")


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
