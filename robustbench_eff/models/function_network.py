"""FunctionNetwork: a Python function from images to logits as a module; it may compute with NumPy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from robustbench_eff.core.types import Images

NUMPY, TORCH = "ndarray", "tensor"
"""Parts of the annotations of arrays and of tensors."""


class FunctionNetwork(nn.Module):
    """A function whose parameter holds the images: a NumPy array if it is annotated as one, else a tensor."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Wrap a function.

        Args:
            function: Maps float32 images, shape (batch, channels, height, width), to logits: a tensor, an array, or a
                container of tensors that `core.outputs` can read.
        """
        super().__init__()
        self.function = function
        self.original_name = str(getattr(function, "__qualname__", type(function).__qualname__))
        self.takes_array = NUMPY in _annotation_of_images(function)
        self.outside_torch = "NumPy" if self.takes_array else ""
        self.eval()

    def forward(self, images: Images) -> Any:
        """Return what the function returns, an array as a tensor.

        Args:
            images: Normalized images, float32.
        """
        output = self.function(images.detach().cpu().numpy() if self.takes_array else images)
        return torch.from_numpy(output).to(images.device) if isinstance(output, np.ndarray) else output


def takes_images(function: Callable[..., Any]) -> bool:
    """Return whether a function is itself a network, and not what builds one.

    It is if it has one parameter without a default, and this is called `images` or annotated as a tensor or an array.

    Args:
        function: Function without arguments given.
    """
    needed = _needed(function)
    if len(needed) != 1:
        return False
    annotation = _annotation_of_images(function)
    return needed[0].name == "images" or NUMPY in annotation or TORCH in annotation


def _annotation_of_images(function: Callable[..., Any]) -> str:
    needed = _needed(function)
    return "" if not needed or needed[0].annotation is inspect.Parameter.empty else str(needed[0].annotation).lower()


def _needed(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that must be given; none where a function of C does not tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [item for item in parameters if item.kind in positional and item.default is inspect.Parameter.empty]
