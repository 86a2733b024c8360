"""The ensemble is never weaker than its parts or the authors' package, for any number of classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from robustbench_eff.attacks import APGD, AutoAttack, Oracle
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.models.classifier import Classifier
from running import outcomes, run
from small_models import Linear, survivors


def digits(classifier: Classifier, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, count)
    return images.contiguous(), labels


def test_it_breaks_what_the_authors_package_breaks(digits_standard: Classifier) -> None:
    """Six samples; speed/attacks.py compares hundreds, in all norms."""
    package = pytest.importorskip("pyautoattack")
    images, labels = digits(digits_standard, 6)
    peer = package.AutoAttack(digits_standard, norm="Linf", eps=9 / 255, seed=0, device="cpu", version="standard")
    theirs = survivors(digits_standard, peer.run_standard_evaluation(images, labels, batch_size=6)[0], labels)
    ours = survivors(digits_standard, AutoAttack(eps=9 / 255)(digits_standard, images, labels), labels)
    assert 0 < theirs.sum() < 6, "the comparison says nothing at the ends"
    assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_on_two_classes_it_is_not_weaker_than_the_authors_package(digits_standard) -> None:
    """Even against odd digits. The package's standard set fails on two classes; the parts that work are run."""
    package = pytest.importorskip("pyautoattack")

    class Parity(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return digits_standard(images).unflatten(1, (5, 2)).logsumexp(1)

    model = Parity().eval()
    images, labels = digits(digits_standard, 8)
    peer = package.AutoAttack(
        model, norm="Linf", eps=8 / 255, device="cpu", version="custom", attacks=["apgd-ce", "fab-t", "square"]
    )
    peer.fab.n_target_classes, peer.square.n_queries = 1, 500
    theirs = survivors(model, peer.run_standard_evaluation(images, labels % 2, batch_size=8)[0], labels % 2)
    ours = survivors(model, AutoAttack(eps=8 / 255)(model, images, labels % 2), labels % 2)
    assert 0 < theirs.sum() < 8, "the comparison says nothing at the ends"
    assert not (ours & ~theirs).any()


def test_every_success_names_its_attack_and_later_attacks_see_only_survivors(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard, 8)
    oracle = Oracle(digits_standard)
    found = AutoAttack(eps=8 / 255)(oracle, images, labels)
    alive = survivors(digits_standard, found, labels)
    assert [bool(name) for name in oracle.effort.won_by] == (~alive).tolist()
    first = survivors(digits_standard, APGD(eps=8 / 255)(digits_standard, images, labels), labels)
    assert [name == "apgd-ce" for name in oracle.effort.won_by] == (~first).tolist()
    assert (oracle.effort.num_forwards[alive] > 5000).all()
    assert (oracle.effort.num_forwards[~first] < 102).all()
    assert torch.equal(found[alive], images[alive])


@pytest.mark.parametrize("classes", [2, 3, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("variant", ["standard", "rand"])
def test_models_with_few_or_many_classes_can_be_attacked(classes: int, variant: str) -> None:
    model = Linear(classes).eval()
    images = RandomStreams.of(0, range(6)).uniform((3, 8, 8), stream="images")
    labels = model(images).argmax(1)
    oracle = Oracle(model)
    hard = AutoAttack(eps=1e-4, variant=variant)(oracle, images, labels)
    assert survivors(model, hard, labels).all()
    assert bool(oracle.effort.notes) == (classes < 10 and not (variant == "rand" and classes == 3))
    assert not survivors(model, AutoAttack(eps=0.2, variant=variant)(model, images, labels), labels).any()


def test_plus_has_the_parts_of_the_reference() -> None:
    assert list(AutoAttack(variant="plus").attacks()) == ["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"]
    assert AutoAttack(variant="plus").attacks()["apgd-ce"].restarts == 5
    assert AutoAttack(norm="l1").attacks()["apgd-t"].targets == 5
    assert {attack.eot for attack in AutoAttack(variant="rand").attacks().values()} == {20}


def test_plus_is_not_weaker_than_standard(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard, 2)
    plus = AutoAttack(eps=10 / 255, variant="plus")(digits_standard, images, labels)
    standard = AutoAttack(eps=10 / 255)(digits_standard, images, labels)
    assert not (survivors(digits_standard, plus, labels) & ~survivors(digits_standard, standard, labels)).any()


def test_outcomes_name_the_successful_attack_and_the_deviations(tmp_path: Path) -> None:
    run(tmp_path / "store", attacks=["autoattack(eps=16/255)"], limit=8)
    rows = outcomes(tmp_path / "store")["autoattack(eps=16/255)"].to_pandas()
    assert set(rows["won_by"]) <= {"apgd-ce", "apgd-t", "fab-t", "square", ""}
    assert ((rows["won_by"] == "") == rows["correct"]).all()
    assert (rows["note"] == "").all()
