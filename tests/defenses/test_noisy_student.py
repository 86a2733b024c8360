"""Noisy Student: which images a teacher's labels are taken of, and the noise of the student."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_eff.core.errors import DataError
from robustbench_eff.defenses.noisy_student import NoisyStudent, select_pseudo_labels
from robustbench_eff.defenses.training_batch import Samples
from robustbench_eff.models import architectures
from trainings import small_net

PROBABILITIES = torch.tensor(
    [
        [0.9, 0.1, 0.0],  # 0, class 0
        [0.5, 0.4, 0.1],  # 1, class 0
        [0.7, 0.2, 0.1],  # 2, class 0
        [0.2, 0.5, 0.3],  # 3, class 1
        [0.34, 0.33, 0.33],  # 4, class 0
        [0.3, 0.4, 0.3],  # 5, class 1
    ]
)


@pytest.mark.parametrize(
    ("threshold", "per_class", "rows"),
    [
        (0.3, 2, [0, 2, 3, 5]),
        (0.3, 3, [0, 2, 1, 3, 5, 3]),
        (0.45, 2, [0, 2, 3, 3]),
        (0.45, None, [0, 2, 3, 3]),
        (0.6, 3, [0, 2, 0]),
    ],
)
def test_the_surest_are_taken_and_repeated_as_counted_by_hand(
    threshold: float, per_class: int | None, rows: list[int]
) -> None:
    assert select_pseudo_labels(PROBABILITIES, threshold, per_class).tolist() == rows


def test_a_teacher_that_is_sure_of_nothing_is_said_to_be() -> None:
    with pytest.raises(DataError, match=r"not above 0\.95 for any image"):
        select_pseudo_labels(PROBABILITIES, 0.95, 2)


def test_the_student_learns_from_smoothed_labels_and_soft_pseudo_labels() -> None:
    pixels = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 2, 2, 3)
    samples = Samples(pixels=pixels, labels=torch.tensor([0, 1, 2, 0, 1, 2]), num_classes=3)
    all_of_them = NoisyStudent(per_class=2).with_pseudo_labels(samples, samples, PROBABILITIES, 0.3)
    assert len(all_of_them) == 6 + 4 and all_of_them.targets is not None
    torch.testing.assert_close(all_of_them.targets[0], torch.tensor([0.8, 0.1, 0.1]))
    torch.testing.assert_close(all_of_them.targets[6:], PROBABILITIES[[0, 2, 3, 5]])
    assert all_of_them.pixels[6:, 0, 0, 0].tolist() == [0, 2, 3, 5]
    assert all_of_them.labels[6:].tolist() == [0, 0, 1, 1]


def test_the_student_has_dropout() -> None:
    module = NoisyStudent(dropout=0.4).prepare(small_net())
    assert [part.p for part in module.modules() if isinstance(part, nn.Dropout)] == [0.4]
    assert NoisyStudent(dropout=0.4).prepare(architectures.build("effnet_micro", 10)).drop_rate == 0.4
