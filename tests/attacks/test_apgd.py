"""Auto-PGD: properties beyond the contract, and parity with the authors' package."""

from __future__ import annotations

import logging

import pytest
import torch

from robustbench_eff.attacks import APGD, APGDT, PGD, Oracle
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.models.classifier import Classifier
from small_models import Linear, survivors

EPS = {"linf": 8 / 255, "l2": 1.0, "l1": 12.0}


@pytest.fixture(scope="module")
def samples(digits_standard: Classifier) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = prepare(DIGITS, open_digits(), digits_standard.preprocessing.geometry).batch(0, 40)
    with torch.no_grad():
        right = digits_standard(images).argmax(1) == labels
    return images[right].contiguous(), labels[right]


def reference(classifier: Classifier, samples, norm: str, loss: str, seed: int) -> torch.Tensor:
    peer = pytest.importorskip("pyautoattack.autopgd_base").APGDAttack(
        classifier,
        norm={"linf": "Linf", "l2": "L2", "l1": "L1"}[norm],
        eps=EPS[norm],
        loss=loss,
        seed=seed,
        device="cpu",
        logger=logging.getLogger(__name__),
        use_largereps=norm == "l1",
    )
    return survivors(classifier, peer.perturb(*samples), samples[1])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", ["ce", "dlr"])
def test_apgd_breaks_what_the_reference_breaks(digits_standard: Classifier, samples, norm, loss) -> None:
    theirs = reference(digits_standard, samples, norm, loss, 0)
    found = APGD(eps=EPS[norm], norm=norm, loss=loss)(digits_standard, *samples)
    ours = survivors(digits_standard, found, samples[1])
    assert 0.05 < theirs.float().mean() < 0.95, "the comparison says nothing at the ends"
    assert ours.sum() <= theirs.sum() + 1
    assert (ours != theirs).sum() <= 2


@pytest.mark.slow
def test_apgd_in_l1_breaks_as_many_as_the_reference(digits_standard: Classifier, samples) -> None:
    """The start decides several samples in a hundred, between two runs of the reference too, so counts are compared."""
    attack = APGD(eps=EPS["l1"], norm="l1", shrinking_ball=True)
    counts = []
    for seed in range(2):
        theirs = reference(digits_standard, samples, "l1", "ce", seed)
        found = attack(digits_standard, *samples, RandomStreams.of(seed, range(len(samples[1]))))
        counts.append((survivors(digits_standard, found, samples[1]).sum().item(), theirs.sum().item()))
    ours, peer = (sum(column) / len(counts) for column in zip(*counts, strict=True))
    assert 5 < peer < 35
    assert ours == pytest.approx(peer, abs=3)


@pytest.mark.slow
def test_targets_break_at_least_what_the_loss_on_all_classes_breaks(digits_standard: Classifier, samples) -> None:
    images, labels = samples
    untargeted = survivors(digits_standard, APGD(eps=8 / 255)(digits_standard, images, labels), labels)
    targeted = survivors(digits_standard, APGDT(eps=8 / 255)(digits_standard, images, labels), labels)
    assert (targeted & ~untargeted).sum() <= 1


def test_apgd_is_not_weaker_than_pgd_with_as_many_steps(digits_standard: Classifier, samples) -> None:
    images, labels = samples
    plain = survivors(digits_standard, PGD(eps=8 / 255, steps=100)(digits_standard, images, labels), labels)
    auto = survivors(digits_standard, APGD(eps=8 / 255)(digits_standard, images, labels), labels)
    assert auto.sum() <= plain.sum()


@pytest.mark.parametrize("norm", EPS)
def test_a_surviving_sample_returns_its_clean_image(digits_standard: Classifier, samples, norm) -> None:
    images, labels = samples
    found = APGD(eps=EPS[norm] / 8, norm=norm, iterations=10)(digits_standard, images, labels)
    same = (found == images).flatten(1).all(1)
    assert torch.equal(same, survivors(digits_standard, found, labels))
    assert same.any()


def test_restarts_never_help_the_model(digits_standard: Classifier, samples) -> None:
    images, labels = samples
    once = APGD(eps=6 / 255, iterations=10)(digits_standard, images, labels)
    thrice = APGD(eps=6 / 255, iterations=10, restarts=3)(digits_standard, images, labels)
    assert not (survivors(digits_standard, thrice, labels) & ~survivors(digits_standard, once, labels)).any()


@pytest.mark.parametrize(
    ("classes", "note"),
    [(2, "the targeted margin"), (3, "targeted DLR needs 4"), (7, "used 6 instead of 9 targets"), (30, "")],
)
def test_models_with_few_classes_are_attacked_and_the_deviation_is_noted(classes: int, note: str) -> None:
    model = Linear(classes).eval()
    draws = RandomStreams.of(0, range(8))
    images = draws.uniform((3, 8, 8), stream="images")
    labels = model(images).argmax(1)
    oracle = Oracle(model)
    found = APGDT(eps=0.2)(oracle, images, labels)
    assert not survivors(model, found, labels).any()
    assert note in "; ".join(oracle.effort.notes)
    assert bool(oracle.effort.notes) == bool(note)


def test_dlr_with_two_classes_maximizes_the_negative_margin_and_notes_it() -> None:
    model = Linear(2).eval()
    images = RandomStreams.of(0, range(8)).uniform((3, 8, 8), stream="images")
    labels = model(images).argmax(1)
    oracle = Oracle(model)
    assert not survivors(model, APGD(eps=0.2, loss="dlr")(oracle, images, labels), labels).any()
    assert oracle.effort.notes == ["apgd-dlr maximized the negative margin: DLR needs 3 classes"]


def test_misclassified_samples_cost_no_further_passes(digits_standard: Classifier, samples) -> None:
    images, labels = samples
    oracle = Oracle(digits_standard)
    found = APGDT(eps=16 / 255, iterations=20)(oracle, images, labels)
    alive = survivors(digits_standard, found, labels)
    assert (~alive).any()
    assert oracle.effort.num_backwards[~alive].max() < 9 * 21


def test_a_shrinking_ball_requires_l1() -> None:
    with pytest.raises(SpecError, match="norm=l1"):
        APGD(shrinking_ball=True)


def test_a_gradient_averaged_over_draws_breaks_a_random_network() -> None:
    """The relevant direction is hidden in noise 30 times its length, so one query does not reveal it."""

    class Noisy(Linear):
        def __init__(self) -> None:
            super().__init__(2)
            self.generator = torch.Generator().manual_seed(0)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            noise = torch.randn(self.directions.shape, generator=self.generator)
            return (images.flatten(1) - 0.5) @ (self.directions + 30 * noise).T

    plain, noisy = Linear(2).eval(), Noisy().eval()
    images = RandomStreams.of(0, range(16)).uniform((3, 8, 8), stream="images")
    labels = plain(images).argmax(1)
    drops = []
    for eot in (1, 200):
        attack = PGD(eps=0.05, steps=5, eot=eot, early_stop=False)
        found = attack(noisy, images, labels)
        drops.append((plain(found) - plain(images)).gather(1, 1 - labels[:, None]).mean().item())
    assert drops[1] > 3 * drops[0]
