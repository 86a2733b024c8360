"""The oracle rejects bad input, and its batch size changes no result."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_eff.attacks import FGSM, Oracle
from robustbench_eff.attacks.losses import cross_entropy
from robustbench_eff.core.errors import DataError, ModelError


def model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()


IMAGES, LABELS = torch.full((5, 3, 2, 2), 0.5), torch.zeros(5, dtype=torch.long)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (IMAGES + 1, LABELS, r"in \[0, 1\], got values from 1.5 to 1.5"),
        (IMAGES * float("nan"), LABELS, r"in \[0, 1\]"),
        (IMAGES[0], LABELS, "shape"),
        ((IMAGES * 255).byte(), LABELS, "float images"),
        (IMAGES, LABELS[:2], "as many labels"),
    ],
)
def test_bad_input_is_refused(images: torch.Tensor, labels: torch.Tensor, words: str) -> None:
    with pytest.raises(DataError, match=words):
        FGSM()(model(), images, labels)


def test_a_model_in_train_mode_is_refused() -> None:
    with pytest.raises(ModelError, match="train mode"):
        FGSM()(model().train(), IMAGES, LABELS)


def test_a_model_without_gradients_is_refused() -> None:
    class Detached(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.detach().flatten(1)

    with pytest.raises(ModelError, match="does not depend on its input"):
        FGSM()(Detached().eval(), IMAGES, LABELS)


def test_small_batches_change_nothing() -> None:
    classifier, rows = model(), torch.arange(5)
    answers = []
    for size in (1, 2, 256):
        with Oracle.open(Oracle(classifier, batch_size=size), IMAGES, LABELS) as oracle:
            answers.append((oracle.logits(IMAGES, rows), *oracle.gradient(IMAGES, LABELS, cross_entropy, rows)))
            assert oracle.effort.num_forwards.tolist() == [2] * 5
            assert oracle.effort.num_backwards.tolist() == [1] * 5
    for answer in answers[1:]:
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(answers[0], answer, strict=True))
