"""Defenses to compare, and a board to publish: two commands to the first number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from robustbench_eff.benchmarks.definitions.digits import open_digits
from robustbench_eff.models.small_cnn import SmallCNN
from wheel_command import RobustEval

SWEEP = """
title: Two defenses at equal budget
train: {arch: small_cnn(width=4), passes_per_image: 24, limit: 400}
rows: {standard: standard, adversarial: fast}
seeds: [0, 1]
evaluate: [{benchmarks: [digits], perturbations: [fgsm]}]
"""


def accuracy(folder: Path) -> float:
    """What a plain loop measures of the trained weights, which expect images normalized by 0.5 and 0.5."""
    network = SmallCNN(num_classes=10, width=4)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    network.eval()
    images = open_digits("test")
    pixels = torch.from_numpy(np.stack([images.read(number) for number in range(len(images.ids))]))
    with torch.no_grad():
        logits = network((pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)
    return float((logits.argmax(1) == torch.tensor(images.labels)).float().mean())


def test_defenses_and_a_board(robust_eval: RobustEval, tmp_path: Path) -> None:
    (tmp_path / "defenses.yaml").write_text(SWEEP)
    first = robust_eval("sweep", "defenses.yaml", "--out", "runs")
    assert "assumed: fast with eps=4/255, digits has no usual radius" in first.stderr
    values = json.loads((tmp_path / "runs" / "results.json").read_text())["values"]
    for row, by_seed in values.items():
        for seed, columns in by_seed.items():
            assert columns["digits"] == pytest.approx(accuracy(tmp_path / "runs" / f"{row}-seed{seed}"))
    stores = [f"runs/{row}-seed0/store" for row in values]
    robust_eval("leaderboard", "build", *stores, "--no-published", "--out", "board.md")
    board = (tmp_path / "board.md").read_text()
    for row, by_seed in values.items():
        assert f"{100 * by_seed['0']['digits']:.2f}" in board, row
