"""Attacks called on a module directly keep the promises of `evaluate`: a right result, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_eff.attacks import APGD, FGSM, PGD, Square
from robustbench_eff.core.errors import DataError, ModelError, RobustEvalError, UsageError
from robustbench_eff.core.threat import Threat
from robustbench_eff.registry.attacks import ATTACKS

EPS = 16 / 255


class Network(nn.Module):
    """Linear in normalised pixels; `how` says in which way it is unusual."""

    def __init__(self, how: str = "") -> None:
        super().__init__()
        self.how = how
        self.passes = 0
        self.head = nn.Linear(3 * 8 * 8, 4)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(1)
            self.head.weight.copy_(torch.randn(self.head.weight.shape, generator=generator))
            self.head.bias.zero_()

    def forward(self, images: Tensor) -> Any:
        self.passes += 1
        if self.how == "in place":
            images.sub_(0.5).div_(0.25)
        elif self.how == "in place on the tenth pass":
            images = images.sub_(0.5).div_(0.25) if self.passes == 10 else (images - 0.5) / 0.25
        else:
            images = (images - 0.5) / 0.25
        logits = self.head(images.flatten(1))
        match self.how:
            case "softmax":
                return logits.softmax(1)
            case "nan":
                return logits * float("nan")
            case "nan on the third pass":
                return logits * (float("nan") if self.passes == 3 else 1)
            case "tuple":
                return logits, images
            case "map":
                return logits[:, :, None, None]
            case "one logit":
                return logits[:, :1]
            case "double weights":
                return logits.double() @ torch.eye(4)
        return logits


@pytest.fixture
def images() -> Tensor:
    return torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels(images: Tensor) -> Tensor:
    with torch.no_grad():
        return Network()(images).argmax(1)


ATTACKS_OF_EACH_KIND = (FGSM(eps=EPS), PGD(eps=EPS, steps=5), Square(eps=EPS, queries=50))


@pytest.mark.parametrize("attack", ATTACKS_OF_EACH_KIND, ids=lambda attack: type(attack).__name__)
def test_a_forward_that_writes_into_its_input_gives_the_same_images(attack, images: Tensor, labels: Tensor) -> None:
    expected = attack(Network().eval(), images, labels)
    before = images.clone()
    adversarial = attack(Network("in place").eval(), images, labels)
    assert torch.equal(adversarial, expected)
    assert torch.equal(images, before)
    assert Threat("linf", EPS).excess(adversarial, images).max() <= 1e-6


def test_writes_that_begin_later_are_refused(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ModelError, match=r"writes into its input, and not at every pass(.|\n)*images\.clone\(\)"):
        Square(eps=EPS, queries=50)(Network("in place on the tenth pass").eval(), images, labels)


@pytest.mark.parametrize("attack", (*ATTACKS_OF_EACH_KIND, APGD(eps=EPS, iterations=5, loss="dlr")), ids=repr)
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("softmax", "returns probabilities .* not logits"),
        ("nan", "NaN or infinite logits"),
        ("double weights", r"The model fails on torch.float32 images of shape \(\d+, 3, 8, 8\) on cpu"),
    ],
)
def test_answers_that_are_no_logits_are_named(attack, how: str, message: str, images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ModelError, match=message):
        attack(Network(how).eval(), images, labels)


@pytest.mark.parametrize("attack", ATTACKS_OF_EACH_KIND, ids=lambda attack: type(attack).__name__)
@pytest.mark.parametrize("how", ["tuple", "map"])
def test_logits_are_found_in_other_outputs(attack, how: str, images: Tensor, labels: Tensor) -> None:
    assert torch.equal(attack(Network(how).eval(), images, labels), attack(Network().eval(), images, labels))


def test_one_logit_stands_for_two_classes(images: Tensor) -> None:
    class Two(Network):
        def forward(self, images: Tensor) -> Tensor:
            return torch.nn.functional.pad(super().forward(images)[:, :1], (1, 0))

    single, two = Network("one logit").eval(), Two().eval()
    labels = (single(images)[:, 0] > 0).long()
    for attack in ATTACKS_OF_EACH_KIND:
        assert torch.equal(attack(single, images, labels), attack(two, images, labels))


def test_a_nan_on_the_way_is_found(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ModelError, match="NaN or infinite logits"):
        PGD(eps=EPS, steps=5, early_stop=False)(Network("nan on the third pass").eval(), images, labels)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
def test_integer_labels_of_any_type_are_taken(dtype: torch.dtype, images: Tensor, labels: Tensor) -> None:
    model = Network().eval()
    for attack in ATTACKS_OF_EACH_KIND:
        assert torch.equal(attack(model, images, labels.to(dtype)), attack(model, images, labels))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x.numpy(), y), r"got numpy.ndarray for the images(.|\n)*torch.as_tensor\(images\)"),
        (lambda x, y: (x, y.numpy()), r"got numpy.ndarray for the labels(.|\n)*torch.as_tensor\(labels\)"),
        (lambda x, y: (x, y.tolist()), r"got list for the labels(.|\n)*torch.as_tensor\(labels\)"),
        (lambda x, y: ((x, y), y), "got tuple for the images"),
        (lambda x, y: (x, nn.functional.one_hot(y).float()), r"indices of classes(.|\n)*labels.argmax\(1\)"),
        (lambda x, y: (x, y.float()), r"indices of classes(.|\n)*labels.long\(\)"),
        (lambda x, y: (x, y + 3), "has label .*, but the model has classes 0 to 3"),
        (lambda x, y: (x, y - 4), "has label -.*, but the model has classes 0 to 3"),
        (lambda x, y: ((255 * x).byte(), y), r"float images(.|\n)*images / 255"),
        (lambda x, y: (x * 2, y), r"images in \[0, 1\]"),
        (lambda x, y: (x.double(), y), r"fails on torch.float64(.|\n)*weights are torch.float32 on cpu"),
    ],
)
@pytest.mark.parametrize("attack", ATTACKS_OF_EACH_KIND, ids=lambda attack: type(attack).__name__)
def test_inputs_that_do_not_fit_get_one_sentence(
    attack, change: Callable, message: str, images: Tensor, labels: Tensor
) -> None:
    with pytest.raises(RobustEvalError, match=message):
        attack(Network().eval(), *change(images, labels))


def test_what_is_no_model_is_named(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ModelError, match=r"maps images to logits, got str(.|\n)*load_classifier"):
        PGD()("resnet50", images, labels)  # type: ignore[arg-type]


def test_inference_mode_is_refused_and_its_tensors_are_not(images: Tensor, labels: Tensor) -> None:
    model = Network().eval()
    with torch.inference_mode():
        copy = images.clone()
        with pytest.raises(UsageError, match="inference_mode"):
            PGD(eps=EPS)(model, images, labels)
    assert torch.equal(PGD(eps=EPS)(model, copy, labels), PGD(eps=EPS)(model, images, labels))


def test_the_first_good_attack_after_a_failed_one_is_unharmed(images: Tensor, labels: Tensor) -> None:
    from robustbench_eff.attacks import Oracle

    network = Network("nan").eval()
    oracle = Oracle(network)
    with pytest.raises(ModelError):
        FGSM(eps=EPS)(oracle, images, labels)
    network.how = ""
    assert torch.equal(FGSM(eps=EPS)(oracle, images, labels), FGSM(eps=EPS)(Network().eval(), images, labels))


@pytest.mark.parametrize("name", ATTACKS)
def test_results_of_every_attack_are_plain_tensors_of_their_own(name: str) -> None:
    """Also for images that are part of a graph, and labels of another type."""
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    labels = Network()(images).argmax(1).int()
    leaf = images.clone().requires_grad_(True)
    adversarial = ATTACKS[name].load()()(Network().eval(), leaf, labels)
    assert not adversarial.requires_grad
    assert adversarial.grad_fn is None
    assert adversarial.untyped_storage().data_ptr() != leaf.untyped_storage().data_ptr()
    assert leaf.grad is None
    assert np.array_equal(leaf.detach().numpy(), images.numpy())
    with pytest.raises(DataError, match=r"got numpy\.ndarray"):
        ATTACKS[name].load()()(Network().eval(), images.numpy(), labels)
