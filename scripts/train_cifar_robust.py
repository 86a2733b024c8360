"""Train an adversarially robust CIFAR-10 network for parity and speed runs: python scripts/train_cifar_robust.py.

    python scripts/train_cifar_robust.py --data cifar10_train.npz --out resnet18_w16_robust.safetensors

Fast adversarial training (Wong, Rice & Kolter 2020, arXiv:2001.03994): FGSM from a random start, step 1.25 epsilon,
on a ResNet-18 of width 16. The network serves as a test subject, not as a defense: see `defenses` for recipes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as functional
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))

from networks import resnet18
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.registry.build_benchmark import benchmark
from robustbench_eff.registry.open_benchmark import open_location

EPS, STEP = 8 / 255, 10 / 255


def main() -> None:
    """Train, print the robust accuracy on the training batches, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help="labelled CIFAR-10 training images, in any form that --data accepts"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--width", type=int, default=16)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    row = benchmark("cifar10", arguments.data)
    images = prepare(row, open_location(arguments.data, "train"), Geometry(size=32, mode="none"))
    x, y = images.batch(0, len(images))
    model = resnet18(arguments.width).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = arguments.epochs * (len(x) // 128)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=steps, pct_start=0.3)
    for epoch in range(arguments.epochs):
        start_time, num_seen, num_correct = time.monotonic(), 0, 0
        for rows in torch.randperm(len(x)).split(128):
            if len(rows) < 128:
                continue
            clean, labels = _augmented(x[rows]), y[rows]
            start = (clean + EPS * (2 * torch.rand_like(clean) - 1)).clamp(0, 1).requires_grad_(True)
            with torch.autocast("cpu", torch.bfloat16):
                loss = functional.cross_entropy(model(start), labels)
            (gradient,) = torch.autograd.grad(loss, start)
            moved = (start + STEP * gradient.sign()).detach()
            attacked = torch.clamp(moved, clean - EPS, clean + EPS).clamp(0, 1)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(attacked.contiguous(memory_format=torch.channels_last))
                loss = functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            num_seen += len(rows)
            num_correct += int((logits.argmax(1) == labels).sum())
        print(
            f"epoch {epoch}: {num_correct / num_seen:.3f} robust accuracy, {time.monotonic() - start_time:.0f} s",
            flush=True,
        )
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, arguments.out)


def _augmented(images: torch.Tensor) -> torch.Tensor:
    """Flip each image with probability 1/2, and crop the batch at one random offset after padding by four pixels."""
    flipped = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images)
    top, left = (int(n) for n in torch.randint(0, 9, (2,)))
    padded = functional.pad(flipped, (4, 4, 4, 4))
    return padded[:, :, top : top + 32, left : left + 32].contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
