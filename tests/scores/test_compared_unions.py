"""The worst of several attacks is compared as every other number, on the same samples and under the same attacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_eff import evaluate
from robustbench_eff.scores.compare import compare
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.per_sample import sample_contributions
from robustbench_eff.storage.store import Store

ATTACKS = ["fgsm(eps=16/255)", "pgd(eps=16/255, steps=5)"]
UNION = "worst of fgsm, pgd, linf 16/255"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    place = tmp_path_factory.mktemp("unions") / "store"
    for model, attacks in (("digits_standard", ATTACKS), ("digits_fast", ATTACKS), ("digits_sat", ATTACKS[:1])):
        evaluate(model, benchmarks=["digits"], attacks=attacks, limit=48, store=place)
    return Store(place)


def rows(store: Store, *models: str) -> list[str]:
    return [row.perturbation for row in compare(*(sample_contributions(store, name)[0] for name in models))]


def test_the_values_are_those_of_the_report(store: Store) -> None:
    models = ("digits_standard", "digits_fast")
    (row,) = [
        row for row in compare(*(sample_contributions(store, name)[0] for name in models)) if row.perturbation == UNION
    ]
    scores = {
        score.model: score
        for score in store_scores(store)
        if (score.perturbation, score.metric) == (UNION, "robust_accuracy")
    }
    assert (row.a, row.b) == tuple(scores[name].value for name in models)
    assert row.only_a is not None and row.low <= row.difference <= row.high
    assert row.protocols == (scores["digits_standard"].protocol,) and len(row.protocols[0].attacks) == 2


def test_a_model_without_one_of_the_attacks_is_not_compared_by_them(store: Store) -> None:
    assert UNION not in rows(store, "digits_standard", "digits_sat")


def test_unions_of_attacks_with_other_arguments_are_not_compared(store: Store, tmp_path: Path) -> None:
    weaker = [ATTACKS[0], "pgd(eps=16/255, steps=2)"]
    evaluate("digits_fast", benchmarks=["digits"], attacks=weaker, limit=48, store=tmp_path / "store")
    other = sample_contributions(Store(tmp_path / "store"), "digits_fast")[0]
    compared = compare(sample_contributions(store, "digits_standard")[0], other)
    assert UNION not in [row.perturbation for row in compared]
    assert UNION in [entry.perturbation for entry in other.values()]
