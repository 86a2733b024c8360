"""Run a reader on a file under a limit of time and of memory, in a process of its own: what hangs is stopped."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from robustbench_eff.core.errors import RobustEvalError

CPU_SECONDS = 15
"""Time of a processor that a file may take."""
SECONDS = 60.0
"""Time that it may take with what it waits for, on a busy machine."""
MEMORY_BYTES = 1200 * 2**20
"""Memory that a file may take beyond what the libraries take."""


def outcome(work: Callable[[], str]) -> str:
    """What became of a piece of work: its result, `error: ...`, `foreign: ...`, `hung`, or `died of signal N`."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.write(writing, json.dumps(_result(work)).encode())
        os._exit(0)
    os.close(writing)
    try:
        return _answer(reading, child)
    finally:
        os.close(reading)


def _answer(reading: int, child: int) -> str:
    content, end = b"", time.monotonic() + SECONDS
    while select.select([reading], [], [], max(0, end - time.monotonic()))[0]:
        part = os.read(reading, 65536)
        if not part:
            status = os.waitpid(child, 0)[1]
            if content:
                return json.loads(content)
            signalled = -os.waitstatus_to_exitcode(status)
            return "hung" if signalled == signal.SIGXCPU else f"died of signal {signalled}"
        content += part
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def _result(work: Callable[[], str]) -> str:
    try:
        return work()[:2000]
    except RobustEvalError as error:
        return f"error: {str(error)[:2000]}"
    except BaseException as error:  # noqa: BLE001  whatever a reader lets through is the finding
        return f"foreign: {type(error).__name__}: {str(error)[:200]} {traceback.format_tb(error.__traceback__)[-1]}"


def limit_memory() -> None:
    """Let this process take little more memory and time than it has."""
    used = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
    limit = used * 1024 + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + CPU_SECONDS,) * 2)


def main(works: Mapping[str, Callable[[], str]]) -> None:
    """Print what became of every piece of work, as one JSON object."""
    json.dump({name: outcome(work) for name, work in works.items()}, sys.stdout)
