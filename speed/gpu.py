"""PGD-50 and the corruption kernels on a GPU, in images a second: python speed/gpu.py --out speed/results/NAME.json

PGD runs against torchattacks' loop and a bare one on networks of random weights, which are as fast as trained ones. Two
radii bracket what a trained network does: at one nobody is beaten, so that everybody takes all 50 steps, at the other
nearly everybody is, early. Ours is timed in float32 and on a twin in the precision of --twin, whose successes the
float32 network confirms; all runs are judged afterwards by the float32 network. TF32 is off for all.

Needs torch, timm, numpy and Pillow only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from peers import bare_pgd
from robustbench_eff import corruptions
from robustbench_eff.attacks import PGD, Oracle
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.rng import RandomStreams, global_generators
from robustbench_eff.corruptions import Kernel
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, IMAGENET_C_EXTRA
from robustbench_eff.system import environment

NETWORKS = ("efficientnet_b0", "resnet50", "vit_base_patch16_224")
STEPS, SEVERITY = 50, 3
RADII = {"nobody is beaten": 1e-7, "most are beaten": 4 / 255}


def main() -> None:
    """Measure and print; JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--twin", default="bfloat16", choices=("bfloat16", "float16"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    words = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with plain_float32(torch.device(words.device)):
        for row in (*corrupted(words), *(row for name in words.networks for row in attacked(name, words))):
            rows.append(row)
            print(row, flush=True)
    if words.out is not None:
        facts = {name: value for name, value in environment.describe().items() if name != "command"}
        gpu = torch.cuda.get_device_name(words.device) if words.device.startswith("cuda") else None
        facts |= {"gpu": gpu, "images": words.images, "batch_size": words.batch_size}
        words.out.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")


class Normalised(nn.Module):
    """A network of random weights that takes pixels in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        with global_generators(0, name):
            self.model = timm.create_model(name, num_classes=1000)
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model((images - self.mean) / self.std)
        return logits


def attacked(name: str, words: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each radius and each way to run PGD, timed in turn."""
    model = Normalised(name).eval().to(words.device)
    images = RandomStreams.of(0, range(words.images), words.device).uniform((3, 224, 224), stream="images")
    labels = predicted(model, images, words.batch_size)
    for radius, eps in RADII.items():
        attack = PGD(eps=eps, steps=STEPS, random_start=False)

        def ours(twin: str | None, attack: PGD = attack) -> Callable[[], Tensor]:
            oracle = Oracle(model, batch_size=words.batch_size, precision=twin)  # type: ignore[arg-type]
            return lambda: attack(oracle, images, labels)

        runs: dict[str, Callable[[], Tensor]] = {
            "torchattacks' loop": partial(torchattacks_loop, model, images, labels, eps, words.batch_size),
            "bare loop": bare_pgd(model, images, labels, eps, STEPS, words.batch_size),
            "ours, float32": ours("float32"),
            f"ours, {words.twin} and referee": ours(words.twin),
        }
        seconds, right = timed(runs, words), dict[str, float]()
        for run, found in runs.items():
            same = predicted(model, found(), words.batch_size) == labels
            right[run] = same.float().mean().item()
        for run in runs:
            yield {
                "network": name,
                "radius": radius,
                "run": run,
                "images_per_second": round(words.images / seconds[run], 1),
                "times_torchattacks": round(seconds["torchattacks' loop"] / seconds[run], 3),
                "right": right[run],
            }


def torchattacks_loop(model: nn.Module, images: Tensor, labels: Tensor, eps: float, batch_size: int) -> Tensor:
    """PGD as torchattacks 3.5 runs it: every sample of a batch takes every step, parameters are not frozen."""
    step, found = 2.5 * eps / STEPS, []
    for part, wanted in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        current = part.clone().detach()
        for _ in range(STEPS):
            current.requires_grad = True
            (gradient,) = torch.autograd.grad(functional.cross_entropy(model(current), wanted), current)
            moved = current.detach() + step * gradient.sign()
            current = (part + (moved - part).clamp(-eps, eps)).clamp(0, 1).detach()
        found.append(current)
    return torch.cat(found)


def corrupted(words: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Images a second of every kernel of ImageNet-C at 224 pixels."""
    draws = RandomStreams.of(0, range(words.batch_size), words.device)
    noise = RandomStreams.of(0, range(words.batch_size), words.device).uniform((224, 224, 3), stream="pixels")
    pixels = (noise * 255).to(torch.uint8)
    for name in IMAGENET_C + IMAGENET_C_EXTRA:
        kernel: Kernel[Any] = getattr(corruptions, name.upper())
        changed = kernel.at(SEVERITY)

        def run(changed: Callable[..., Tensor] = changed) -> Tensor:
            return changed(pixels, draws)

        (seconds,) = timed({name: run}, words).values()
        yield {"corruption": name, "severity": SEVERITY, "images_per_second": round(words.batch_size / seconds, 1)}


def timed(runs: dict[str, Callable[[], Tensor]], words: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each, run in turn after a first round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(words.repeats + 1):
        for name, run in runs.items():
            wait(words.device)
            began = time.perf_counter()
            run()
            wait(words.device)
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(found[1:]) for name, found in seconds.items()}


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def predicted(model: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in images.split(batch_size)])


if __name__ == "__main__":
    main()
