"""Throughput of PGD-50 and the corruptions on a GPU, in images per second: python speed/gpu.py --out FILE.json

PGD is compared with torchattacks' loop and a minimal one on networks with random weights, which are as fast as trained
ones. Two radii bracket a trained network: at one no sample is misclassified, so that all take 50 steps; at the other
nearly all are misclassified early. Ours is timed in float32 and on a low-precision copy (--precision), whose successes
the float32 network confirms; afterwards the float32 network judges all results. TF32 is always off.

Needs torch, timm, numpy and Pillow only.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import timm
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

import record
from peers import bare_pgd
from robustbench_eff import corruptions
from robustbench_eff.attacks import PGD, Oracle
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.rng import RandomStreams, global_generators
from robustbench_eff.corruptions import Kernel
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, IMAGENET_C_EXTRA

NETWORKS = ("efficientnet_b0", "resnet50", "vit_base_patch16_224")
STEPS, SEVERITY = 50, 3
RADII = {"none misclassified": 1e-7, "most misclassified": 4 / 255}


def main() -> None:
    """Measure and print; JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precision", default="bfloat16", choices=("bfloat16", "float16"))
    parser.add_argument("--repeats", type=int, default=3)
    record.add_option(parser)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with plain_float32(torch.device(arguments.device)):
        for row in (*corrupted(arguments), *(row for name in arguments.networks for row in attacked(name, arguments))):
            rows.append(row)
            print(row, flush=True)
    if arguments.out is not None:
        gpu = torch.cuda.get_device_name(arguments.device) if arguments.device.startswith("cuda") else None
        facts = {"gpu": gpu, "images": arguments.images, "batch_size": arguments.batch_size}
        record.write(arguments.out, facts | {"rows": rows})


class Normalised(nn.Module):
    """A network with random weights that accepts pixels in [0, 1]."""

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


def attacked(name: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each radius and each implementation of PGD, timed in turn."""
    model = Normalised(name).eval().to(arguments.device)
    images = RandomStreams.of(0, range(arguments.images), arguments.device).uniform((3, 224, 224), stream="images")
    labels = predicted(model, images, arguments.batch_size)
    for radius, eps in RADII.items():
        attack = PGD(eps=eps, steps=STEPS, random_start=False)

        def ours(precision: str | None, attack: PGD = attack) -> Callable[[], Tensor]:
            oracle = Oracle(model, batch_size=arguments.batch_size, precision=precision)  # type: ignore[arg-type]
            return lambda: attack(oracle, images, labels)

        runs: dict[str, Callable[[], Tensor]] = {
            "torchattacks' loop": partial(torchattacks_loop, model, images, labels, eps, arguments.batch_size),
            "bare loop": bare_pgd(model, images, labels, eps, STEPS, arguments.batch_size),
            "ours, float32": ours("float32"),
            f"ours, {arguments.precision} and referee": ours(arguments.precision),
        }
        seconds, right = timed(runs, arguments), dict[str, float]()
        for run, attack_images in runs.items():
            same = predicted(model, attack_images(), arguments.batch_size) == labels
            right[run] = same.float().mean().item()
        for run in runs:
            yield {
                "network": name,
                "radius": radius,
                "run": run,
                "images_per_second": round(arguments.images / seconds[run], 1),
                "times_torchattacks": round(seconds["torchattacks' loop"] / seconds[run], 3),
                "right": right[run],
            }


def torchattacks_loop(model: nn.Module, images: Tensor, labels: Tensor, eps: float, batch_size: int) -> Tensor:
    """Run PGD as torchattacks 3.5 does: every sample takes every step, and the parameters are not frozen."""
    step, parts = 2.5 * eps / STEPS, []
    for part, wanted in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        current = part.clone().detach()
        for _ in range(STEPS):
            current.requires_grad = True
            (gradient,) = torch.autograd.grad(functional.cross_entropy(model(current), wanted), current)
            moved = current.detach() + step * gradient.sign()
            current = (part + (moved - part).clamp(-eps, eps)).clamp(0, 1).detach()
        parts.append(current)
    return torch.cat(parts)


def corrupted(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the throughput of every ImageNet-C corruption at 224 pixels, in images per second."""
    draws = RandomStreams.of(0, range(arguments.batch_size), arguments.device)
    noise = RandomStreams.of(0, range(arguments.batch_size), arguments.device).uniform((224, 224, 3), stream="pixels")
    pixels = (noise * 255).to(torch.uint8)
    for name in IMAGENET_C + IMAGENET_C_EXTRA:
        kernel: Kernel[Any] = getattr(corruptions, name.upper())
        changed = kernel.at(SEVERITY)

        def run(changed: Callable[..., Tensor] = changed) -> Tensor:
            return changed(pixels, draws)

        (seconds,) = timed({name: run}, arguments).values()
        yield {"corruption": name, "severity": SEVERITY, "images_per_second": round(arguments.batch_size / seconds, 1)}


def timed(runs: dict[str, Callable[[], Tensor]], arguments: argparse.Namespace) -> dict[str, float]:
    """Return the median seconds of each function, called in turn after one warm-up round."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(arguments.repeats + 1):
        for name, run in runs.items():
            wait(arguments.device)
            start = time.perf_counter()
            run()
            wait(arguments.device)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def predicted(model: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in images.split(batch_size)])


if __name__ == "__main__":
    main()
