"""Small networks with fixed features and a head that is solved for, and attacks on them in plain torch.

Nothing here uses the package's classifier, oracle or attacks: it is what they are compared with.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustbench_eff.benchmarks.definitions.digits import open_digits


def grey_digits(split: str, count: int) -> tuple[Tensor, Tensor]:
    """The first digits of a split as grey images (N, 1, 32, 32) in [0, 1], and their labels."""
    opened = open_digits(split)
    pixels = torch.stack([torch.from_numpy(opened.read(row).copy()) for row in range(count)])
    return pixels[..., :1].permute(0, 3, 1, 2).float() / 255, torch.tensor(opened.labels[:count])


class Features(nn.Module):
    """A convolution of fixed random filters, ReLU, pooling, and a linear head."""

    def __init__(self, channels: int = 1, outputs: int = 10, size: tuple[int, int] = (32, 32)) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.conv = nn.Conv2d(channels, 12, 5, stride=2, padding=2)
        nn.init.normal_(self.conv.weight, std=0.3 / channels, generator=generator)
        nn.init.normal_(self.conv.bias, std=0.1, generator=generator)
        self.relu, self.pool = nn.ReLU(), nn.AvgPool2d(2)
        self.head = nn.Linear(12 * (size[0] // 4) * (size[1] // 4), outputs)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(self.relu(self.conv(images))).flatten(1))


def solved(network: Features, images: Tensor, targets: Tensor, ridge: float = 3.0) -> Features:
    """The network in eval mode with the head of a ridge regression of the targets on its features."""
    head, network.head = network.head, nn.Identity()
    with torch.no_grad():
        features = network(images).double()
        features = torch.cat((features, torch.ones(len(features), 1)), 1)
        penalty = ridge * torch.eye(features.shape[1])
        solution = torch.linalg.solve(features.T @ features + penalty, features.T @ targets.double())
        head.weight.copy_(solution[:-1].T)
        head.bias.copy_(solution[-1])
    network.head = head
    return network.eval()


def digits_network(channels: int = 1, **options) -> Features:
    """A network for digits whose images have equal channels: 90 % of its answers are right."""
    images, labels = grey_digits("train", 800)
    targets = 10 * nn.functional.one_hot(labels, 10).float()
    return solved(Features(channels, **options), images.expand(-1, channels, -1, -1), targets)


def parity_network() -> Features:
    """A network with one output, the logit of odd digits."""
    images, labels = grey_digits("train", 800)
    return solved(Features(1, outputs=1), images, 10 * (labels % 2).float()[:, None] - 5)


def l2_survivors(
    logits: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, eps: float, steps: int = 25
) -> Tensor:
    """Which samples stay right under projected gradient descent in an L2 ball, from the clean image."""
    current, right = images.clone(), logits(images).argmax(1) == labels
    for _ in range(steps):
        current.requires_grad_(True)
        loss = nn.functional.cross_entropy(logits(current), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, current)
        with torch.no_grad():
            unit = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-20)[:, None, None, None]
            delta = current + 2.5 * eps / steps * unit - images
            length = delta.flatten(1).norm(dim=1).clamp_min(1e-20)[:, None, None, None]
            current = (images + delta * (eps / length).clamp_max(1)).clamp(0, 1)
            right &= logits(current).argmax(1) == labels
    return right
