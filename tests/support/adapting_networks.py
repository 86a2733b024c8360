"""Small networks that depend on the batch or adapt, and plain loops that evaluate them without the package's stream."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from robustbench_eff.benchmarks.definitions.digits import open_digits

SIZE = 32


def digits(samples: int) -> tuple[Tensor, np.ndarray]:
    """The first test digits as the benchmark shows them, float32 in [0, 1], and their labels."""
    opened = open_digits("test")
    pixels = np.stack([opened.read(row) for row in range(samples)])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, np.array(opened.labels[:samples])


class Normed(nn.Module):
    """A small network with batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 12, 5, 2), nn.BatchNorm2d(12)
        self.conv2, self.bn2 = nn.Conv2d(12, 24, 3, 2), nn.BatchNorm2d(24)
        self.head = nn.Linear(24, 10)

    def forward(self, images: Tensor) -> Tensor:
        inner = functional.relu(self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(images))))))
        return self.head(inner.mean((2, 3)))


def trained() -> Normed:
    """The network after one pass over the training digits, which makes it better than chance, in eval mode."""
    opened = open_digits("train")
    images = torch.from_numpy(np.stack([opened.read(row) for row in range(len(opened))])).permute(0, 3, 1, 2) / 255
    labels, network = torch.tensor(opened.labels), Normed()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for start in range(0, len(images), 32):
        loss = functional.cross_entropy(network(images[start : start + 32]), labels[start : start + 32])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


class SelfAdapting(nn.Module):
    """A user's network that learns in its forward: parameters, a buffer, an optimizer and a Python counter change."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.track_running_stats, module.running_mean, module.running_var = False, None, None
        self.register_buffer("mean_logits", torch.zeros(10))
        self.optimizer = torch.optim.Adam([network.bn1.weight, network.bn2.bias], lr=0.05)
        self.batches = 0

    def forward(self, images: Tensor) -> Tensor:
        with torch.enable_grad():
            logits = self.network(images)
            entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
            self.optimizer.zero_grad()
            entropy.backward()
            self.optimizer.step()
        self.batches += 1
        with torch.no_grad():
            self.mean_logits.mul_(0.9).add_(logits.mean(0), alpha=0.1)
            return logits.detach() - self.mean_logits / self.batches


def loop(network: nn.Module, images: Tensor, size: int, *, episodic: bool = False) -> list[int]:
    """Predictions of a copy of the network, batch after batch; episodic starts each batch from the network as it is."""
    running, predictions = copy.deepcopy(network), []
    for start in range(0, len(images), size):
        if episodic:
            running = copy.deepcopy(network)
        with torch.no_grad():
            predictions += running(images[start : start + size]).argmax(1).tolist()
    return predictions


def batch_norm_loop(network: nn.Module, images: Tensor, size: int) -> list[int]:
    """Predictions with the statistics of each batch, in train mode and without any gradient: BN-1."""
    running, predictions = copy.deepcopy(network).train(), []
    for start in range(0, len(images), size):
        with torch.no_grad():
            predictions += running(images[start : start + size]).argmax(1).tolist()
    return predictions


def tent_loop(network: nn.Module, images: Tensor, size: int, *, lr: float = 1e-3, episodic: bool = False) -> list[int]:
    """Predictions of TENT as its paper describes it: train mode, Adam on the scales and shifts of batch norms."""
    predictions: list[int] = []
    running, optimizer = _tent(network, lr)
    for start in range(0, len(images), size):
        if episodic:
            running, optimizer = _tent(network, lr)
        logits = running(images[start : start + size])
        probabilities = torch.softmax(logits, 1)
        loss = -(probabilities * torch.log_softmax(logits, 1)).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        predictions += logits.argmax(1).tolist()
    return predictions


def _tent(network: nn.Module, lr: float) -> tuple[nn.Module, torch.optim.Optimizer]:
    running = copy.deepcopy(network).train()
    norms = [module for module in running.modules() if isinstance(module, nn.BatchNorm2d)]
    return running, torch.optim.Adam([value for norm in norms for value in (norm.weight, norm.bias)], lr=lr)
