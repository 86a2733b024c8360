"""A fine-tuned network of timm, folders of photographs, and colleagues to convince: one command to the first number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from wheel_command import RobustEval

ARCHITECTURE = "test_efficientnet"
CLASSES = ("ash", "birch", "cedar", "elm", "fir", "oak", "pine")


@pytest.fixture
def right(tmp_path: Path) -> int:
    """Write 42 photographs and a fine-tuned network; how many of them timm's own transform and loop have right."""
    draws = np.random.default_rng(0)
    colours = draws.uniform(0.2, 0.8, (len(CLASSES), 3))
    for name, colour in zip(CLASSES, colours, strict=True):
        (tmp_path / "trees" / name).mkdir(parents=True)
        for number in range(6):
            side = int(draws.integers(180, 260))
            pixels = 255 * (colour + draws.normal(0, 0.09, 3) + draws.normal(0, 0.1, (200, side, 3)))
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(tmp_path / "trees" / name / f"{number}.png")
    torch.manual_seed(0)
    network = timm.create_model(ARCHITECTURE, num_classes=len(CLASSES))
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    ((images, targets),) = DataLoader(ImageFolder(tmp_path / "trees", transform), batch_size=42)
    optimizer = torch.optim.Adam(network.parameters(), 0.003)
    for _ in range(12):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), targets).backward()
        optimizer.step()
    torch.save({"arch": ARCHITECTURE, "state_dict": network.state_dict()}, tmp_path / "model_best.pth.tar")
    network.eval()
    with torch.no_grad():
        count = int((network(images).argmax(1) == targets).sum())
    assert 10 < count < 42
    return count


def test_photographs_and_colleagues(robust_eval: RobustEval, tmp_path: Path, right: int) -> None:
    mine = ["--model", f"timm:{ARCHITECTURE}", "--weights", "model_best.pth.tar", "--data", "trees=trees"]
    first = robust_eval(*mine, "--attack", "fgsm(eps=1/255)", "--store", "store")
    assert f"{100 * right / 42:.2f} [" in first.stdout
    robust_eval("report", "store", "--out", "report.html")
    assert f"{100 * right / 42:.1f} %" in (tmp_path / "report.html").read_text()
    demand = f"accuracy >= {right // 2 / 42:.2f}"
    robust_eval("score", "store", "--require", demand, "--junit", "gate.xml", "--summary", "gate.md")
    assert 'failures="0"' in (tmp_path / "gate.xml").read_text()
