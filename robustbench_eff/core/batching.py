"""Queries cut into batches that fit into memory."""

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
"""What is said of a lack of memory by the CPU's allocator, the driver and cuBLAS."""


@dataclass(slots=True)
class Batches:
    """How many samples a model takes at once; halved for good whenever memory runs out."""

    size: int

    def map(self, function: Callable[..., Answer], *tensors: Tensor) -> list[Answer]:
        """`function` of every batch of the tensors, in order; an empty batch is asked for once.

        Raises EvaluationError when a single sample does not fit.
        """
        answers: list[Answer] = []
        start, stop = 0, len(tensors[0])
        while start < stop or not answers:
            try:
                answers.append(function(*(tensor[start : start + self.size] for tensor in tensors)))
                start += self.size
            except (RuntimeError, EvaluationError) as error:  # of which torch.OutOfMemoryError is one
                if not out_of_memory(error):
                    raise
                self._halve(min(self.size, stop - start), error)
        return answers

    def cat_map(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """The answers as one tensor, copied only if there are several."""
        parts = self.map(function, *tensors)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _halve(self, tried: int, error: Exception) -> None:
        if tried <= 1:
            raise EvaluationError(
                "Memory is too small for one sample of this model.",
                "Use a smaller model or input size, or --device cpu.",
            ) from error
        self.size = tried // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        warnings.warn(
            f"Memory ran out: going on with batches of {self.size}. No outcome changes.",
            RobustEvalWarning,
            stacklevel=2,
        )


def cuda_error_message(error: BaseException | None) -> str | None:
    """What a GPU's driver said when it gave up, after which a process can use no GPU; None where it did not."""
    if out_of_memory(error):
        return None
    return next((str(link).partition("\n")[0] for link in _chain(error) if str(link).startswith("CUDA error")), None)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error is, or comes of, a lack of memory: torch has a class for that of GPUs, and sentences."""
    return any(
        isinstance(link, torch.OutOfMemoryError)
        or (isinstance(link, RuntimeError) and any(words in str(link) for words in OOM_MESSAGES))
        for link in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__
