"""What runs on the device of `accelerator`, beside the same on the CPU; in a process of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import accelerator
from accelerator import DEVICE, There
from robustbench_eff import evaluate
from robustbench_eff.core import rng
from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.defenses.network import Dependencies
from robustbench_eff.defenses.trainer import train
from robustbench_eff.registry import build_defense, build_styliser
from robustbench_eff.registry.attacks import ATTACKS
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.registry.perturbation import parse_attack
from robustbench_eff.storage.store import Store
from robustbench_eff.system import devices
from robustbench_eff.testing.attacks import _problem
from robustbench_eff.testing.corruptions import example_batch
from trainings import digits, small_net, training

SHORT = {
    "autoattack": "autoattack(eps=0.3)",
    "carlini_wagner": "carlini_wagner(binary_search_steps=2, iterations=10)",
    "fab": "fab(iterations=10)",
    "fab_t": "fab_t(iterations=10)",
    "fmn": "fmn(steps=10)",
    "one_pixel": "one_pixel(population=20, generations=10)",
    "square": "square(queries=200)",
}
"""Attacks that would take long as they are."""


def begin() -> None:
    """What the process does first."""
    torch.set_num_threads(1)
    accelerator.install()
    devices.resolve_devices = lambda device, workers: [device]
    made = rng.generator
    rng.generator = lambda seed, stream, step=0, device="cpu": made(seed, stream, step)  # there is none elsewhere


def attacks() -> list[str]:
    """Attacks that find other images there."""
    return [name for name in ATTACKS if not torch.equal(*_attacked(name))]


def corruptions() -> list[str]:
    """Corruptions that make other images there."""
    pixels, draws = example_batch()
    found = []
    for name, row in CORRUPTIONS.items():
        kernel = row.load()
        try:
            changed = kernel.at(3, list(kernel.severities)[-1])
        except DataError:  # its pictures are not here
            continue
        there = changed(pixels.to(DEVICE), _moved(draws))
        if not (isinstance(there, There) and torch.equal(there.cpu(), changed(pixels, draws))):
            found.append(name)
    return found


def defenses() -> list[str]:
    """Defenses that train another network there."""
    found = []
    for name in DEFENSES:
        kept = []
        for device in ("cpu", DEVICE):
            dependencies = Dependencies(
                styliser=build_styliser.styliser("random_phase"), teacher=small_net(3).eval().to(device)
            )
            asked = training(build_defense.defense(name), samples=digits(32), dependencies=dependencies, epochs=1)
            kept.append(train(small_net().to(device), asked)[0].cpu().state_dict())
        if any(not torch.equal(kept[0][key], kept[1][key]) for key in kept[0]):
            found.append(name)
    return found


def cells(folder: str, options: dict[str, Any]) -> tuple[int, list[str]]:
    """How many cells a run has, and those with other outcomes there."""
    here, there = (
        dict(_outcomes(Path(folder) / device.partition(":")[0], device, options)) for device in ("cpu", DEVICE)
    )
    assert here.keys() == there.keys()
    return len(here), [name for name in here if not here[name].equals(there[name])]


def met() -> str:
    """What is said where tensors of two places meet."""
    try:
        torch.ones(2, device=DEVICE) + torch.ones(2)
    except RuntimeError as refused:
        return str(refused)
    return ""


def _attacked(name: str) -> Iterator[torch.Tensor]:
    attack = parse_attack(SHORT.get(name, name))
    model, images, labels, draws = _problem()
    yield attack(model, images, labels, draws)
    there = attack(model.to(DEVICE), images.to(DEVICE), labels.to(DEVICE), _moved(draws))
    assert isinstance(there, There)
    yield there.cpu()


def _moved(draws: RandomStreams) -> RandomStreams:
    return dataclasses.replace(draws, keys=draws.keys.to(DEVICE))


def _outcomes(folder: Path, device: str, options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    evaluate("digits_standard", device=device, store=folder, **options)
    store = Store.existing(folder)
    for cell_id, cell in store.cells().items():
        yield f"{cell.perturbation} on {cell.benchmark}", store.outcomes(cell_id)
