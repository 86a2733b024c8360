"""The referee verifies every result of an attack."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import DataError, EvaluationError, ModelError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.core.threat import Threat
from robustbench_eff.evaluation.referee import check_batch, judge
from robustbench_eff.models.classifier import Classifier, Provenance

THREAT = Threat("linf", 0.1)


class Brightness(nn.Module):
    """Predicts class 1 if the mean of the pixels is above the threshold, else class 0."""

    def __init__(self, threshold: float = 0.5) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = images.mean((1, 2, 3)) - self.threshold
        return torch.stack((-10 * score, 10 * score), 1)


def wrapped(module: nn.Module) -> Classifier:
    preprocessing = Preprocessing(geometry=Geometry(size=2, mode="none"))
    return Classifier(module, preprocessing, Provenance(name="toy", source="test", label_space="custom"))


@pytest.fixture
def classifier() -> Classifier:
    return wrapped(Brightness().eval())


IMAGES, LABELS = torch.full((3, 3, 2, 2), 0.45), torch.zeros(3, dtype=torch.long)


def test_a_true_success_counts(classifier: Classifier) -> None:
    verdict = judge(classifier, IMAGES, LABELS, IMAGES + 0.1, THREAT, Batches(256))
    assert verdict.prediction.tolist() == [1, 1, 1]
    assert verdict.flags == ["", "", ""]
    assert verdict.distance_linf.tolist() == pytest.approx([0.1] * 3)
    assert verdict.distance_l0.tolist() == [4, 4, 4]
    assert verdict.margin.tolist() == pytest.approx([-1.0] * 3, abs=1e-5)
    assert verdict.confidence.tolist() == pytest.approx([1 / (1 + torch.e)] * 3, abs=1e-4)


def test_images_outside_the_ball_are_projected_flagged_and_measured(classifier: Classifier) -> None:
    proposed = IMAGES.clone()
    proposed[0] += 0.1 + 1e-4
    proposed[1] += 0.5
    proposed[2] -= 0.6
    verdict = judge(classifier, IMAGES, LABELS, proposed, THREAT, Batches(256))
    assert verdict.flags == ["left_threat_model"] * 3
    assert verdict.excess.tolist() == pytest.approx([1e-4, 0.4, 0.5], abs=1e-6)
    assert verdict.distance_linf.max() <= 0.1 + 1e-6
    assert verdict.prediction.tolist() == [1, 1, 0]


def test_an_image_with_nan_is_judged_on_its_clean_image(classifier: Classifier) -> None:
    proposed = IMAGES + 0.1
    proposed[1, 0, 0, 0] = float("nan")
    verdict = judge(classifier, IMAGES, LABELS, proposed, THREAT, Batches(256))
    assert verdict.flags == ["", "not_finite", ""]
    assert verdict.prediction.tolist() == [1, 0, 1]


def test_rounding_to_8_bits_is_judged_too() -> None:
    classifier = wrapped(Brightness(threshold=127.3 / 255).eval())
    clean = torch.full((2, 3, 2, 2), 127 / 255)
    proposed = clean + torch.tensor([0.4, 0.6]).view(2, 1, 1, 1) / 255
    verdict = judge(classifier, clean, LABELS[:2], proposed, Threat("linf", 1 / 255), Batches(256))
    assert verdict.prediction.tolist() == [1, 1]
    assert verdict.prediction_8bit.tolist() == [0, 1]


@pytest.mark.parametrize("proposed", [IMAGES[:2], IMAGES[:, :, :1], IMAGES.double()])
def test_another_shape_or_type_is_an_error(classifier: Classifier, proposed: torch.Tensor) -> None:
    with pytest.raises(EvaluationError, match="The attack returned"):
        judge(classifier, IMAGES, LABELS, proposed, THREAT, Batches(256))


def test_a_model_that_was_switched_to_train_mode_is_an_error(classifier: Classifier) -> None:
    classifier.model.train()
    with pytest.raises(ModelError, match="model is in train mode"):
        judge(classifier, IMAGES, LABELS, IMAGES, THREAT, Batches(256))


def test_nan_logits_are_an_error() -> None:
    class Sometimes(Brightness):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) / (0 if (images > 0.99).all() else 1)

    with pytest.raises(EvaluationError, match="NaN or infinite logits"):
        judge(wrapped(Sometimes().eval()), IMAGES, LABELS, torch.ones_like(IMAGES), Threat("linf", 0.9), Batches(256))


def test_pixels_and_labels_are_checked_by_sample() -> None:
    ids = ["first", "second", "third"]
    with pytest.raises(DataError, match="second has pixels outside"):
        check_batch(IMAGES + torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1, 1), LABELS, 2, ids)
    with pytest.raises(DataError, match="third has label 7, but the model has classes 0 to 1"):
        check_batch(IMAGES, torch.tensor([0, 1, 7]), 2, ids)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda x: torch.softmax(Brightness()(x), 1), "returns probabilities"),
        (lambda x: Brightness()(x) * float("nan"), "NaN"),
        (lambda x: Brightness()(x)[:, None], r"shape \(N, K\)"),
        (lambda x: Brightness()(x).argmax(1, keepdim=True), "must return float logits"),
        (lambda x: Brightness()(x[:, :, :1, :1] @ torch.ones(3, 3)), "fails on a batch"),
    ],
)
def test_a_model_that_does_not_return_logits_is_refused(output, message: str) -> None:
    class Odd(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return output(images)

    with pytest.raises(ModelError, match=message):
        wrapped(Odd().eval())


def test_a_module_in_train_mode_is_refused() -> None:
    with pytest.raises(ModelError, match="is in train mode"):
        wrapped(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(12, 2)))
