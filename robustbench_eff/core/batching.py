"""Batches of a size that fits into memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from . import progress
from .errors import EvaluationError, RobustEvalWarning, reason
from .shortages import chain, out_of_memory

Answer = TypeVar("Answer")


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
            except (RuntimeError, MemoryError, OSError, EvaluationError) as error:  # torch's error is a RuntimeError
                if not out_of_memory(error):
                    raise
                self._halve(min(self.size, stop - start), error)
        return answers

    def cat_map(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """Return the answers of a network as one tensor; a single batch is not copied.

        Args:
            function: The network, called with one batch of every tensor.
            *tensors: Tensors with the same number of samples as their first dimension.

        Raises:
            EvaluationError: A single sample, or a batch of fixed size, does not fit into memory.
        """

        def told(*batch: Tensor) -> Tensor:
            answer = function(*batch)
            progress.passed(len(batch[0]))
            return answer

        results = self.map(told, *tensors)
        return results[0] if len(results) == 1 else torch.cat(results)

    def _halve(self, tried: int, error: Exception) -> None:
        if self.is_fixed:
            raise EvaluationError(
                f"Memory is too small for a batch of {tried} images, and another size would give other outcomes.",
                "Choose a smaller size with --adapt, which makes another protocol, or --device cpu.",
            ) from error
        if tried <= 1:
            *_, root = chain(error)
            raise EvaluationError(
                f"Memory is too small for one sample of this model ({reason(root)}).",
                "Use a smaller model or input size, fewer --workers, or another --device.",
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
    return next((str(cause).partition("\n")[0] for cause in chain(error) if str(cause).startswith("CUDA error")), None)
