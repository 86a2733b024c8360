"""Masked networks are caught, each by the check made for it; a genuine one by none."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

import outcome_tables
from masked_models import Quantised, Randomised, Tampered, masked
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.reports.verdicts import verdict_lines
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.masking_checks import (
    CHECKS,
    Verdict,
    black_box,
    large_epsilon,
    more_steps,
    store_verdicts,
    zero_gradients,
)
from robustbench_eff.storage.store import Store

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


def test_a_network_that_draws_at_random_is_judged_by_votes(tmp_path: Path) -> None:
    found = findings(masked(Randomised), tmp_path, attacks=("fgsm(eps=8/255)",))
    assert found["random_outputs"].finding == "passed"
    assert found["random_outputs"].evidence == "draws at random: every image is judged by 201 votes"


def test_a_suspicion_travels_with_the_scores_and_needs_no_model(tmp_path: Path) -> None:
    findings(masked(Tampered), tmp_path, attacks=("pgd(eps=8/255)",))
    from robustbench_eff.scores.compute import store_scores

    store = Store.existing(tmp_path / "store")
    scores = store_scores(store, verdicts=store_verdicts(store))
    flags = {score.perturbation: score.flags for score in scores if score.metric == "robust_accuracy"}
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


def evidence(name: str, correct: list[bool], **fields) -> CellOutcomes:
    """A finished cell on four samples, as far as the checks read it."""
    columns = {"num_backwards": [20] * 4, "zero_gradients": [0] * 4, "won_by": [""] * 4, "flag": [""] * 4}
    columns |= {key: fields.pop(key) for key in list(fields) if key in columns}
    configuration = {"threat": {"norm": "linf", "eps": 8 / 255}, "steps": 10, **fields}
    record = outcome_tables.cell(4, f"{name}(...)", id=name, configuration=configuration, seed=0)
    return CellOutcomes(record, pa.table({"correct": correct, **columns}))


BROKEN, SOUND = [False] * 4, [True] * 4


def test_weak_attacks_are_no_measure_of_what_gradients_can_do() -> None:
    alone = [evidence("fgsm", SOUND), evidence("square", BROKEN)]
    assert black_box(alone)[0] == "not run"
    assert black_box([*alone, evidence("pgd", BROKEN)])[0] == "passed"
    assert black_box([*alone, evidence("pgd", SOUND)])[0] == "suspect"
    wide = {"threat": {"norm": "linf", "eps": 0.5}}
    assert large_epsilon([evidence("fgsm", SOUND, **wide)])[0] == "not run"
    assert large_epsilon([evidence("pgd", SOUND, **wide), evidence("apgd", BROKEN, **wide)])[0] == "passed"


def test_steps_are_compared_where_there_are_most_of_them() -> None:
    few, more, most = (
        evidence("pgd", right, steps=steps) for right, steps in ((SOUND, 1), (BROKEN, 100), (BROKEN, 200))
    )
    assert more_steps([few])[0] == "not run"
    assert more_steps([few, more])[0] == "suspect"
    assert more_steps([few, more, most])[0] == "passed"
    worse = evidence("pgd", SOUND, steps=300)
    assert more_steps([more, worse])[:2] == ("passed", "pgd(...) left 0 of 4 samples fewer than with fewer steps")


def test_a_masked_surrogate_says_nothing_about_the_model_that_is_judged() -> None:
    masked_gradients = {"zero_gradients": [20] * 4}
    assert zero_gradients([evidence("pgd", SOUND, **masked_gradients)])[0] == "suspect"
    assert zero_gradients([evidence("pgd", BROKEN, **masked_gradients)])[0] == "passed"
    assert zero_gradients([evidence("pgd", SOUND, surrogate="x", **masked_gradients)])[0] == "not run"


def test_square_counts_within_the_standard_ensemble_only() -> None:
    """In `plus` other attacks come after it."""
    won = {"won_by": ["square"] * 4}
    assert black_box([evidence("autoattack", BROKEN, variant="standard", **won)])[0] == "suspect"
    assert black_box([evidence("autoattack", BROKEN, variant="plus", **won)])[0] == "not run"


def test_images_of_a_better_attacked_surrogate_count_as_black_box(tmp_path: Path) -> None:
    """PGD sees nothing of the quantised network, but images found on the plain one break it."""
    attacks = ("pgd(eps=16/255)", "pgd(eps=16/255, steps=20) from digits_standard")
    found = findings(masked(Quantised), tmp_path, attacks)
    assert found["black_box"].finding == "suspect"
    assert "fell to transfer" in found["black_box"].evidence


def test_two_models_of_one_name_have_a_line_each(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.lock():
        for digest in ("one", "two"):
            for of in (
                outcome_tables.cell(4, model_digest=digest),
                outcome_tables.attack_cell(4, "square(eps=8/255)", 8 / 255, model_digest=digest),
                outcome_tables.attack_cell(4, "pgd(eps=8/255)", 8 / 255, model_digest=digest),
            ):
                stored = of.identified()
                store.write_cell(stored)
                store.write_shard(stored.id, outcome_tables.table(4, correct=[True] * 4))
    names = {score.model for score in store_scores(store)}
    assert len(names) == 2 and all(name.startswith("model #") for name in names)
    found = store_verdicts(store)
    assert {verdict.model for verdict in found} == names
    file = io.StringIO()
    verdict_lines(found, Console(file=file, width=400))
    printed = file.getvalue().splitlines()
    assert len(printed) == 2 and all(any(f"{name} ·" in line for line in printed) for name in names)
    assert all(line.count("black_box") == 1 for line in printed)


def test_one_model_on_two_sets_of_images_has_a_line_each() -> None:
    verdict = Verdict(model="m", benchmark="b", protocol=Protocol(), check="black_box", finding="passed", evidence="")
    file = io.StringIO()
    verdict_lines([verdict, verdict], Console(file=file, width=400))
    first, second = file.getvalue().splitlines()
    assert first.count("black_box") == 1 and "set 2 of images" in second
