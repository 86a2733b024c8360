"""Networks whose gradients mislead, around the shipped one, for tests."""

from __future__ import annotations

import torch
from torch import nn

from robustbench_eff import load_classifier


class Quantised(nn.Module):
    """Pixels are rounded to 16 levels: the gradient is zero everywhere (shattered)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body((images * 15).round() / 15)


class Tampered(nn.Module):
    """Logits a thousand times as large: in float32 the softmax is exactly 0 or 1, and cross-entropy has no slope."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 1000 * self.body(images)


class Randomised(nn.Module):
    """Noise on the pixels, another one each time."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images + 0.1 * torch.randn(images.shape, generator=self.generator))


def masked(kind: type[nn.Module]) -> nn.Module:
    """The shipped digits network behind a mask."""
    return kind(load_classifier("digits_standard")).eval()
