"""Masked networks are caught, each by the check made for it; a genuine one by none."""

from __future__ import annotations

from pathlib import Path

import pytest
from masked_models import Quantised, Randomised, Tampered, masked

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.checks import CHECKS, Verdict, store_verdicts
from robustbench_eff.store import Store

ATTACKS = (
    "pgd(eps=32/255, steps=10)",
    "pgd(eps=32/255, steps=40)",
    "pgd(eps=0.5, steps=40)",
    "square(eps=32/255, queries=500)",
)


def findings(model, folder: Path, attacks=ATTACKS) -> dict[str, Verdict]:
    options = {"benchmarks": ["digits"], "limit": 48, "store": folder / "store", "precision": "float32"}
    result = evaluate(load_classifier(model, input_size=32), attacks=attacks, **options)
    return {verdict.check: verdict for verdict in result.verdicts}


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    return findings("digits_standard", tmp_path_factory.mktemp("genuine"))


def test_a_genuine_network_passes_every_check(genuine: dict[str, Verdict]) -> None:
    assert {name: verdict.finding for name, verdict in genuine.items()} == dict.fromkeys(CHECKS, "passed")
    assert genuine["black_box"].evidence == "0 of 48 samples fell to square and to no attack with gradients"
    assert genuine["large_epsilon"].evidence == "0 of 48 samples survived ε = 0.5"


@pytest.mark.parametrize(
    ("mask", "caught_by"),
    [
        (Quantised, {"zero_gradients", "large_epsilon", "black_box"}),
        (Tampered, {"zero_gradients", "large_epsilon", "black_box"}),
    ],
)
def test_a_masked_network_is_caught(tmp_path: Path, mask, caught_by: set[str]) -> None:
    found = findings(masked(mask), tmp_path)
    assert {name for name, verdict in found.items() if verdict.finding == "suspect"} == caught_by
    assert "survived pgd with mostly zero gradients" in found["zero_gradients"].evidence


def test_a_network_that_draws_at_random_is_caught(tmp_path: Path) -> None:
    found = findings(masked(Randomised), tmp_path, attacks=ATTACKS[:1])
    assert found["random_outputs"].finding == "suspect"
    assert "8 samples got other logits when asked twice" in found["random_outputs"].evidence


def test_a_suspicion_travels_with_the_scores_and_needs_no_model(tmp_path: Path) -> None:
    findings(masked(Tampered), tmp_path, attacks=("pgd(eps=8/255)",))
    from robustbench_eff.scores.from_store import store_scores

    store = Store.existing(tmp_path / "store")
    flags = {score.perturbation: score.flags for score in store_scores(store) if score.metric == "robust_accuracy"}
    assert flags == {"pgd(eps=8/255)": ("masking suspected: zero_gradients",)}
    assert {verdict.finding for verdict in store_verdicts(store)} == {"suspect", "not run", "passed"}


def test_what_was_not_run_is_said(tmp_path: Path) -> None:
    found = findings("digits_standard", tmp_path, attacks=("fgsm(eps=8/255)",))
    assert {name for name, verdict in found.items() if verdict.finding == "not run"} == {
        "large_epsilon",
        "more_steps",
        "black_box",
    }
    assert "pgd(eps=0.5, steps=50)" in found["large_epsilon"].evidence


def test_more_steps_that_break_many_more_are_suspicious(tmp_path: Path) -> None:
    """A step too short to arrive in two steps."""
    attacks = ("pgd(eps=16/255, steps=2, step_size=1/255)", "pgd(eps=16/255, steps=60, step_size=1/255)")
    assert findings("digits_standard", tmp_path, attacks)["more_steps"].finding == "suspect"


def test_images_of_a_better_attacked_surrogate_count_as_black_box(tmp_path: Path) -> None:
    """PGD sees nothing of the quantised network, but images found on the plain one break it."""
    attacks = ("pgd(eps=16/255)", "pgd(eps=16/255, steps=20) from digits_standard")
    found = findings(masked(Quantised), tmp_path, attacks)
    assert found["black_box"].finding == "suspect"
    assert "fell to transfer" in found["black_box"].evidence
