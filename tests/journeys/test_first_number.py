"""The first number on somebody's own model takes one command or one question, as a user types them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

NET = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, inputs):
        return inputs + self.conv(inputs)

class Brightness(nn.Module):
    '''One output per level of brightness, for normalized images.'''

    def __init__(self, num_classes):
        super().__init__()
        self.fc = nn.Linear(1, num_classes)

    def forward(self, images):
        return self.fc(images.mean((1, 2, 3)).unsqueeze(1))

if __name__ == "__main__":
    raise SystemExit("trains for a week")
"""
CLASSES = ("ash", "birch", "cedar", "elm", "fir", "oak", "pine")
MEAN, STD = 0.5, 0.25


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for seven levels of brightness, its weights, and seven folders with six images each."""
    where = tmp_path_factory.mktemp("journey")
    (where / "net.py").write_text(NET, encoding="utf-8")
    levels = (np.arange(len(CLASSES)) + 0.5) / len(CLASSES)
    centres = torch.tensor((levels - MEAN) / STD, dtype=torch.float32)
    state = {"fc.weight": 20 * centres.unsqueeze(1), "fc.bias": -10 * centres**2}  # the nearest centre wins
    torch.save(
        {"epoch": 9, "state_dict": {f"module.{name}": value for name, value in state.items()}}, where / "best.pth"
    )
    draws = np.random.default_rng(0)
    for name, level in zip(CLASSES, levels, strict=True):
        (where / "trees" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.clip(255 * level + draws.normal(0, 8, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(where / "trees" / name / f"{number}.png")
    (where / "trees" / ".cache").mkdir()
    return where


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from robustbench_eff.cli import main; main()", *words]
    environment = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)


GIVEN = ("--input-size", "16", "--data", "mine=trees", "--attack", "none", "--store", "store")
USUAL = ("--mean", "0.5", "0.5", "0.5", "--std", "0.25", "0.25", "0.25")


def test_a_file_and_a_checkpoint_with_seven_class_folders_ask_for_nothing_else(folder: Path) -> None:
    answer = run(folder, "--model", "net.py", "--weights", "best.pth", *USUAL, *GIVEN)
    assert answer.returncode == 0, answer.stderr
    assert "100.00 [" in answer.stdout
    for line in (
        "assumed: the network is Brightness of net.py, which needs no arguments, not Block",
        "assumed: 7 classes, the outputs of the last layer in best.pth (--num-classes)",
        "assumed: the outputs stand for the classes of mine in this order: 'ash', 'birch', 'cedar', ... (--class",
    ):
        assert line in answer.stderr


def test_a_checkpoint_alone_says_which_command_to_write(folder: Path) -> None:
    answer = run(folder, "--model", "best.pth", *GIVEN)
    assert answer.returncode == 2
    assert "best.pth holds weights, not a network: 2 tensors, 14 numbers; a last layer of 7 outputs." in answer.stderr
    assert "--model FILE.py --weights best.pth" in answer.stderr


def test_mixed_units_are_one_sentence(folder: Path) -> None:
    answer = run(folder, "--model", "net.py", "--mean", "127.5", "--std", "0.25", *GIVEN)
    assert answer.returncode == 2
    assert "mix units" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_first_look_finds_the_normalization_and_its_commands_work(folder: Path) -> None:
    first = run(folder, "try", "net.py", "trees", "--weights", "best.pth", "--input-size", "16", "--sample", "42")
    assert first.returncode == 0, first.stderr
    assert "assumed: the network gets pixels in [0, 1], not normalized (--mean, --std)" in first.stdout
    assert "warning: it would be " in first.stdout
    assert "So no attack was run" in first.stdout
    second = run(folder, *shlex.split(first.stdout.splitlines()[-1])[1:], *USUAL)
    assert second.returncode == 0, second.stderr
    assert "Set-up: 100.0 % of 42 clean images" in second.stdout
    assert "warning: it would be" not in second.stdout
    for row in ("none", "fgsm(eps=8/255)", "pgd(eps=8/255)", "autoattack(eps=8/255)", "fog(severity=3)"):
        assert row in second.stdout
    command = next(line for line in second.stdout.splitlines() if line.startswith("  robust-eval "))
    third = run(folder, *shlex.split(command)[1:], "--attack", "fgsm(eps=4/255)")
    assert third.returncode == 0, third.stderr
    assert "100.00 [" in third.stdout
