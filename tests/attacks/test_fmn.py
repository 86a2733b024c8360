"""The fast minimum-norm attack: properties beyond the contract."""

from __future__ import annotations

import math

import pytest
import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.fmn import FMN, _inside
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, distance
from robustbench_eff.core.types import Images, Labels
from robustbench_eff.models.classifier import Classifier


def right(classifier: Classifier, count: int) -> tuple[Images, Labels]:
    """Return digits that are classified correctly."""
    images, labels = prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, 2 * count)
    with torch.no_grad():
        correct = classifier(images).argmax(1) == labels
    return images[correct][:count], labels[correct][:count]


def distances(classifier, adversarial: Images, images: Images, labels: Labels, norm: LpNorm) -> torch.Tensor:
    with torch.no_grad():
        wrong = classifier(adversarial).argmax(1) != labels
    return torch.where(wrong, distance(adversarial, images, norm), math.inf)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_on_a_linear_classifier_the_nearest_point_of_the_boundary_is_found(norm: LpNorm) -> None:
    """Two classes, images far from black and white: the distance is |margin| / dual norm of the weights."""
    weight = torch.randn(12, generator=torch.Generator().manual_seed(3))

    def model(images: Images) -> torch.Tensor:
        lead = (images.flatten(1) - 0.5) @ weight
        return torch.stack((lead, -lead), 1)

    images = 0.5 + 0.02 * torch.randn(30, 3, 2, 2, generator=torch.Generator().manual_seed(4))
    lead = (images.flatten(1) - 0.5) @ weight
    nearest = lead.abs() / torch.linalg.vector_norm(weight, {"linf": 1, "l2": 2, "l1": math.inf}[norm])
    labels = (lead < 0).long()
    found = distances(model, FMN(norm=norm)(model, images, labels), images, labels, norm)
    assert (found >= nearest * 0.999).all()
    assert (found / nearest).median() < 1.02
    assert found.isfinite().all()


@pytest.mark.parametrize(("norm", "eps"), [("linf", 10 / 255), ("l2", 1.2), ("l1", 14.2)])
def test_with_an_eps_a_sample_stops_at_its_first_success_within_eps(
    digits_standard: Classifier, norm: LpNorm, eps: float
) -> None:
    images, labels = right(digits_standard, 16)
    anywhere, within = Oracle(digits_standard), Oracle(digits_standard)
    far = distances(digits_standard, FMN(norm=norm, steps=40)(anywhere, images, labels), images, labels, norm)
    found = FMN(norm=norm, steps=40, eps=eps)(within, images, labels)
    near = distances(digits_standard, found, images, labels, norm)
    assert far.isfinite().all()
    assert torch.equal(near.isfinite(), far <= eps)
    assert 0 < near.isfinite().sum() < len(images)
    assert torch.equal(found[near.isinf()], images[near.isinf()])
    assert (within.effort.num_forwards[near.isfinite()] < 40).all()
    assert (anywhere.effort.num_forwards == 40).all()
    assert (anywhere.effort.num_backwards == 39).all()


def test_a_misclassified_clean_image_is_returned_unchanged(digits_standard: Classifier) -> None:
    images, labels = right(digits_standard, 4)
    oracle = Oracle(digits_standard)
    adversarial = FMN(steps=10)(oracle, images, (labels + torch.tensor([0, 1, 0, 1])) % 10)
    assert torch.equal(adversarial[1::2], images[1::2])
    assert oracle.effort.num_forwards.tolist() == [10, 1, 10, 1]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_perturbations_are_projected_onto_each_samples_own_ball(norm: LpNorm) -> None:
    delta = RandomStreams.of(0, range(50)).normal((3, 4, 4), stream="delta")
    zero = torch.zeros_like(delta)
    whole = distance(delta, zero, norm)
    radius = whole * torch.linspace(0.05, 1.5, 50)
    held = _inside(delta, radius, norm)
    assert torch.allclose(distance(held, zero, norm), torch.minimum(radius, whole), rtol=1e-5)
    assert torch.allclose(held[radius > whole], delta[radius > whole])
    if norm == "l1":  # the nearest point of an L1 ball is a soft threshold: what is left has shrunk by the same
        shrunk = (delta.abs() - held.abs())[held != 0]
        rows = (held != 0).nonzero()[:, 0]
        most = torch.zeros(50).scatter_reduce(0, rows, shrunk, "amax", include_self=False)
        least = torch.zeros(50).scatter_reduce(0, rows, shrunk, "amin", include_self=False)
        assert torch.allclose(most, least, atol=1e-5)


def test_coarse_logits_do_not_stop_the_search(digits_standard: Classifier) -> None:
    """Logits in steps of 1/4 tie on the boundary, and the label wins the tie."""

    class Coarse(torch.nn.Module):
        def forward(self, images: Images) -> torch.Tensor:
            logits = digits_standard(images)
            return logits + ((4 * logits).round() / 4 - logits).detach()

    images, labels = right(digits_standard, 6)
    model = Coarse().eval()
    assert distances(model, FMN(steps=50)(model, images, labels), images, labels, "linf").isfinite().all()


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_fmn_finds_what_foolbox_finds(digits_standard: Classifier, norm: LpNorm) -> None:
    """Not in L2, where Foolbox's attack does not project."""
    foolbox = pytest.importorskip("foolbox")
    images, labels = right(digits_standard, 16)
    peer = foolbox.PyTorchModel(digits_standard, bounds=(0, 1), device="cpu")
    attack = {"linf": foolbox.attacks.LInfFMNAttack, "l1": foolbox.attacks.L1FMNAttack}[norm](steps=50)
    found = attack.run(peer, images, foolbox.criteria.Misclassification(labels))
    theirs = distances(digits_standard, found, images, labels, norm)
    found = FMN(norm=norm, steps=50)(digits_standard, images, labels)
    ours = distances(digits_standard, found, images, labels, norm)
    assert ours.isfinite().all()
    assert (ours / theirs).median().item() == pytest.approx(1, abs=0.03)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(SpecError, match="steps must be >= 1, got 0"):
        FMN(steps=0)
    with pytest.raises(SpecError, match="last_step_size <= step_size"):
        FMN(step_size=0.001)
