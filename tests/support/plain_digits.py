"""The digits, the shipped network and PGD written out in plain torch: the independent loop of tests.

Nothing here uses the package; only the file of weights is the shipped one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import Tensor, nn

WEIGHTS = Path(__file__).parents[2] / "defenses" / "checkpoints" / "digits_standard.safetensors"
WIDTH = 12
EPS, STEPS = 12 / 255, 5
PGD = f"pgd(eps={EPS * 255:.0f}/255, steps={STEPS}, random_start=false)"
"""The attack that `robust_under_pgd` is."""

Forward = Callable[[Tensor], Tensor]


class Normalise(nn.Module):
    """From [0, 1] to [-1, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        return (images - 0.5) / 0.5


class Average(nn.Module):
    """The mean over all positions."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))


def base() -> nn.Sequential:
    """The shipped network as one `nn.Sequential` that takes pixels in [0, 1], in eval mode."""
    layers: list[nn.Module] = []
    sizes = [
        (3, WIDTH, 2),
        (WIDTH, WIDTH, 1),
        (WIDTH, 2 * WIDTH, 2),
        (2 * WIDTH, 2 * WIDTH, 1),
        (2 * WIDTH, 4 * WIDTH, 2),
    ]
    for inputs, outputs, stride in sizes:
        layers += [nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    head = nn.Linear(4 * WIDTH, 10)
    network = nn.Sequential(Normalise(), *layers, Average(), head)
    stored = load_file(WEIGHTS)
    convolutions = {key: value for key, value in stored.items() if key.startswith("features")}
    head.load_state_dict({"weight": stored["classifier.weight"], "bias": stored["classifier.bias"]})
    for key, value in convolutions.items():
        _, block, part, name = key.split(".")
        getattr(network[1 + 3 * int(block) + int(part)], name).data.copy_(value)
    return network.eval()


@cache
def images_and_labels(count: int = 64) -> tuple[Tensor, Tensor]:
    """The first images of the test split, float32 (count, 3, 32, 32) in [0, 1], and their labels."""
    scans = load_digits()
    order = sorted(range(1797), key=lambda row: hashlib.blake2b(f"digits/{row}".encode()).digest())
    rows = sorted(order[1437:])[:count]
    small = [Image.fromarray(np.round(scans.images[row] * (255 / 16)).astype(np.uint8)) for row in rows]
    large = np.stack([np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC)) for image in small])
    pixels = torch.tensor(large, dtype=torch.float32)[:, None].repeat(1, 3, 1, 1) / 255
    return pixels, torch.tensor(scans.target[rows])


def predictions(forward: Forward, images: Tensor) -> Tensor:
    """The class of every image."""
    with torch.no_grad():
        return forward(images).argmax(1)


def robust_under_pgd(forward: Forward, images: Tensor, labels: Tensor, eps: float = EPS, steps: int = STEPS) -> Tensor:
    """Which samples are right, and stay right at every iterate of PGD from the clean image; bool (N,)."""
    robust = predictions(forward, images) == labels
    current = images.clone()
    for _ in range(steps):
        current = current.detach().requires_grad_()
        loss = nn.functional.cross_entropy(forward(current), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, current)
        moved = current.detach() + 2.5 * eps / steps * gradient.sign()
        current = torch.minimum(torch.maximum(moved, images - eps), images + eps).clamp(0, 1)
        robust &= predictions(forward, current) == labels
    return robust
