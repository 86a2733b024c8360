"""FAB-T: properties beyond the contract."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from robustbench_eff import load_classifier
from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.fab_t import FABT
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import LpNorm, distance
from robustbench_eff.core.types import Images, Labels
from robustbench_eff.models.classifier import Classifier

SHORT = 12
"""Iterations: enough for the little networks here."""


def right(classifier: Classifier, count: int = 24) -> tuple[Images, Labels]:
    """Return digits that are classified correctly."""
    images, labels = prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, 2 * count)
    with torch.no_grad():
        correct = classifier(images).argmax(1) == labels
    return images[correct][:count], labels[correct][:count]


def distances(classifier, adversarial: Images, images: Images, labels: Labels, norm: LpNorm) -> torch.Tensor:
    """Return the distance of each misclassified image; infinity for the others."""
    with torch.no_grad():
        wrong = classifier(adversarial).argmax(1) != labels
    return torch.where(wrong, distance(adversarial, images, norm), math.inf)


class Linear(torch.nn.Module):
    """Three classes; the boundaries are hyperplanes."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = torch.nn.Parameter(torch.randn(3, 12, generator=generator))

    def forward(self, images: Images) -> torch.Tensor:
        return (images.flatten(1) - 0.5) @ self.weight.T


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_on_a_linear_classifier_the_nearest_point_of_the_boundary_is_found(norm: LpNorm) -> None:
    """Far from the walls it lies at margin / dual norm of the difference of weights, and FAB overshoots by 5 %."""
    model = Linear().eval()
    images = 0.5 + 0.02 * torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        logits = model(images)
    labels = logits.argmax(1)
    dual = {"linf": 1, "l2": 2, "l1": math.inf}[norm]
    slopes = torch.linalg.vector_norm(model.weight[labels][:, None] - model.weight[None], dual, dim=2).clamp_min(1e-9)
    gaps = (logits.gather(1, labels[:, None]) - logits).scatter(1, labels[:, None], math.inf) / slopes
    found = distances(model, FABT(eps=None, norm=norm, iterations=SHORT)(model, images, labels), images, labels, norm)
    assert (found >= gaps.amin(1) * 0.9999).all()
    assert (found <= gaps.amin(1) * 1.051).all()


@pytest.mark.parametrize(("norm", "eps"), [("linf", 10 / 255), ("l2", 1.2), ("l1", 14.2)])
def test_successes_within_eps_are_those_of_the_search_without_eps(
    digits_standard: Classifier, norm: LpNorm, eps: float
) -> None:
    images, labels = right(digits_standard, 12)
    options = {"norm": norm, "iterations": SHORT, "targets": 3}
    anywhere = FABT(eps=None, **options)(digits_standard, images, labels)
    within = FABT(eps=eps, **options)(digits_standard, images, labels)
    far = distances(digits_standard, anywhere, images, labels, norm)
    near = distances(digits_standard, within, images, labels, norm)
    assert far.isfinite().all()
    assert torch.equal(near.isfinite(), far <= eps)
    assert 0 < near.isfinite().sum() < len(images)
    assert (near[near.isfinite()] <= eps + 1e-6).all()
    assert torch.equal(within[near.isinf()], images[near.isinf()])


def test_a_misclassified_clean_image_is_returned_unchanged(digits_standard: Classifier) -> None:
    images, labels = right(digits_standard, 6)
    labels = (labels + (torch.arange(6) % 2)) % 10
    oracle = Oracle(digits_standard)
    adversarial = FABT(eps=None, iterations=SHORT)(oracle, images, labels)
    assert torch.equal(adversarial[1::2], images[1::2])
    assert not (adversarial[::2] == images[::2]).flatten(1).all(1).any()
    assert oracle.effort.num_backwards[1::2].max() <= 9
    assert oracle.effort.num_backwards[::2].min() >= 9 * SHORT


