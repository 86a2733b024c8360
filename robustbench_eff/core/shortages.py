"""Shortages of the machine: errors that mean that memory, threads or file descriptors have run out.

Nothing is imported here that itself needs memory: the errors of torch are known by their names and messages.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from .errors import EvaluationError, RobustEvalError

OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "bad_alloc",
    "could not create a primitive",
    "could not create a memory",
    "_status_alloc_failed",
    "memory allocation error",
)
"""Parts of messages in small letters: of CUDA, MPS and XPU; of torch's CPU allocator; of the C library; of the CPU
allocator on Windows; of C++; of oneDNN, twice; of cuBLAS and cuDNN; of MKL."""
NO_THREAD = "can't start new thread"
NOT_MAPPED = "failed to map segment from shared object"
"""Message of the dynamic linker when a library does not fit into the address space."""
NO_MEMORY_HINT = (
    "Try a smaller --batch-size and --shard-size, or fewer --workers. What is finished is kept: repeat the command."
)


def out_of_memory(error: BaseException | None) -> bool:
    """Return True if an error is, or was caused by, a lack of memory.

    GPUs and Python have errors of their own for it; elsewhere only the message tells.

    Args:
        error: Exception, whose causes are searched too.
    """
    return any(map(_is_lack_of_memory, chain(error)))


def shortage(error: BaseException) -> RobustEvalError | None:
    """Return an error that says what has run out, or None if nothing has.

    Args:
        error: Exception, whose causes are searched too.
    """
    if out_of_memory(error):
        return EvaluationError("Memory ran out.", NO_MEMORY_HINT)
    for cause in chain(error):
        if NO_THREAD in str(cause):
            return EvaluationError(
                "The system refuses another thread.",
                "Raise the limit (`ulimit -u`, or the pids limit of the container), or use fewer --workers and set "
                "OMP_NUM_THREADS=1.",
            )
        if isinstance(cause, ImportError | OSError) and NOT_MAPPED in str(cause):
            return EvaluationError(
                f"The system refuses the memory for a library: {cause}.",
                "Raise the limit of the address space (`ulimit -v unlimited`, or the memory of the job). Where none is "
                "set, the file system of the library is mounted with noexec: install the package elsewhere.",
            )
        too_many = isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE)
        if too_many or "Too many open files" in str(cause):
            return EvaluationError(
                "The system refuses another open file.",
                "Raise the limit (`ulimit -n 1024`), or use fewer --workers. What is finished is kept.",
            )
    return None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes.

    Args:
        error: Exception, or None for nothing.
    """
    while error is not None:
        yield error
        error = error.__cause__


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in message for words in OUT_OF_MEMORY)
