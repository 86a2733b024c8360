"""Carlini and Wagner's attack: properties beyond the contract."""

from __future__ import annotations

import math

import pytest
import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.carlini_wagner import CarliniWagner
from robustbench_eff.attacks.losses import margin
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import distance
from robustbench_eff.core.types import Images, Labels
from robustbench_eff.models.classifier import Classifier


def right(classifier: Classifier, count: int) -> tuple[Images, Labels]:
    """Return digits that are classified correctly."""
    images, labels = prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, 2 * count)
    with torch.no_grad():
        correct = classifier(images).argmax(1) == labels
    return images[correct][:count], labels[correct][:count]


def distances(classifier, adversarial: Images, images: Images, labels: Labels) -> torch.Tensor:
    with torch.no_grad():
        wrong = classifier(adversarial).argmax(1) != labels
    return torch.where(wrong, distance(adversarial, images, "l2"), math.inf)


def test_on_a_linear_classifier_the_nearest_point_of_the_boundary_is_found() -> None:
    weight = torch.randn(12, generator=torch.Generator().manual_seed(3))

    def model(images: Images) -> torch.Tensor:
        lead = (images.flatten(1) - 0.5) @ weight
        return torch.stack((lead, -lead), 1)

    images = 0.5 + 0.05 * torch.randn(12, 3, 2, 2, generator=torch.Generator().manual_seed(4))
    lead = (images.flatten(1) - 0.5) @ weight
    nearest, labels = lead.abs() / weight.norm(), (lead < 0).long()
    found = distances(model, CarliniWagner(binary_search_steps=6)(model, images, labels), images, labels)
    assert (found >= nearest * 0.999).all()
    assert (found / nearest).median() < 1.05


def test_it_finds_what_foolbox_finds_at_equal_settings(digits_standard: Classifier) -> None:
    foolbox = pytest.importorskip("foolbox")
    images, labels = right(digits_standard, 6)
    peer = foolbox.PyTorchModel(digits_standard, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=4, steps=40, stepsize=0.02, initial_const=0.1, abort_early=False
    )
    found = attack.run(peer, images, foolbox.criteria.Misclassification(labels))
    theirs = distances(digits_standard, found, images, labels)
    ours = distances(
        digits_standard,
        CarliniWagner(binary_search_steps=4, iterations=40, step_size=0.02, abort_early=False)(
            digits_standard, images, labels
        ),
        images,
        labels,
    )
    assert torch.equal(ours.isfinite(), theirs.isfinite())
    assert ours.isfinite().all()
    assert torch.allclose(ours, theirs, rtol=0.01)


def test_with_confidence_another_class_leads_by_that_much(digits_standard: Classifier) -> None:
    images, labels = right(digits_standard, 4)
    options = {"binary_search_steps": 4, "iterations": 40, "step_size": 0.04}
    adversarial = CarliniWagner(**options, confidence=2.0)(digits_standard, images, labels)
    plain = CarliniWagner(**options)(digits_standard, images, labels)
    with torch.no_grad():
        assert (margin(digits_standard(adversarial), labels) < -2.0).all()
        assert (margin(digits_standard(plain), labels) > -2.0).any()


def test_with_an_eps_a_sample_stops_at_its_first_success_within_eps(digits_standard: Classifier) -> None:
    images, labels = right(digits_standard, 12)
    options = {"binary_search_steps": 3, "iterations": 40, "step_size": 0.04}
    anywhere, within = Oracle(digits_standard), Oracle(digits_standard)
    far = distances(digits_standard, CarliniWagner(**options)(anywhere, images, labels), images, labels)
    eps = far.sort().values[5:7].mean().item()
    found = CarliniWagner(**options, eps=eps)(within, images, labels)
    near = distances(digits_standard, found, images, labels)
    assert torch.equal(near.isfinite(), far <= eps)
    assert torch.equal(found[near.isinf()], images[near.isinf()])
    won = near.isfinite()
    assert 0 < won.sum() < len(images)
    assert (within.effort.num_forwards <= anywhere.effort.num_forwards).all()
    assert within.effort.num_forwards[won].sum() < anywhere.effort.num_forwards[won].sum()


def test_searches_without_progress_end_early(digits_standard: Classifier) -> None:
    """If no class can be reached, the loss decreases to the constant's term and stays there."""
    images, labels = right(digits_standard, 2)
    flat = torch.zeros(2, 10).scatter(1, labels[:, None], 5.0)

    def stubborn(pixels: Images) -> torch.Tensor:
        return flat[: len(pixels)] + 0 * pixels.sum((1, 2, 3))[:, None]

    patient, hasty = Oracle(stubborn), Oracle(stubborn)
    CarliniWagner(binary_search_steps=2, iterations=50, abort_early=False)(patient, images, labels)
    adversarial = CarliniWagner(binary_search_steps=2, iterations=50)(hasty, images, labels)
    assert torch.equal(adversarial, images)
    assert patient.effort.num_forwards.tolist() == [100, 100]
    assert hasty.effort.num_forwards.tolist() == [12, 12]


def test_black_and_white_pixels_can_change() -> None:
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 2, 2).contiguous()
    labels = torch.tensor([0, 1])

    def model(pixels: Images) -> torch.Tensor:
        lead = pixels.mean((1, 2, 3)) - 0.5
        return torch.stack((-lead, lead), 1) * 10

    adversarial = CarliniWagner(iterations=300, step_size=0.05, abort_early=False, binary_search_steps=2)(
        model, images, labels
    )
    assert distances(model, adversarial, images, labels).isfinite().all()


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(SpecError, match="iterations must be >= 1"):
        CarliniWagner(iterations=0)
    with pytest.raises(SpecError, match="confidence >= 0"):
        CarliniWagner(confidence=-1)
