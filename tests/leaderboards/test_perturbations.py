"""Severities and radii in spec texts, and corruptions by severity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.entry import Entry
from robustbench_eff.leaderboards.perturbations import at_radius, at_severity, by_severity, metric_at_radius
from robustbench_eff.leaderboards.site.model_page import parts
from robustbench_eff.leaderboards.site.plots import plots
from site_entries import result

IMAGES = Protocol(description="all images")


def test_a_severity_is_an_integer_from_1_to_5() -> None:
    assert at_severity("fog(severity=3, constants='cifar10')") == ("fog(constants='cifar10')", 3)
    for text in (
        "fog",
        "fog(severity=2.0)",
        "fog(severity=4/2)",
        "fog(severity=true)",
        "fog(severity=6)",
        "fog, thick",
    ):
        assert at_severity(text) is None, text


def test_a_radius_is_a_finite_number_above_0() -> None:
    assert at_radius("pgd(eps=4/255, steps=50)") == ("pgd(steps=50)", 4 / 255)
    assert at_radius("pgd(eps=1)") == ("pgd", 1.0)
    assert metric_at_radius("robust_accuracy@4/255") == ("robust_accuracy", 4 / 255)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1e999", "1e999-1e999", "9" * 400, f"{'9' * 400}/255", "true", "x", "[1, 2]", "-" * 9999]
)
def test_any_other_radius_is_none(text: str) -> None:
    assert at_radius(f"pgd(eps={text})") is None
    assert metric_at_radius(f"robust_accuracy@{text}") is None


def test_an_integer_of_thousands_of_digits_is_not_a_spec() -> None:
    assert at_radius(f"pgd(eps=4/255, steps=0x{'f' * 4000})") is None


def test_report_plots_and_page_have_the_same_corruptions_by_severity() -> None:
    drawn = [result("snow(severity=1)", 0.5 + seed / 10, protocol=replace(IMAGES, seeds=(seed,))) for seed in (0, 1)]
    results = (result("fog(severity=1)", 0.6), *drawn, result("fog(severity=1)", 0.9))
    entry = Entry(model="m", measured=results)
    tables = by_severity(results)
    (part,) = parts(entry)
    (plot,) = plots([entry])
    assert tables == [group.table for group in part.severities]
    assert [table.protocol for table in tables] == [replace(IMAGES, seeds=(seed,)) for seed in (0, 1)]
    values = [{name: row[0].value for name, row in table.corruptions.items() if row[0]} for table in tables]
    assert values == [{"fog": 0.6, "snow": 0.5}, {"fog": 0.6, "snow": 0.6}]
    assert [{row[0]: row[2] for row in view.models["m"]} for view in plot.views] == values


def test_deterministic_corruptions_have_their_own_table_without_random_ones() -> None:
    (table,) = by_severity([result("fog(severity=5)", 0.6), result("none", 0.9)])
    assert (table.protocol, list(table.corruptions)) == (IMAGES, ["fog"])
    assert table.corruptions["fog"][:4] == [None] * 4
