"""Small published sets, and a model that tells shades apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from robustbench_eff import evaluate
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.storage.store import Store

SHADES = """
import torch
class Shades(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes
    def forward(self, images):
        shade = images.mean((1, 2, 3))[:, None]
        return -(shade - torch.linspace(0, 1, self.classes)).abs() * 50
def thousand():
    return Shades(1000)
def ten():
    return Shades(10)
"""
"""The class is the mean shade."""


def shade_model(folder: Path, factory: str, size: int) -> ModelRequest:
    """The model of that many classes, for images of `size` pixels."""
    (folder / "shades.py").write_text(SHADES)
    return ModelRequest(name=f"{folder}/shades.py:{factory}", input_size=size)


def outcomes(store: Path) -> dict[str, Any]:
    """The outcomes of every cell by its perturbation."""
    opened = Store(store)
    return {cell.perturbation: (cell, opened.outcomes(cell_id)) for cell_id, cell in opened.cells().items()}


def run(model: ModelRequest, benchmark: str, texts: tuple[str, ...], store: Path, **data: Path):
    places = {name.replace("_", "-"): str(path) for name, path in data.items()}
    return evaluate(model, benchmarks=[benchmark], corruptions=texts, data=places, store=store, shard_size=4)


def arrays(folder: Path, *, count: int = 4, repeats: int = 5, **named: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "labels.npy", np.tile(np.arange(count), repeats))
    for name, values in named.items():
        np.save(folder / f"{name}.npy", values)
    return folder
