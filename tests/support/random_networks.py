"""Networks that draw random numbers in their forward pass, around the shipped one, for tests."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from robustbench_eff import load_classifier


class Drawing(nn.Module):
    """A network behind a random change of its images; `source` is a generator of its own, or None."""

    def __init__(self, change: Callable[[Drawing, torch.Tensor], torch.Tensor], source: object = None) -> None:
        super().__init__()
        self.body = load_classifier("digits_standard")
        self.change = change
        self.source = source

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(self.change(self, images))


def noisy(sigma: float) -> nn.Module:
    """Gaussian noise of torch's global generator on the pixels."""
    return Drawing(lambda _, images: images + sigma * torch.randn_like(images)).eval()


def _resized(_: Drawing, images: torch.Tensor) -> torch.Tensor:
    """Random resizing and padding (Xie et al. 2018, arXiv:1711.01991), one draw for a batch."""
    size = int(torch.randint(26, 33, ()))
    left, top = (int(torch.randint(0, 33 - size, ())) for _ in range(2))
    small = nn.functional.interpolate(images, size=size, mode="bilinear")
    return nn.functional.pad(small, (left, 32 - size - left, top, 32 - size - top))


_HIDDEN = torch.Generator()

KINDS: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "noise": (lambda: noisy(0.3), False),
    "dropout left on": (
        lambda: Drawing(lambda _, images: nn.functional.dropout(images, 0.3, training=True)).eval(),
        False,
    ),
    "noise of numpy": (
        lambda: Drawing(lambda _, images: images + torch.from_numpy(np.random.randn(*images.shape)).float()).eval(),
        False,
    ),
    "a shift of python": (lambda: Drawing(lambda _, images: images + random.random()).eval(), True),
    "a generator of its own": (
        lambda: Drawing(
            lambda net, images: images + torch.randn(images.shape, generator=net.source), torch.Generator()
        ).eval(),
        False,
    ),
    "numpy's own generator": (
        lambda: Drawing(lambda net, images: images + float(net.source.random()), np.random.default_rng(0)).eval(),
        True,
    ),
    "a hidden generator": (
        lambda: Drawing(lambda _, images: images + torch.randn(images.shape, generator=_HIDDEN)).eval(),
        False,
    ),
    "random resizing and padding": (lambda: Drawing(_resized).eval(), True),
    "one of two members": (
        lambda: Drawing(lambda _, images: images if random.random() < 0.5 else images.flip(3)).eval(),
        True,
    ),
    "a member that is rarely chosen": (
        lambda: Drawing(lambda _, images: images.flip(3) if random.random() < 0.01 else images).eval(),
        True,
    ),
}
"""Networks that draw, by name, and whether all images of a batch share the draws."""
