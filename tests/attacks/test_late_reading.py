"""Reading successes every few steps records what reading them at every step records: images, and passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_eff.attacks import Oracle, first_successes, square_search
from robustbench_eff.attacks.first_successes import FirstSuccesses
from robustbench_eff.attacks.pass_counts import PassCounts
from robustbench_eff.core.accelerators import padded_count, steps_between_readings
from robustbench_eff.registry.perturbation import parse_attack
from robustbench_eff.testing.attacks import _problem

ATTACKS = [
    "pgd(eps=0.05)",
    "pgd(eps=0.05, restarts=3)",
    "pgd(eps=2, norm=l1)",
    "mi_fgsm(eps=0.05)",
    "apgd(eps=0.04, iterations=20)",
    "apgd(eps=2, norm=l1, iterations=30, restarts=2, shrinking_ball=True)",
    "apgd_t(eps=0.04, iterations=20)",
    "square(eps=0.04, queries=150, restarts=2)",
    "security_curve(steps=5)",
    "autoattack(eps=0.03)",
]


@pytest.mark.parametrize("interval", [3, 8])
@pytest.mark.parametrize("precision", [None, "bfloat16"])
@pytest.mark.parametrize("text", ATTACKS)
def test_late_reading_changes_no_outcome(text: str, precision: Any, interval: int, monkeypatch) -> None:
    model, images, labels, draws = _problem()
    outcomes = []
    for steps in (1, interval):
        for module in (first_successes, square_search):
            monkeypatch.setattr(module, "steps_between_readings", lambda device, steps=steps: steps)
        oracle = Oracle(model, batch_size=4, precision=precision)
        found = parse_attack(text)(oracle, images, labels, draws)
        outcomes.append((found, *oracle.effort.counts(), torch.tensor([len(name) for name in oracle.effort.won_by])))
    assert (outcomes[0][0] != images).flatten(1).any(1).any()
    for at_once, late in zip(*outcomes, strict=True):
        assert torch.equal(at_once, late)


def test_late_reading_saves_readings(monkeypatch) -> None:
    model, images, labels, draws = _problem()
    readings: list[int] = []
    read = FirstSuccesses._read
    monkeypatch.setattr(FirstSuccesses, "_read", lambda self: (readings.append(len(self._pending)), read(self))[1])
    monkeypatch.setattr(first_successes, "steps_between_readings", lambda device: 8)
    parse_attack("pgd(eps=1e-6, steps=20)")(Oracle(model), images, labels, draws)
    assert readings == [8, 8, 4]


class Listed(nn.Module):
    """Says that an image is of class 1 where its only pixel is one of those listed."""

    def __init__(self, adversarial: list[float]) -> None:
        super().__init__()
        self.adversarial = adversarial

    def forward(self, images: Tensor) -> Tensor:
        wrong = torch.isin(images.flatten(), torch.tensor(self.adversarial)).float()
        return torch.stack((0.5 - wrong, wrong), 1)


def _offered(claims: list[list[int]], confirmed: list[float], interval: int, monkeypatch) -> tuple[list, list, list]:
    """What is recorded of four paths of two samples, whose image at a step is (10 step + path) / 64."""
    monkeypatch.setattr(first_successes, "steps_between_readings", lambda device: interval)
    oracle = Oracle(Listed(confirmed).eval(), precision="float32")
    oracle._copies.fine = nn.Identity()  # claims are those of the test, so that the network has to confirm them
    adversarial, rows = torch.full((2, 1, 1, 1), -1.0), torch.tensor([0, 0, 1, 1])
    labels, left = torch.zeros(4, dtype=torch.int64), torch.arange(4)
    oracle.watch(2)
    successes = FirstSuccesses(oracle, adversarial, rows)
    for step, claimed in enumerate(claims):
        images = ((10 * step + left) / 64).view(-1, 1, 1, 1)
        logits = torch.tensor([[0.0, 1.0] if int(path) in claimed else [1.0, 0.0] for path in left])
        oracle.counts.add(rows, 1, torch.zeros(len(rows)))
        kept = successes.offer(logits, images, labels[: len(rows)], rows)
        if kept is not None:
            left, rows = left[kept], rows[kept]
    kept = successes.finish()
    left = left if kept is None else left[kept]
    stats = oracle.effort
    return adversarial.flatten().tolist(), left.tolist(), [counts.tolist() for counts in stats.counts()]


@pytest.mark.parametrize("interval", [1, 2, 5])
def test_the_first_confirmed_image_of_each_sample_is_recorded(interval: int, monkeypatch) -> None:
    # Sample 0: path 1 is refuted at step 1, and both paths are right at step 2, of which the first counts.
    claims = [[], [1], [0, 1], [0, 2], [3]]
    recorded, left, counts = _offered(claims, [20 / 64, 21 / 64], interval, monkeypatch)
    assert recorded == [20 / 64, -1.0]
    assert left == [2, 3]
    forwards, backwards, zero_gradients, false_positives = counts
    assert backwards == [6, 10]  # two paths each: three steps of the first sample, all five of the second
    assert zero_gradients == backwards
    assert forwards == [6 + 1 + 2, 10 + 2]  # and what was asked again
    assert false_positives == [1, 2]


@pytest.mark.parametrize(
    ("count", "expected"), [(0, 0), (1, 1), (3, 4), (4, 4), (16, 16), (17, 17), (27, 32), (28, 32), (32, 32), (35, 36)]
)
def test_rows_are_padded_to_full_batches_and_a_power_of_two(count: int, expected: int) -> None:
    batch = 16
    padded = padded_count(count, batch)
    full, rest = divmod(count, batch)
    assert padded == full * batch + {0: 0, 1: 1, 3: 4, 4: 4, 11: 16, 12: 16}[rest]
    assert padded == expected


def test_a_processor_reads_at_once_and_others_late() -> None:
    assert steps_between_readings(torch.device("cpu")) == 1
    assert steps_between_readings(torch.device("cuda", 0)) == 8


def test_passes_of_several_steps_are_counted_together() -> None:
    counts, rows = PassCounts(3, "cpu"), torch.tensor([2, 0, 2])
    counts.add(rows, 1)
    counts.add(rows, 4, torch.tensor([0.0, 1.0, float("nan")]))
    counts.add(rows, 1, torch.tensor([1.0, 0.0, 1.0]))
    assert counts.pending == 3
    counts.flush(np.array([3, 2, 1]))  # images 1 and 2 were finished after two passes and one
    assert counts.pending == 0
    assert counts.stats.num_forwards.tolist() == [5, 0, 7]
    assert counts.stats.num_backwards.tolist() == [4, 0, 5]
    assert counts.stats.zero_gradients.tolist() == [0, 0, 4]
    counts.add(rows, 1)
    counts.add(rows.clone(), 1)  # other images, so the first pass is not pending any more
    assert counts.pending == 1
    assert counts.stats.num_forwards.tolist() == [7, 0, 11]
