"""Files that somebody shares and that name a program: `payload.py`, which leaves a marker when it is imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file

from robustbench_eff.models.aliases import checkpoints

MARKER = "program-ran"
PAYLOAD = f"""
from dataclasses import dataclass
from pathlib import Path
import torch
from robustbench_eff.attacks.fgsm import FGSM
Path({MARKER!r}).touch()
def build():
    linear = torch.nn.Linear(3072, 10)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(10, 3072))
        linear.bias.zero_()
    return torch.nn.Sequential(torch.nn.Flatten(), linear).eval()
@dataclass(frozen=True, slots=True, kw_only=True)
class Mine(FGSM):
    pass
"""
RUN = ["--limit", "4", "--benchmark", "digits", "--device", "cpu"]


class Shared(NamedTuple):
    """A folder that somebody shares, and how a user reads it without knowing that it names a program."""

    write: Callable[[], None]
    """Writes the files into the working directory."""
    words: list[str]
    """Options of `robust-eval`, or a command with its options."""
    would: str
    """What the refusal says would run."""


def card(architecture: str, folder: str = "shared") -> Callable[[], None]:
    def write() -> None:
        fields = json.loads((checkpoints() / "digits_standard.json").read_text())
        Path(folder).mkdir()
        (Path(folder) / "model.json").write_text(json.dumps(fields | {"architecture": architecture}))
        save_file({"1.weight": torch.eye(10, 3072), "1.bias": torch.zeros(10)}, Path(folder) / "model.safetensors")

    return write


def suite(perturbation: str, *others: Callable[[], None]) -> Callable[[], None]:
    def write() -> None:
        part = {"benchmarks": ["any"], "perturbations": [perturbation]}
        Path("suite.yaml").write_text(json.dumps({"title": "Shared", "parts": [part]}))
        for other in others:
            other()

    return write


def sweep(
    perturbation: str = "fgsm", recipe: str = "standard", *others: Callable[[], None], **train: str
) -> Callable[[], None]:
    def write() -> None:
        for other in others:
            other()
        fields = {"arch": "small_cnn(width=4)", "limit": 40, "schedule": "epochs=1, batch_size=32", "device": "cpu"}
        content = {
            "title": "Shared",
            "train": fields | train,
            "rows": {"row": recipe},
            "seeds": [0],
            "evaluate": [{"benchmarks": ["digits"], "perturbations": [perturbation]}],
            "limit": 4,
        }
        Path("sweep.yaml").write_text(json.dumps(content))

    return write


FILE = "{here}/payload.py and then its "
CARD = "shared/model.json would run the file " + FILE + "build; nothing was run."
SUITE = "Suite suite.yaml would run the file " + FILE
SWEEP = "Sweep 'Shared' would run the file " + FILE
SWEEPING = ["sweep", "sweep.yaml", "--out", "out", "--quiet"]
EVALUATED = {
    "a card that names a file": Shared(card("payload.py:build"), ["--model", "shared", "--attack", "fgsm", *RUN], CARD),
    "a card that names a module": Shared(
        card("payload:build"),
        ["--model", "shared", "--attack", "fgsm", *RUN],
        "shared/model.json would import the module payload and run its build; nothing was run.",
    ),
    "the card of a model that an attack names": Shared(
        card("payload.py:build"), ["--model", "digits_standard", "--attack", "fgsm from shared", *RUN], CARD
    ),
    "a suite with an attack": Shared(
        suite("payload.py:Mine(eps=4/255)"),
        ["--model", "digits_standard", "--suite", "suite.yaml", *RUN],
        SUITE + "Mine; nothing was run.",
    ),
    "a suite with an attack on a smoothed network": Shared(
        suite("payload.py:Mine(eps=0.1, norm=l2) on smoothing(sigma=0.25, n=16, n0=4, draws=2)"),
        ["--model", "digits_standard", "--suite", "suite.yaml", *RUN],
        SUITE + "Mine; nothing was run.",
    ),
    "a suite with the network of an attack": Shared(
        suite("fgsm from payload.py:build"),
        ["--model", "digits_standard", "--suite", "suite.yaml", *RUN],
        SUITE + "build; nothing was run.",
    ),
    "a suite with the folder of a network of an attack": Shared(
        suite("fgsm from shared", card("payload.py:build")),
        ["--model", "digits_standard", "--suite", "suite.yaml", *RUN],
        CARD,
    ),
}
"""Read by `robust-eval`, by `plan`, and in Python."""
OTHER_COMMANDS = {
    "a sweep with an architecture": Shared(sweep(arch="payload.py:build"), SWEEPING, SWEEP + "build;"),
    "a sweep with a validation attack": Shared(
        sweep(validation_attack="payload.py:Mine(eps=0.1)"), SWEEPING, SWEEP + "Mine;"
    ),
    "a sweep with an attack": Shared(sweep("payload.py:Mine(eps=0.1)"), SWEEPING, SWEEP + "Mine;"),
    "a sweep with the network of an attack": Shared(sweep("fgsm from payload.py:build"), SWEEPING, SWEEP + "build;"),
    "a sweep with the folder of a teacher": Shared(
        sweep("fgsm", "noisy_student(teacher=shared)", card("payload.py:build")), SWEEPING, CARD
    ),
    "the card of a certified network": Shared(
        card("payload.py:build"),
        ["certify", "--model", "shared", "--sigma", "0.25", "--n", "16", "--n0", "4", *RUN],
        CARD,
    ),
    "the card of a teacher": Shared(
        card("payload.py:build"),
        [
            *("train", "--out", "out", "--defense", "noisy_student(teacher=shared)", "--arch", "small_cnn(width=4)"),
            *("--limit", "40", "--schedule", "epochs=1, batch_size=32", "--device", "cpu", "--quiet"),
        ],
        CARD,
    ),
    "the card of a network to convert": Shared(
        card("payload.py:build"), ["convert", "shared", "shared/model.safetensors", "--out", "x.safetensors"], CARD
    ),
}
