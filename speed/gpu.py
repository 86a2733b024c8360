"""What a GPU makes of attacks and corruptions, in one run of less than 8 minutes: python speed/gpu.py --out FILE.json

1. Steps: kernels and host waits beyond the network's, and time in bare passes, for the attacks that take steps; with
   the arithmetic compiled and not, on the network itself and on its low-precision copies.
2. PGD-50 against torchattacks' loop and a minimal one on networks with random weights, which are as fast as trained
   ones. Two radii bracket a trained network: at one no sample is misclassified, so that all take 50 steps; at the other
   nearly all are misclassified early. Ours is timed in float32, where TF32 is off, and on a low-precision copy, whose
   successes the float32 network confirms; afterwards the float32 network judges all results. `bare loop, TF32` shows
   what TF32 would save.
3. Images per second of every corruption at 224 pixels.

No part starts after --minutes. Needs torch, timm, numpy and Pillow only. A rehearsal without a GPU, in which kernels
and waits are zero: --device cpu --quick
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
from step_counts import step_rows

NETWORKS = ("resnet50", "vit_base_patch16_224", "efficientnet_b0")
QUICK_NETWORK = "test_resnet.r160_in1k"
"""timm's smallest ResNet."""
STEPS, QUICK_STEPS, SEVERITY = 50, 4, 3
RADII = {"none misclassified": 1e-7, "most misclassified": 4 / 255}


def main() -> None:
    """Measure and print; JSON with --out, after every row, so that an interrupted run leaves its results."""
    arguments = _arguments()
    device = torch.device(arguments.device)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    facts = {"gpu": gpu, "images": arguments.images, "batch_size": arguments.batch_size}
    rows: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60 * arguments.minutes
    with plain_float32(device):
        for part in (
            _steps(arguments),
            *(attacked(name, arguments) for name in arguments.networks),
            corrupted(arguments),
        ):
            if time.monotonic() > deadline:
                print(f"stopped after {arguments.minutes} minutes")
                break
            for row in part:
                rows.append(row)
                print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
                if arguments.out is not None:
                    record.write(arguments.out, facts | {"rows": rows})
    print("\n".join(table(rows)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precisions", nargs="+", default=["bfloat16", "float16"], help="of the copies")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--quick", action="store_true", help="a small network and few images: a rehearsal")
    record.add_option(parser)
    arguments = parser.parse_args()
    arguments.side, arguments.steps = 224, STEPS
    if arguments.quick:
        arguments.networks, arguments.images, arguments.batch_size = (QUICK_NETWORK,), 8, 8
        arguments.repeats, arguments.side, arguments.steps = 1, 32, QUICK_STEPS
    return arguments


def _steps(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the rows of `step_counts` for the first network, at a quarter of the batch size."""
    model = Normalised(arguments.networks[0]).eval().to(arguments.device)
    images = _noise(max(4, arguments.batch_size // 4), arguments)
    precisions = [] if arguments.quick else arguments.precisions
    yield from step_rows(model, images, predicted(model, images, arguments.batch_size), precisions)


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table of the steps.

    Args:
        rows: All rows; others than those of steps are skipped.
    """
    yield f"{'attack':16} {'precision':10} {'compiled':9} {'kernels':>8} {'waits':>7} {'ms':>8} {'of a bare pass':>15}"
    for row in rows:
        if "kernels_beyond" in row:
            yield (
                f"{row['attack']:16} {row['precision']:10} {row['compiled']!s:9} {row['kernels_beyond']:8.1f} "
                f"{row['waits']:7.2f} {row['milliseconds']:8.2f} {row['times_bare']:15.2f}"
            )


def _noise(count: int, arguments: argparse.Namespace) -> Tensor:
    shape = (3, arguments.side, arguments.side)
    return RandomStreams.of(0, range(count), arguments.device).uniform(shape, stream="images")


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
    images = _noise(arguments.images, arguments)
    labels = predicted(model, images, arguments.batch_size)
    for radius, eps in RADII.items():
        attack = PGD(eps=eps, steps=arguments.steps, random_start=False)

        def ours(precision: str | None, attack: PGD = attack) -> Callable[[], Tensor]:
            oracle = Oracle(model, batch_size=arguments.batch_size, precision=precision)  # type: ignore[arg-type]
            return lambda: attack(oracle, images, labels)

        bare = bare_pgd(model, images, labels, eps, arguments.steps, arguments.batch_size)
        runs: dict[str, Callable[[], Tensor]] = {
            "torchattacks' loop": partial(torchattacks_loop, model, images, labels, eps, arguments),
            "bare loop": bare,
            "bare loop, TF32": partial(with_tf32, bare),
            "ours, float32": ours("float32"),
        }
        for precision in arguments.precisions:
            runs[f"ours, {precision} and referee"] = ours(precision)
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


def torchattacks_loop(
    model: nn.Module, images: Tensor, labels: Tensor, eps: float, given: argparse.Namespace
) -> Tensor:
    """Run PGD as torchattacks 3.5 does: every sample takes every step, and the parameters are not frozen."""
    step, parts = 2.5 * eps / given.steps, []
    for part, wanted in zip(images.split(given.batch_size), labels.split(given.batch_size), strict=True):
        current = part.clone().detach()
        for _ in range(given.steps):
            current.requires_grad = True
            (gradient,) = torch.autograd.grad(functional.cross_entropy(model(current), wanted), current)
            moved = current.detach() + step * gradient.sign()
            current = (part + (moved - part).clamp(-eps, eps)).clamp(0, 1).detach()
        parts.append(current)
    return torch.cat(parts)


def with_tf32(run: Callable[[], Tensor]) -> Tensor:
    """Run with TF32 on."""
    matmul, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolutions.allow_tf32
    matmul.allow_tf32 = convolutions.allow_tf32 = True
    try:
        return run()
    finally:
        matmul.allow_tf32, convolutions.allow_tf32 = before


def corrupted(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the throughput of every ImageNet-C corruption at 224 pixels (--quick: 32), in images per second."""
    draws = RandomStreams.of(0, range(arguments.batch_size), arguments.device)
    noise = RandomStreams.of(0, range(arguments.batch_size), arguments.device).uniform(
        (arguments.side, arguments.side, 3), stream="pixels"
    )
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
