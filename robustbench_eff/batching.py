"""Queries cut into batches that fit into memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from robustbench_eff.errors import EvaluationError, RobustEvalWarning

Answer = TypeVar("Answer")


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
            except RuntimeError as error:  # of which torch.OutOfMemoryError is one
                if not out_of_memory(error):
                    raise
                self._halve(min(self.size, stop - start), error)
        return answers

    def joined(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """The answers as one tensor, copied only if there are several."""
        parts = self.map(function, *tensors)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _halve(self, tried: int, error: RuntimeError) -> None:
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


def device_failed(error: BaseException | None) -> bool:
    """Whether a GPU's driver gave up, after which a process can use none of them; a lack of memory is no such end."""
    while error is not None:
        if (
            isinstance(error, RuntimeError)
            and str(error).startswith("CUDA error")
            and "out of memory" not in str(error)
        ):
            return True
        error = error.__cause__
    return False


def out_of_memory(error: Exception) -> bool:
    """CUDA has an error class of its own, the CPU's allocator only a sentence."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
