"""Classes that are made of a model's outputs: what is computed, what is refused, what attacks see."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from fixed_answers import Fixed, outcomes
from labelled_sets import class_folders
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.errors import ModelError, UsageError
from robustbench_eff.models.class_map import ClassMap, restricted

TENCH, GOLDFINCH = 0, 11
OF_GOLDFINCH = "n01531178"


def test_the_mean_of_probabilities_and_the_best_of_them_are_what_they_say() -> None:
    logits = torch.randn(50, 10, generator=torch.Generator().manual_seed(1)) * 3
    members = ((0, 1, 2), (5,), (3, 9))

    class Net(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return logits[: len(images)] + 0 * images.mean()

    classifier = load_classifier(Net().eval(), input_size=8)
    images = torch.rand(50, 3, 8, 8)
    probabilities = logits.double().softmax(1)
    expected = {"mean": "mean", "max": "amax"}
    for aggregation, method in expected.items():
        read = classifier.with_class_map(ClassMap(outputs=10, members=members, aggregation=aggregation))
        scores = torch.stack([getattr(probabilities[:, list(of)], method)(1) for of in members], 1)
        answer = read(images).double()
        assert torch.allclose(answer.softmax(1), scores / scores.sum(1, keepdim=True), atol=1e-6)
        assert (answer.argmax(1) == scores.argmax(1)).all()
        assert (read.num_classes, read.digest) == (3, classifier.digest)
        read.check_mode()
        read.check_weights()
    assert classifier.num_classes == 10
    assert torch.equal(classifier.with_class_map(restricted(10, (4, 2)))(images), logits[:, [4, 2]])


def test_a_class_map_that_cannot_be() -> None:
    for members in (((0,), ()), ((0,), (0, 1)), ((10,),)):
        with pytest.raises(UsageError, match="Every class needs outputs of its own from 0 to 9"):
            ClassMap(outputs=10, members=members)
    classifier = load_classifier(Fixed(0, outputs=10).eval(), input_size=8)
    with pytest.raises(ModelError, match="has 10 outputs; these classes need a model with 1000"):
        classifier.with_class_map(restricted(1000, (1, 2)))


def test_a_model_with_other_outputs_is_told_so_before_any_image_is_decoded(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "set", [OF_GOLDFINCH])
    with pytest.raises(UsageError, match="has 10 outputs, but imagenet-r has 1000 classes"):
        outcomes(tmp_path / "store", "imagenet-r", data, Fixed(0, outputs=10))


def test_attacks_see_the_classes_of_the_benchmark(tmp_path: Path) -> None:
    """An attack on ImageNet-R has to reach another of the 200: outputs beyond them are no success."""

    class Bright(nn.Module):
        """Goldfinch in the dark, junco or tench in the light: the tench, which is no class of R, from half grey on."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            light = images.mean((1, 2, 3))
            logits = torch.full((len(images), 1000), -10.0) + 0 * light[:, None]
            return logits.index_copy(
                1,
                torch.tensor([GOLDFINCH, 13, TENCH]),
                torch.stack((torch.zeros_like(light), 4 * (light - 0.9), 8 * (light - 0.5)), 1),
            )

    folder = tmp_path / "set" / OF_GOLDFINCH
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), (90, 90, 90)).save(folder / "grey.png")
    small = load_classifier(Bright().eval(), input_size=8)
    options = {"data": {"imagenet-r": str(tmp_path / "set")}, "store": tmp_path / "store", "precision": "float32"}
    result = evaluate(small, benchmarks=["imagenet-r", "imagenet-r-1000way"], attacks=["pgd(eps=0.3)"], **options)
    robust = {score.benchmark: score.value for score in result.scores if score.metric == "robust_accuracy"}
    assert robust == {"imagenet-r": 1.0, "imagenet-r-1000way": 0.0}
