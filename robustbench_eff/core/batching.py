"""Batches of a size that fits into memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from .errors import EvaluationError, RobustEvalWarning

Answer = TypeVar("Answer")
OOM_MESSAGES = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Out-of-memory messages of the CPU's allocator, the GPU driver and cuBLAS."""


@dataclass(slots=True)
class Batches:
    """The batch size of a model; halved permanently whenever memory runs out, unless it is fixed."""

    size: int
    """Number of samples in a batch, at least 1."""
    is_fixed: bool = False
    """Whether outcomes depend on the size, so that it is never changed."""

    def map(self, function: Callable[..., Answer], *tensors: Tensor) -> list[Answer]:
        """Return the results of a function for every batch, in order.

        Args:
            function: Called with one batch of every tensor; once with empty batches if there are no samples.
            *tensors: Tensors with the same number of samples as their first dimension.

        Raises:
            EvaluationError: A single sample, or a batch of fixed size, does not fit into memory.
        """
        answers: list[Answer] = []
        start, stop = 0, len(tensors[0])
        while start < stop or not answers:
            try:
                answers.append(function(*(tensor[start : start + self.size] for tensor in tensors)))
                start += self.size
            except (RuntimeError, EvaluationError) as error:  # torch.OutOfMemoryError is a RuntimeError
                if not out_of_memory(error):
                    raise
                self._halve(min(self.size, stop - start), error)
        return answers

    def cat_map(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """Return the results of a function as one tensor; a single batch is not copied.

        Args:
            function: Called with one batch of every tensor.
            *tensors: Tensors with the same number of samples as their first dimension.

        Raises:
            EvaluationError: A single sample, or a batch of fixed size, does not fit into memory.
        """
        results = self.map(function, *tensors)
        return results[0] if len(results) == 1 else torch.cat(results)

    def _halve(self, tried: int, error: Exception) -> None:
        if self.is_fixed:
            raise EvaluationError(
                f"Memory is too small for a batch of {tried} images, and another size would give other outcomes.",
                "Choose a smaller size with --adapt, which makes another protocol, or --device cpu.",
            ) from error
        if tried <= 1:
            raise EvaluationError(
                "Memory is too small for one sample of this model.",
                "Use a smaller model or input size, or --device cpu.",
            ) from error
        self.size = tried // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        warnings.warn(
            f"Memory ran out: continuing with batches of {self.size}. No outcome changes.",
            RobustEvalWarning,
            stacklevel=2,
        )


def cuda_error_message(error: BaseException | None) -> str | None:
    """Return the message of a CUDA error, after which this process cannot use a GPU again.

    Args:
        error: Exception, whose causes are searched too.

    Returns:
        The first line of the message, or None if the error is not one of CUDA, or only a lack of memory.
    """
    if out_of_memory(error):
        return None
    return next((str(cause).partition("\n")[0] for cause in _chain(error) if str(cause).startswith("CUDA error")), None)


def out_of_memory(error: BaseException | None) -> bool:
    """Return True if an error is, or was caused by, a lack of memory.

    Torch raises `OutOfMemoryError` for GPUs; elsewhere only the message tells.

    Args:
        error: Exception, whose causes are searched too.
    """
    return any(
        isinstance(cause, torch.OutOfMemoryError)
        or (isinstance(cause, RuntimeError) and any(message in str(cause) for message in OOM_MESSAGES))
        for cause in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__
