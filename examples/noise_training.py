"""Train the small network of the shipped digits classifiers on images with Gaussian noise, so that it can be certified.

    python examples/noise_training.py --sigma 0.25 --out noise.safetensors
    robust-eval certify --model examples/noise_training.py:build --weights noise.safetensors --input-size 32 \
        --benchmark digits --sigma 0.25 --n 1000

Source: Cohen, Rosenfeld & Kolter 2019, arXiv:1902.02918, section 3.3.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from robustbench_eff.benchmarks.definitions.digits import open_digits
from robustbench_eff.models.small_cnn import SmallCNN


def build() -> SmallCNN:
    """Return the network, for `--model examples/noise_training.py:build`."""
    return SmallCNN().eval()


def train(sigma: float, epochs: int, batch_size: int = 64, seed: int = 0) -> SmallCNN:
    """Return a network trained on the digits with noise of this standard deviation.

    Args:
        sigma: Standard deviation of the noise, in units of [0, 1] pixels.
        epochs: Passes over the training split.
        batch_size: Images per update.
        seed: Seed of the initialization, the order and the noise.
    """
    torch.manual_seed(seed)
    digits = open_digits("train")
    pixels = np.stack([digits.read(position) for position in range(len(digits.labels))])
    images, labels = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, torch.tensor(digits.labels)
    network = SmallCNN().train()
    steps = epochs * -(-len(images) // batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(batch_size):
            noisy = images[rows] + sigma * torch.randn_like(images[rows])
            loss = nn.functional.cross_entropy(network(noisy), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sigma", type=float, default=0.25)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("noise.safetensors"))
    arguments = parser.parse_args()
    save_file(train(arguments.sigma, arguments.epochs).state_dict(), arguments.out)


if __name__ == "__main__":
    main()
