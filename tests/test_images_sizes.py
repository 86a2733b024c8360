"""A network that states no input size gets small images as they are, in the size of most of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from robustbench_eff.evaluation.preflight import check
from robustbench_eff.evaluation.settings import Settings
from robustbench_eff.models.assumed import assumed_images
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.sources.user_module import plain_preprocessing

NET = """
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, images):
        return self.fc(images.mean((2, 3)))
"""


def images(folder: Path, *sizes: tuple[int, int]) -> str:
    """Write images of these widths and heights."""
    for number, size in enumerate(sizes):
        (folder / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (number, 0, 0)).save(folder / "ab"[number % 2] / f"{number}.png")
    return str(folder)


def shape(tmp_path: Path, data: dict[str, str], **options: Any) -> tuple[tuple[int, int], str]:
    """Height and width of the input, and how images get that size."""
    (tmp_path / "net.py").write_text(NET)
    settings = Settings(benchmarks=tuple(data), data=data, attacks=("none",))
    (model,) = check([ModelRequest(name=str(tmp_path / "net.py"), **options)], settings, "cpu").models
    assert isinstance(model.model, ModelRequest)
    geometry = plain_preprocessing(model.model).geometry
    return geometry.shape, geometry.mode


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(32, 32)] * 4, ((32, 32), "none")),
        ([(48, 24)] * 4, ((24, 48), "none")),
        ([(64, 64)] * 4, ((64, 64), "none")),
        ([(65, 65)] * 4, ((224, 224), "crop")),
        ([(32, 32), (32, 32), (40, 32), (32, 32)], ((32, 32), "none")),
        ([(32, 32), (32, 32), (80, 32), (32, 32)], ((224, 224), "crop")),
    ],
)
def test_small_images_are_taken_as_they_are(
    tmp_path: Path, sizes: list[tuple[int, int]], expected: tuple[tuple[int, int], str]
) -> None:
    assert shape(tmp_path, {"mine": images(tmp_path / "images", *sizes)}) == expected


def test_a_stated_size_or_geometry_stays(tmp_path: Path) -> None:
    data = {"mine": images(tmp_path / "images", *[(32, 32)] * 4)}
    assert shape(tmp_path, data, input_size=48) == ((48, 48), "none")
    assert shape(tmp_path, data, geometry="squash") == ((32, 32), "squash")


def test_benchmarks_of_two_sizes_leave_the_size_open(tmp_path: Path) -> None:
    small, large = images(tmp_path / "one", *[(32, 32)] * 4), images(tmp_path / "two", *[(28, 28)] * 4)
    assert shape(tmp_path, {"one": small, "two": large}) == ((224, 224), "crop")
    settings = Settings(benchmarks=("one", "two"), data={"one": small, "two": large}, attacks=("none",))
    (model,) = check([ModelRequest(name=str(tmp_path / "net.py"))], settings, "cpu").models
    assert isinstance(model.model, ModelRequest)
    geometry = plain_preprocessing(model.model).geometry
    line = "assumed: images of 224×224 pixels, as the sets have 28×28 and 32×32; evaluate one set at a time"
    assert any(note.startswith(line) for note in assumed_images(model.model, geometry))
    assert shape(tmp_path, {"one": small, "three": small}) == ((32, 32), "none")


def test_arrays_have_the_size_of_their_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "test.npz", x=np.zeros((4, 32, 32, 3), np.uint8), y=np.arange(4))
    assert shape(tmp_path, {"cifar10": str(tmp_path / "test.npz")}) == ((32, 32), "none")


def test_an_image_that_cannot_be_read_is_left_to_the_run(tmp_path: Path) -> None:
    place = images(tmp_path / "images", *[(32, 32)] * 4)
    (tmp_path / "images" / "a" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert shape(tmp_path, {"mine": place}) == ((224, 224), "crop")
