"""Kernels, host waits and milliseconds of the steps of attacks on a GPU, against a bare loop.

Kernels are those that torch's profiler sees, less the network's own; waits are copies to the host and synchronisations
that it sees. Both, and the time, are of the second half of a run's steps, as the difference of two runs. A step of
APGD-T and FAB-T has three targets, so that its images are three times those of the bare pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from robustbench_eff.attacks import APGD, APGDT, FABT, MIFGSM, PGD, Oracle, Square
from robustbench_eff.core import fused
from robustbench_eff.core.types import Attack

Steps = Callable[[int], Attack]
Run = Callable[[], object]

TINY = 1e-7
"""Radius in which no sample is misclassified, so that all take all steps."""
ATTACKS: dict[str, tuple[Steps, int]] = {
    "pgd linf": (lambda steps: PGD(eps=TINY, steps=steps), 20),
    "pgd l2": (lambda steps: PGD(eps=TINY, steps=steps, norm="l2"), 20),
    "mi_fgsm": (lambda steps: MIFGSM(eps=TINY, steps=steps), 20),
    "apgd ce": (lambda steps: APGD(eps=TINY, iterations=steps), 20),
    "apgd dlr": (lambda steps: APGD(eps=TINY, iterations=steps, loss="dlr"), 20),
    "apgd_t": (lambda steps: APGDT(eps=TINY, iterations=steps, targets=3), 20),
    "fab_t": (lambda steps: FABT(eps=TINY, iterations=steps, targets=3), 8),
    "square": (lambda steps: Square(eps=TINY, queries=steps), 100),
}
"""Attacks by their number of steps, and a number of steps."""
SYNCHRONISATIONS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


def step_rows(network: nn.Module, images: Tensor, labels: Tensor, precisions: list[str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each attack and way to query, and one for each bare pass.

    Args:
        network: The network.
        images: Images in [0, 1] that fit into one batch.
        labels: The network's own predictions.
        precisions: Of the copies that are queried beside the network itself, whose row says `plain`.
    """
    bare = {kind: _bare(network, images, labels, kind) for kind in ("gradient", "logits")}
    passes = {kind: _measured(run, images.device) for kind, run in bare.items()}
    for kind, counts in passes.items():
        yield {"attack": f"bare {kind}", "precision": "plain", "compiled": False, **counts}
    for name, (attack, steps) in ATTACKS.items():
        own = passes["logits" if name == "square" else "gradient"]
        for precision in ("plain", *precisions):
            for compiled in (False, True) if images.device.type == "cuda" else (False,):
                row = {"attack": name, "precision": precision, "compiled": compiled}
                yield row | _per_step(
                    attack, steps, _oracle(network, images, precision), (images, labels, own, compiled)
                )


def _oracle(network: nn.Module, images: Tensor, precision: str) -> Oracle:
    return Oracle(network, batch_size=8 * len(images), precision=None if precision == "plain" else precision)  # type: ignore[arg-type]


def _per_step(
    attack: Steps, steps: int, oracle: Oracle, given: tuple[Tensor, Tensor, dict[str, Any], bool]
) -> dict[str, Any]:
    """Return what a step needs, less the bare pass where the network itself is queried."""
    images, labels, own, compiled = given
    devices, fused.COMPILED_ON = fused.COMPILED_ON, (("cuda",) if compiled else ())
    try:
        runs = {count: partial(attack(count), oracle, images, labels) for count in (steps, 2 * steps)}
        for run in runs.values():  # the copy, and what is compiled
            run()
        few, many = (_measured(run, images.device) for run in runs.values())
    finally:
        fused.COMPILED_ON = devices
    found = {what: round((many[what] - few[what]) / steps, 3) for what in few}
    ratio = round(found["milliseconds"] / own["milliseconds"], 3)
    return found | {"kernels_beyond": round(found["kernels"] - own["kernels"], 2), "times_bare": ratio}


def _bare(network: nn.Module, images: Tensor, labels: Tensor, kind: str) -> Run:
    """Return a pass of the network, with the gradient of the cross-entropy or without."""
    frozen = network.requires_grad_(False)

    def gradient() -> object:
        pixels = images.detach().requires_grad_(True)
        loss = functional.cross_entropy(frozen(pixels), labels, reduction="sum")
        return torch.autograd.grad(loss, pixels)[0]

    def logits() -> object:
        with torch.no_grad():
            return frozen(images)

    return gradient if kind == "gradient" else logits


def _measured(run: Run, device: torch.device) -> dict[str, float]:
    """Return kernels, waits and milliseconds of a function: the fastest of three calls, and a profiled one."""
    milliseconds = min(_milliseconds(run, device) for _ in range(3))
    if device.type != "cuda":  # the counts of a CPU are those of tests/support/kernel_counts.py
        return {"kernels": 0.0, "waits": 0.0, "milliseconds": milliseconds}
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        run()
        torch.cuda.synchronize(device)
    events = profiled.events() or []
    on_device = [event for event in events if event.device_type.name == "CUDA"]
    kernels = sum(not event.name.startswith(("Memcpy", "Memset")) for event in on_device)
    waits = sum(event.name in SYNCHRONISATIONS for event in events) - 1  # the one above
    return {"kernels": float(kernels), "waits": float(waits), "milliseconds": milliseconds}


def _milliseconds(run: Run, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1000 * (time.perf_counter() - start)
