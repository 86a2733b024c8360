"""Validation: an entry that was tampered with fails, and the row is named."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest

from board_entries import IMAGES, counted, measured
from robustbench_eff.core.metric import Metric, metric_of
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.entry import Check, Entry, Result
from robustbench_eff.leaderboards.validation import differences, problems, repeated

GOOD = measured("mine", 900, 400)


def changed(number: int, **fields: object) -> Entry:
    """Return the good entry with one result changed, and a matching checksum."""
    results = list(GOOD.measured)
    results[number] = results[number].model_copy(update=fields)
    return GOOD.model_copy(update={"measured": tuple(results)}).with_checksum()


def test_a_sound_entry_has_no_issues() -> None:
    assert (
        problems(GOOD, proportion_interval, metric_of) == []
        and differences(GOOD, GOOD) == []
        and repeated([GOOD]) == []
    )


@pytest.mark.parametrize(
    ("number", "fields", "words"),
    [
        (1, {"value": 0.41}, "interval of 0.41 with n = 1000"),
        (1, {"value": 0.4005}, "value 0.4005 is not a count of 1000 samples"),
        (1, {"low": None, "high": None}, "the interval of 0.4 with n = 1000 is not [None, None]"),
        (1, {"value": 0.41, "source": "me"}, "interval of 0.41 with n = 1000"),
        (1, {"n": None}, "does not give the number of samples"),
        (1, {"cell": ""}, "does not name the cell"),
        (1, {"value": 0.95, "low": None, "high": None}, "robust accuracy 0.95 is above the clean 0.9"),
        (0, {"value": 90.0, "low": None, "high": None}, "expected a fraction, not percent"),
        (0, {"low": None}, "only one end of an interval"),
        (0, {"low": 0.95, "high": 0.99}, "lies outside its interval"),
        (0, {"value": -0.1, "low": None, "high": None}, "is below 0"),
        (1, {"n": 500}, "its cell has 1000 samples"),
        (1, {"n": 0}, "has a value although n is 0"),
        (1, {"cell": "cccc"}, "its cell cccc is not among the cells of the provenance"),
        (1, {"cell": "aaaa"}, "its cell aaaa belongs to digits, none"),
        (1, {"perturbation": "pgd(eps=4/0)", "cell": ""}, "the perturbation cannot be read"),
        (1, {"perturbation": "pgd(eps=none)", "cell": ""}, "eps must be a finite number above 0"),
        (1, {"perturbation": "pgd(eps=1e999)", "cell": ""}, "a number is too large"),
        (1, {"perturbation": f"pgd(eps={'9' * 400})", "cell": ""}, "eps must be a finite number above 0"),
        (1, {"perturbation": f"pgd(eps={'9' * 400}/255)", "cell": ""}, "the perturbation cannot be read"),
        (1, {"perturbation": "fog(severity=2.0)", "cell": ""}, "severity must be an integer from 1 to 5, got 2.0"),
        (1, {"perturbation": "fog(severity=4/2)", "cell": ""}, "severity must be an integer from 1 to 5"),
        (1, {"metric": "robust_accuracy@foo"}, "the metric's radius must be a finite number above 0"),
    ],
)
def test_an_impossible_number_is_found_with_its_row(number: int, fields: dict[str, object], words: str) -> None:
    issues = problems(changed(number, **fields), proportion_interval, metric_of)
    assert any(words in issue.what and issue.where.startswith(f"measured[{number}] (digits, ") for issue in issues), [
        asdict(issue) for issue in issues
    ]


def test_a_metric_must_be_known_where_it_was_measured() -> None:
    fields = {"benchmark": "digits", "metric": "stability", "value": 2.5, "protocol": "test", "n": 9}
    odd = Result(**fields, unit="number")
    entry = GOOD.model_copy(update={"measured": (odd,), "published": (odd,), "claimed": (odd,)}).with_checksum()
    issues = problems(entry, proportion_interval, metric_of)
    assert [(issue.where.partition(" ")[0], issue.what.partition(":")[0]) for issue in issues] == [
        ("measured[0]", "metric stability is unknown")
    ]
    stability = Metric(name="stability", summary="a plugin's", unit="number", high=2.0)
    issues = problems(entry, proportion_interval, partial(metric_of, plugins=(stability,)))
    assert {issue.what for issue in issues} == {"value 2.5 is above 2"}


def test_unit_and_direction_are_those_of_the_metric() -> None:
    issues = problems(changed(0, unit="number", higher_is_better=False), proportion_interval, metric_of)
    assert [issue.what for issue in issues] == [
        "unit is number, expected fraction for accuracy",
        "higher_is_better is False, expected True for accuracy",
    ]


@pytest.mark.parametrize(("metric", "value"), [("effective_robustness", -0.2), ("mCE", 1.3), ("relative_mCE", -0.1)])
def test_a_number_within_the_bounds_of_its_metric_is_sound(metric: str, value: float) -> None:
    known = metric_of(metric)
    assert known is not None
    fields = {"metric": metric, "value": value, "low": None, "high": None}
    entry = changed(0, **fields, higher_is_better=known.higher_is_better)
    assert problems(entry, proportion_interval, metric_of) == []


@pytest.mark.parametrize(
    ("metric", "value", "low", "high", "words"),
    [
        ("mCE", math.inf, None, None, ["value is infinite, which only distances may be"]),
        ("mFR", 1.0, 0.5, math.inf, ["high is infinite, which only distances may be"]),
        ("average_certified_radius", 0.5, 0.1, math.inf, ["high is infinite, which only distances may be"]),
        ("relative_mCE", -math.inf, None, None, ["value is infinite, which only distances may be"]),
        ("aurc", 0.2, -3.0, 9.0, ["low -3.0 is below 0", "high 9.0 is above 1"]),
        ("aurc", 0.2, 0.1, math.inf, ["high inf is above 1"]),
        ("median_distance_linf", math.inf, 0.1, math.inf, []),
        ("mCE", 1.5, 0.5, 2.5, []),
    ],
)
@pytest.mark.parametrize("kind", ["measured", "published", "claimed"])
def test_only_distances_are_infinite_and_intervals_lie_within_the_bounds(
    kind: str, metric: str, value: float, low: float | None, high: float | None, words: list[str]
) -> None:
    known = metric_of(metric)
    assert known is not None
    fields = {"benchmark": "digits", "metric": metric, "value": 0.1, "protocol": "test", "n": 9, "unit": known.unit}
    result = Result(**fields, higher_is_better=known.higher_is_better)
    result = result.model_copy(update={"value": value, "low": low, "high": high})
    entry = GOOD.model_copy(update={"measured": (), kind: (result,)}).with_checksum()
    assert [issue.what for issue in problems(entry, proportion_interval, metric_of)] == words


def test_other_labels_may_leave_out_samples_and_are_not_the_clean_accuracy() -> None:
    labels = replace(IMAGES, labels="ReaL labels")
    fewer = counted(300, 900, cell="aaaa", protocol=labels)
    entry = GOOD.model_copy(update={"measured": (*GOOD.measured, fewer)}).with_checksum()
    assert problems(entry, proportion_interval, metric_of) == []
    more = GOOD.model_copy(update={"measured": (*GOOD.measured, counted(300, 1100, cell="aaaa", protocol=labels))})
    assert [issue.what for issue in problems(more.with_checksum(), proportion_interval, metric_of)] == [
        "n is 1100, its cell has 1000 samples"
    ]


def test_a_change_after_writing_is_found() -> None:
    tampered = GOOD.model_copy(update={"measured": (counted(950, 1000), GOOD.measured[1])})
    assert [issue.where for issue in problems(tampered, proportion_interval, metric_of)] == ["checksum"]


def test_a_repeated_number_is_found_except_for_claims() -> None:
    twice = GOOD.model_copy(update={"measured": GOOD.measured * 2}).with_checksum()
    assert [issue.where for issue in problems(twice, proportion_interval, metric_of)] == [
        "measured[2] (digits, none, accuracy)",
        "measured[3] (digits, pgd(eps=8/255), robust_accuracy)",
    ]
    claim = Result(benchmark="digits", metric="accuracy", value=0.99, protocol="a paper", source="abstract")
    assert problems(Entry(model="m", claimed=(claim, claim)), proportion_interval, metric_of) == []


def test_rows_are_counted_within_their_kind() -> None:
    odd = Result(benchmark="digits", metric="accuracy", value=99, protocol="a paper")
    entry = GOOD.model_copy(update={"published": (odd,), "claimed": (odd,)}).with_checksum()
    assert {issue.where.partition(" ")[0] for issue in problems(entry, proportion_interval, metric_of)} == {
        "published[0]",
        "claimed[0]",
    }


def test_results_without_provenance_and_repeated_models_are_found() -> None:
    bare = GOOD.model_copy(update={"provenance": None}).with_checksum()
    assert "provenance" in {issue.where for issue in problems(bare, proportion_interval, metric_of)}
    assert [issue.what for issue in repeated([GOOD, GOOD])] == ["has 2 entries"]


def test_numbers_that_do_not_follow_from_the_outcomes_are_found() -> None:
    again = changed(1, value=0.401, n=999)
    messages = {issue.what for issue in differences(GOOD, again)}
    assert messages == {"value is 0.4, the outcomes give 0.401", "n is 1000, the outcomes give 999"}
    fewer = GOOD.model_copy(update={"measured": GOOD.measured[:1]})
    assert [issue.what for issue in differences(fewer, GOOD)] == ["follows from the outcomes and is missing"]
    assert [issue.what for issue in differences(GOOD, fewer)] == ["does not follow from the outcomes"]
    assert [issue.what for issue in differences(GOOD, None)] == ["does not have outcomes in the store"]


def test_verdicts_and_weights_must_follow_from_the_outcomes_too() -> None:
    check = Check(benchmark="digits", check="black_box", finding="passed", evidence="0 of 1000")
    honest = GOOD.model_copy(update={"checks": (check.model_copy(update={"finding": "suspect"}),)})
    assert GOOD.provenance is not None
    other = GOOD.provenance.model_copy(update={"weights": "others"})
    lying = honest.model_copy(update={"checks": (check,), "provenance": other})
    assert [issue.where for issue in differences(lying, honest)] == ["provenance.weights", "checks"]
    flipped = changed(0, higher_is_better=False, unit="number", flags=("incomplete",))
    assert [issue.what.partition(" is ")[0] for issue in differences(flipped, GOOD)] == [
        "unit",
        "higher_is_better",
        "flags",
    ]


def test_other_outcomes_are_found(tmp_path: Path) -> None:
    assert GOOD.provenance is not None
    cells = dict(GOOD.provenance.cells)
    cells["bbbb"] = cells["bbbb"].model_copy(update={"outcomes": "1" * 32})
    other = GOOD.model_copy(update={"provenance": GOOD.provenance.model_copy(update={"cells": cells})})
    assert [issue.where for issue in differences(GOOD, other)] == ["provenance.cells.bbbb"]
