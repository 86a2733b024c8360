"""A CIFAR-10 checkpoint, the file of its network, and a paper to write: one command to the first number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from wheel_command import RobustEval

NET = """
import torch.nn as nn

class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, classes)

    def forward(self, images):
        return self.fc(self.norm(self.conv(images)).relu().mean((2, 3)))
"""
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CLASSES = 10


@pytest.fixture
def right(tmp_path: Path) -> int:
    """Write a network, its checkpoint, and images; return how many of the 60 a plain loop has right."""
    draws = np.random.default_rng(0)
    colours = draws.uniform(0.2, 0.8, (CLASSES, 3))
    labels = np.arange(60) % CLASSES
    noise = draws.normal(0, 0.12, (60, 32, 32, 3)) + draws.normal(0, 0.05, (60, 1, 1, 3))
    pixels = np.clip(255 * (colours[labels][:, None, None] + noise), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "test.npz", x=pixels, y=labels)
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    namespace: dict[str, type[torch.nn.Module]] = {}
    exec(NET, namespace)
    torch.manual_seed(0)
    network = namespace["Net"]()
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    inputs = (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    targets, optimizer = torch.from_numpy(labels), torch.optim.Adam(network.parameters(), 0.03)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), targets).backward()
        optimizer.step()
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"epoch": 60, "state_dict": state, "optimizer": optimizer.state_dict()}, tmp_path / "best.pth.tar")
    network.eval()
    with torch.no_grad():
        count = int((network(inputs).argmax(1) == targets).sum())
    assert 20 < count < 60
    return count


def test_a_checkpoint_and_a_paper(robust_eval: RobustEval, tmp_path: Path, right: int) -> None:
    model = ["--model", "net.py", "--weights", "best.pth.tar", "--mean", *map(str, MEAN), "--std", *map(str, STD)]
    data = ["--data", "cifar10=test.npz", "--store", "store"]
    first = robust_eval(*model, *data, "--attack", "pgd", "--json")
    assert "assumed: pgd with eps=8/255, the usual radius on cifar10" in first.stderr
    found = {(score["perturbation"], score["metric"]): score for score in json.loads(first.stdout)["scores"]}
    accuracy = found["none", "accuracy"]
    assert (accuracy["value"] * accuracy["n"], accuracy["n"]) == (pytest.approx(right), 60)
    assert 0 <= found["pgd(eps=8/255)", "robust_accuracy"]["value"] <= accuracy["value"]
    robust_eval(*model, *data, "--attack", "pgd(eps=2/255)")
    robust_eval("figures", "store", "--out", "figures")
    robust_eval("leaderboard", "build", "store", "--no-published", "--width", "column", "--out", "table.tex")
    assert f"{100 * right / 60:.2f}" in (tmp_path / "table.tex").read_text()
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".pdf", ".svg"}
