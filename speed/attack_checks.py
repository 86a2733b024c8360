"""Measure what the checks of the model and its inputs cost an attack: python speed/attack_checks.py

Times FGSM in turn with and without them, on a small network and on a ResNet-20, in the order with-without-without-with.
Prints, and writes as JSON with --out, the median milliseconds and the median of the paired ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

import record
from networks import resnet20
from robustbench_eff.attacks import FGSM, fgsm, oracle
from robustbench_eff.models.small_cnn import SmallCNN


def linear() -> nn.Module:
    """Return a network so cheap that the difference in milliseconds is that of the checks alone."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))


NETWORKS = {"linear": linear, "small_cnn": SmallCNN, "resnet20": resnet20}


class _Unchecked:
    """A model in the place of `CheckedModel`."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, images: Tensor) -> Tensor:
        logits: Tensor = self._model(images)
        return logits

    def attack(self, labels: Tensor) -> Any:
        del labels
        return nullcontext()


@contextmanager
def _unchecked() -> Iterator[None]:
    pair = patch.object(fgsm, "attack_inputs", lambda images, labels: (images, labels))
    with pair, patch.object(oracle, "CheckedModel", _Unchecked):
        yield


def main() -> None:
    """Time FGSM on every network with and without the checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    record.add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for name, build in NETWORKS.items():
        model, images, labels = _problem(build, arguments)
        repeats = arguments.repeats * (20 if name == "linear" else 1)
        pairs = [_pair(model, images, labels) for _ in range(repeats + 3)][3:]
        without, checked = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(second / first for first, second in pairs)
        rows.append({"network": name, "without_ms": without, "checked_ms": checked, "ratio": ratio})
        rows[-1]["difference_ms"] = 1000 * statistics.median(second - first for first, second in pairs)
        print(
            f"{name:12} without {without:8.3f} ms  checks {rows[-1]['difference_ms']:6.3f} ms  ratio {ratio:.4f}",
            flush=True,
        )
    if arguments.out is not None:
        facts = {"threads": arguments.threads, "batch": arguments.batch, "device": arguments.device}
        record.write(arguments.out, facts | {"rows": rows})


def _problem(build: Any, arguments: argparse.Namespace) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    model = build().eval().to(arguments.device)
    images = torch.rand(arguments.batch, 3, 32, 32, device=arguments.device)
    return model, images, torch.arange(arguments.batch, device=arguments.device) % 10


def _pair(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the seconds of an attack without and with the checks, each the mean of two."""
    first = _seconds(model, images, labels)
    with _unchecked():
        without = _seconds(model, images, labels) + _seconds(model, images, labels)
    return without / 2, (first + _seconds(model, images, labels)) / 2


def _seconds(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    clock = time.process_time if images.device.type == "cpu" else time.perf_counter  # other processes do not count
    start = clock()
    FGSM(eps=8 / 255)(model, images, labels).sum().item()  # waits for the device
    return clock() - start


if __name__ == "__main__":
    main()
