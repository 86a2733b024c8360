"""Every entry that is made of outcomes validates, alone and against them, and survives its file: for every metric."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from earlier_entries import old
from entry_stores import STORES, write
from metric_sets import PUBLISHED_ONLY, WITH_PEOPLE
from robustbench_eff.core.metric import METRICS, Metric, metric_of
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.entry import Entry, read_entry
from robustbench_eff.leaderboards.validation import ValidationIssue, differences, problems
from robustbench_eff.publishing.collect import validate_entries, write_entries
from robustbench_eff.publishing.measured_entries import measured_entries
from robustbench_eff.registry.metrics import find_metric, score_functions
from robustbench_eff.scores.alexnet import AlexNet, published
from robustbench_eff.scores.build_score import score_of
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import CellScores


def alexnet() -> AlexNet:
    """AlexNet with top-5 distances, without which there is no mT5D."""
    return replace(published(), top5_distances=dict.fromkeys(published().flip_probabilities, 3.0))


def entries_of(name: str, folder: Path) -> list[Entry]:
    return measured_entries([write(folder / "store", STORES[name])], alexnet())


def issues_of(entry: Entry) -> list[ValidationIssue]:
    return problems(entry, proportion_interval, find_metric)


@pytest.mark.parametrize("name", STORES)
def test_an_entry_validates_alone_and_against_its_outcomes(name: str, tmp_path: Path) -> None:
    entries = entries_of(name, tmp_path)
    again = {entry.model: entry for entry in measured_entries([tmp_path / "store"], alexnet())}
    for entry, path in zip(entries, write_entries(entries, tmp_path / "entries"), strict=True):
        assert json.loads(path.read_text(), parse_constant=pytest.fail)["format"] == 2
        read = read_entry(path)
        assert read == entry.with_checksum()
        assert read.text() == path.read_text()
        assert issues_of(read) == []
        assert differences(read, again[entry.model]) == []
        assert entry.measured
        earlier = old(read)
        assert json.loads(earlier.text())["format"] == 1 and not any(
            "detail" in row for row in json.loads(earlier.text())["measured"]
        )
        assert issues_of(earlier) == []
        assert differences(earlier, again[entry.model]) == []


@pytest.mark.parametrize("name", [name for name in STORES if name != "sequences"])
def test_the_command_finds_nothing_wrong_with_what_it_wrote(name: str, tmp_path: Path) -> None:
    store = write(tmp_path / "store", STORES[name])
    write_entries(measured_entries([store]), tmp_path / "entries")
    assert validate_entries([tmp_path / "entries"], [store]) == []


def test_the_worst_of_attacks_of_an_earlier_version_is_compared_with_the_outcomes(tmp_path: Path) -> None:
    (entry,) = entries_of("accuracies", tmp_path)
    earlier = old(entry)
    (union,) = (result for result in earlier.measured if result.perturbation.startswith("worst of "))
    assert union.perturbation == "worst of 2 attacks in 4 runs, linf 8/255"

    def changed(**fields: object) -> Entry:
        results = [union.model_copy(update=fields) if result is union else result for result in earlier.measured]
        return earlier.model_copy(update={"measured": tuple(results)}).with_checksum()

    messages = [issue.what for issue in differences(changed(value=0.5), entry)]
    assert messages == ["value is 0.5, the outcomes give 0.375"]
    assert differences(changed(flags=("fewer flags than today",)), entry) == []
    assert differences(changed(perturbation="worst of 3 attacks, linf 8/255"), entry) == []
    without = earlier.model_copy(update={"measured": earlier.measured[1:]}).with_checksum()
    assert [issue.what for issue in differences(without, entry)] == ["follows from the outcomes and is missing"]


def test_the_worst_class_is_named_in_the_entry_and_compared(tmp_path: Path) -> None:
    (entry,) = entries_of("accuracies", tmp_path)
    worst = {result.perturbation: result for result in entry.measured if result.metric.startswith("worst_class")}
    assert worst["none"].detail == "class 2 and 1 more, n = 10"
    others = [result.detail for result in entry.measured if not result.metric.startswith("worst_class")]
    assert all(result.detail for result in worst.values()) and set(others) == {""}
    results = tuple(
        result.model_copy(update={"detail": "class 1, n = 10"}) if result == worst["none"] else result
        for result in entry.measured
    )
    changed = entry.model_copy(update={"measured": results}).with_checksum()
    assert [issue.what for issue in differences(changed, entry)] == [
        "detail is class 1, n = 10, the outcomes give class 2 and 1 more, n = 10"
    ]


def test_every_metric_that_the_package_computes_is_in_one_of_these_entries(tmp_path: Path) -> None:
    results = [
        result
        for number, name in enumerate(STORES)
        for entry in entries_of(name, tmp_path / str(number))
        for result in entry.measured
    ]
    with_value = {
        metric.name for result in results if result.value is not None and (metric := metric_of(result.metric))
    }
    expected = set(METRICS) - PUBLISHED_ONLY - WITH_PEOPLE
    assert expected - with_value == set(), "these need a store in tests/support/entry_stores.py"
    assert with_value - expected == set(), "these are not published only"


def medians(name: str, folder: Path) -> dict[str, tuple[float | None, float | None, float | None, float | None]]:
    (entry,) = entries_of(name, folder)
    return {
        result.perturbation.partition("(")[0]: (result.value, result.low, result.high, result.searched_to)
        for result in entry.measured
        if result.metric.startswith("median_distance")
    }


def test_the_stores_hold_the_distances_that_they_are_named_for(tmp_path: Path) -> None:
    value, low, high, searched_to = medians("open intervals", tmp_path / "1")["fmn"]
    assert value is not None and low is not None
    assert 0 < low < value < math.inf and (high, searched_to) == (math.inf, None)
    of_infinite = medians("infinite medians", tmp_path / "2")
    assert of_infinite["fmn"][0] == math.inf and of_infinite["security_curve"][3] == 16 / 255
    assert medians("no adversarial images", tmp_path / "3")["fmn"] == (math.inf, math.inf, math.inf, None)
    assert medians("searches with one image", tmp_path / "4")["fmn"][1:] == (0.0, math.inf, None)


def test_flags_of_unfinished_and_failed_cells_are_in_the_entry(tmp_path: Path) -> None:
    (entry,) = entries_of("unfinished", tmp_path)
    flags = {flag for result in entry.measured for flag in result.flags}
    assert {"incomplete: 12 of 40", "drawn at random: 10 of 40"} <= flags
    failed = [result for result in entry.measured if "failed: EvaluationError: it gave up here" in result.flags]
    assert {result.value for result in failed} == {None} and len({result.perturbation for result in failed}) == 3


def test_the_metric_of_a_plugin_validates_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Metric(name="acme/gap", summary="made up for this test", low=-1.0)

    def compute(item: CellOutcomes) -> list[Score]:
        return [score_of(item, gap.name, -0.25 if len(item) else None, (-0.5, 0.5) if len(item) else (None, None))]

    class Row:
        """A row of the table of scores."""

        def load(self) -> CellScores:
            return CellScores(compute=compute, kinds=("clean",), metrics=(gap,))

    both = (*score_functions(), ("acme/gap", Row().load()))
    monkeypatch.setattr("robustbench_eff.scores.compute.score_functions", lambda: both)
    monkeypatch.setattr("robustbench_eff.registry.metrics.plugin_metrics", lambda: (gap,))
    (entry,) = entries_of("accuracies", tmp_path)
    assert -0.25 in {result.value for result in entry.measured if result.metric == "acme/gap"}
    assert issues_of(entry.with_checksum()) == []
    unknown = problems(entry.with_checksum(), proportion_interval, metric_of)
    assert {issue.what for issue in unknown} == {"metric acme/gap is unknown: install the plugin that computes it"}


@pytest.mark.parametrize(
    ("metric", "change", "words"),
    [
        ("median_distance_linf", {"low": 0.9}, "lies outside its interval"),
        ("median_distance_linf", {"high": None}, "has only one end of an interval"),
        ("median_distance_linf", {"value": math.inf, "high": 0.5}, "lies outside its interval"),
        ("median_distance_linf", {"searched_to": 0.001}, "is above 0.001, the limit of the search"),
        ("accuracy", {"value": math.inf, "high": math.inf}, "is above 1"),
        ("accuracy", {"low": -3.0}, "low -3.0 is below 0"),
        ("accuracy", {"high": 9.0}, "high 9.0 is above 1"),
        ("median_distance_linf", {"low": -0.1}, "low -0.1 is below 0"),
        ("accuracy", {"searched_to": 0.5}, "has the limit of a search, which only distances have"),
    ],
)
def test_a_wrong_distance_is_found(metric: str, change: dict[str, float], words: str, tmp_path: Path) -> None:
    (entry,) = entries_of("searches", tmp_path)
    index = next(number for number, result in enumerate(entry.measured) if result.metric == metric)
    results = list(entry.measured)
    results[index] = results[index].model_copy(update=change)
    changed = entry.model_copy(update={"measured": tuple(results)}).with_checksum()
    found = [issue for issue in issues_of(changed) if issue.where.startswith(f"measured[{index}] ")]
    assert any(re.search(words, issue.what) for issue in found), found
    assert any(issue.where.startswith(f"measured[{index}] ") for issue in differences(changed, entry))