def test_points_that_have_not_crossed_cost_one_forward_and_one_backward_pass_per_step() -> None:
    """A second forward pass for the classification would make it two and one."""
    model = Linear().eval()
    images = torch.rand(5, 3, 2, 2, generator=torch.Generator().manual_seed(4))
    labels = torch.zeros(5).long()

    def certain(pixels: Images) -> torch.Tensor:
        return model(pixels) + torch.tensor([1000.0, 0, 0])

    oracle = Oracle(certain)
    adversarial = FABT(eps=None, iterations=SHORT)(oracle, images, labels)
    assert torch.equal(adversarial, images)
    assert oracle.effort.num_backwards.tolist() == 5 * [2 * SHORT]
    assert oracle.effort.num_forwards.tolist() == 5 * [1 + 2 * (SHORT + 1)]


def test_restarts_never_find_farther_points_and_are_keyed_by_the_draws(digits_standard: Classifier) -> None:
    images, labels = right(digits_standard, 8)
    options = {"eps": None, "norm": "l2", "iterations": 5, "targets": 3}
    once = FABT(**options)(digits_standard, images, labels)
    thrice = FABT(**options, restarts=3)(digits_standard, images, labels)
    nearer = distance(thrice, images, "l2") - distance(once, images, "l2")
    assert nearer.max() <= 0
    assert nearer.min() < 0
    assert FABT(restarts=2).stochastic
    assert not FABT().stochastic


def test_fewer_classes_than_targets_are_noted() -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    images = torch.full((3, 3, 2, 2), 0.5)
    with torch.no_grad():
        labels = model(images).argmax(1)
    oracle = Oracle(model)
    adversarial = FABT(eps=None, iterations=5)(oracle, images, labels)
    assert oracle.effort.notes == ["fab-t used 1 instead of 9 targets: the model has 2 classes"]
    assert distances(model, adversarial, images, labels, "linf").isfinite().all()


def test_ties_of_coarse_logits_do_not_stop_the_search(digits_standard: Classifier) -> None:
    """Logits in steps of 1/4, as in low precision: on the boundary they tie, and the label wins the tie."""

    class Coarse(torch.nn.Module):
        def forward(self, images: Images) -> torch.Tensor:
            logits = digits_standard(images)
            return logits + ((4 * logits).round() / 4 - logits).detach()

    images, labels = right(digits_standard, 6)
    model = Coarse().eval()
    adversarial = FABT(eps=None, iterations=SHORT)(model, images, labels)
    assert distances(model, adversarial, images, labels, "linf").isfinite().all()


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(SpecError, match="overshoot must be >= 1"):
        FABT(overshoot=0.9)
    with pytest.raises(SpecError, match="iterations and restarts must be >= 1"):
        FABT(iterations=0)


@pytest.mark.shared
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_fab_t_finds_what_its_reference_finds(shared: Path, norm: LpNorm) -> None:
    """alpha-beta-CROWN's adversarially trained CNN; 12 images, 3 targets, without an eps."""
    reference = pytest.importorskip("pyautoattack.fab_pt")
    import numpy as np

    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 4, 2, 1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 4, 2, 1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(2048, 100),
        torch.nn.ReLU(),
        torch.nn.Linear(100, 10),
    )
    module.load_state_dict(torch.load(shared / "cifar_cnn_a_mix.pth", weights_only=True, map_location="cpu"))
    classifier = load_classifier(
        module.eval(), input_size=32, mean=[0.4914, 0.4822, 0.4465], std=[0.2471, 0.2435, 0.2616]
    )
    archive = np.load(shared / "cifar10_train_first4000_lossless.npz")
    images = torch.from_numpy(archive["x"][:24]).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(archive["y"][:24]).long()
    with torch.no_grad():
        correct = classifier(images).argmax(1) == labels
    images, labels = images[correct][:12], labels[correct][:12]
    name = {"linf": "Linf", "l2": "L2", "l1": "L1"}[norm]
    peer = reference.FABAttack_PT(classifier, norm=name, n_iter=SHORT, targeted=True, device="cpu")
    theirs = torch.full((len(images),), math.inf)
    for target in (2, 3, 4):
        peer.target_class = target
        found = peer.attack_single_run(images, labels, is_targeted=True)
        theirs = torch.minimum(theirs, distances(classifier, found, images, labels, norm))
    ours = FABT(eps=None, norm=norm, iterations=SHORT, targets=3)(classifier, images, labels)
    ratio = distances(classifier, ours, images, labels, norm) / theirs
    assert ratio.median() == pytest.approx(1, abs=1e-3)
    assert ratio.max() < 1.05
