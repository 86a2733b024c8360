"""A first look names the set-up in which a network gets more right, and changes nothing."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustbench_eff.core.errors import UsageError
from robustbench_eff.diagnostics.other_setups import SetupReport, try_setups
from robustbench_eff.evaluation.settings import Settings
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.reports.first_look import setup_lines

CLASSES = ("ash", "birch", "cedar", "elm", "fir")
NET = """
import torch
from torch import nn

class Net(nn.Module):
    '''One output per level of a channel, for images normalized with `mean` and `std`.'''

    def __init__(self, channel=0, mean=0.5, std=0.5, size=16, order=(0, 1, 2, 3, 4)):
        super().__init__()
        centres = ((torch.arange(5) + 0.5) / 5 - mean) / std
        self.register_buffer("centres", centres[list(order)])
        self.channel, self.size = channel, size

    def forward(self, images):
        levels = images[:, self.channel].mean((1, 2)) + 0.0 * images.sum()
        if images.shape[-1] != self.size:
            levels = -levels
        return -(20 * (levels.unsqueeze(1) - self.centres)) ** 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five folders of images whose red has one of five levels; blue is random."""
    where = tmp_path_factory.mktemp("setups")
    (where / "net.py").write_text(NET, encoding="utf-8")
    draws = np.random.default_rng(0)
    for level, name in enumerate(CLASSES):
        (where / "trees" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((16, 16, 3), 255 * draws.random(3), np.uint8)
            pixels[..., 0] = round(255 * (level + 0.5) / 5)
            Image.fromarray(pixels).save(where / "trees" / name / f"{number}.png")
    return where


def report(
    folder: Path,
    *,
    size: int = 16,
    norm: tuple[float, float] | None = (0.5, 0.5),
    class_order: str | None = None,
    **arguments: object,
) -> SetupReport:
    mean, std = (None, None) if norm is None else ((norm[0],), (norm[1],))
    request = ModelRequest(
        name=str(folder / "net.py"), input_size=size, geometry="squash", mean=mean, std=std, model_args=arguments
    )
    settings = Settings(
        benchmarks=("mine",),
        data={"mine": str(folder / "trees")},
        attacks=("none",),
        sample=30,
        store=folder / "store",
        class_order=class_order,
    )
    return try_setups(request, settings, "cpu")


def test_the_right_set_up_has_no_warning(folder: Path) -> None:
    found = report(folder)
    assert (found.right, found.count, found.better, found.order) == (30, 30, (), ())
    assert len(list(setup_lines(found))) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"norm": None}, "--mean 0.5 --std 0.5"),
        ({"mean": 0.0, "std": 1 / 255}, "--mean 0 --std 0.00392157"),
        ({"size": 32}, "--input-size 16 --geometry none"),
        ({"channel": 2}, "blue, green, red"),
    ],
)
def test_the_usual_slips_are_named(folder: Path, options: dict[str, object], words: str) -> None:
    found = report(folder, **options)  # type: ignore[arg-type]
    assert found.right < 20
    assert int(found.better[0].right.sum()) == 30
    best = list(itertools.takewhile(lambda setup: setup.right.all(), found.better))
    assert words in " | ".join(setup.words for setup in best)
    assert any(line.startswith("warning: it would be 100.0 % with ") for line in setup_lines(found))


def test_an_order_that_fits_the_outputs_is_named(folder: Path) -> None:
    order = (3, 0, 4, 1, 2)
    found = report(folder, order=order)
    assert found.right == 0
    assert found.order == tuple(CLASSES[level] for level in order)
    assert found.assumed[-1].startswith("assumed: the outputs stand for the classes of mine in this order: 'ash'")
    assert "--class-order" in list(setup_lines(found))[-1]
    (folder / "order.txt").write_text("\n".join(found.order), encoding="utf-8")
    assert report(folder, order=order, class_order=str(folder / "order.txt")).right == 30


def without_a_size(folder: Path, images: Path, **arguments: object) -> SetupReport:
    """What is found where neither the size nor the geometry is stated."""
    request = ModelRequest(name=str(folder / "net.py"), mean=(0.5,), std=(0.5,), model_args=arguments)
    settings = Settings(benchmarks=("mine",), data={"mine": str(images)}, attacks=("none",), sample=30)
    return try_setups(request, settings, "cpu")


def resized(folder: Path, place: Path, *sizes: int) -> Path:
    """The images in one of these sizes after the other."""
    for number, path in enumerate(sorted((folder / "trees").rglob("*.png"))):
        (place / path.parent.name).mkdir(parents=True, exist_ok=True)
        side = sizes[number % len(sizes)]
        Image.open(path).resize((side, side)).save(place / path.parent.name / path.name)
    return place


def test_images_a_little_above_64_pixels_are_tried_at_32(folder: Path, tmp_path: Path) -> None:
    found = without_a_size(folder, resized(folder, tmp_path / "large", 65), size=32)
    assert found.right < 20
    assert found.better[0].options == ("--input-size", "32", "--geometry", "squash")
    assert found.better[0].right.all()


def test_images_of_two_sizes_are_refused_with_the_reason_and_a_way_that_works(folder: Path, tmp_path: Path) -> None:
    place = resized(folder, tmp_path / "two", 16, 16, 24)
    with pytest.raises(UsageError, match=r"as it is set up: .*png is 24×24, not 16×16") as caught:
        without_a_size(folder, place)
    assert caught.value.hint == "It takes them with --geometry squash."
