"""The drawing in which certified accuracy and the accuracy under attacks stand together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from board_entries import IMAGES, counted
from robustbench_eff import certify
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.certified_curves import certified_curves
from robustbench_eff.leaderboards.curves import drawing
from robustbench_eff.leaderboards.entry import Entry
from robustbench_eff.leaderboards.validation import problems
from robustbench_eff.publishing.measured_entries import measured_entries
from robustbench_eff.registry.metrics import find_metric

SMOOTHING = "smoothing(sigma=0.25, n=1000)"
VOTED = replace(IMAGES, seeds=(0,), smoothing="smoothed with noise of σ 0.25, 100 + 1,000 draws, α 0.001")
OTHER = replace(IMAGES, seeds=(0,), split="another")


def certified(right: int, radius: str):
    return counted(right, 1000, SMOOTHING, metric=f"certified_accuracy@{radius}", protocol=VOTED)


ENTRY = Entry(
    model="mine",
    measured=(
        counted(950, 1000),
        certified(900, "0.0"),
        certified(700, "0.25"),
        certified(300, "0.5"),
        counted(880, 1000, f"pgd(eps=0.25, norm='l2') on {SMOOTHING}", protocol=VOTED),
        counted(650, 1000, f"pgd(eps=0.5, norm='l2') on {SMOOTHING[:-1]}, draws=64)", protocol=VOTED),
        counted(1, 1000, "pgd(eps=0.5, norm='l2') on smoothing(sigma=0.5)", protocol=VOTED),
        counted(2, 1000, f"pgd(eps=8/255) on {SMOOTHING}", protocol=VOTED),
        counted(3, 1000, "pgd(eps=8/255)"),
        counted(4, 1000, "pgd(eps=0.5, norm='l2')", protocol=OTHER),
        counted(400, 1000, "pgd(eps=0.5, norm='l2')"),
        counted(600, 1000, "security_curve(eps=[0.1, 0.2], norm='l2')", metric="robust_accuracy@0.1"),
    ),
)


def drawn(entry: Entry) -> list[list[tuple[str, list[tuple[float, float | None]]]]]:
    """For every drawing the names of its curves, with their radii and values."""
    return [
        [(curve.attack, [(radius, result.value) for radius, result in curve.points]) for curve in shown]
        for shown in certified_curves([entry])
    ]


def test_a_certified_curve_stands_with_the_l2_attacks_on_the_same_classifier_and_on_its_network() -> None:
    (shown,) = drawn(ENTRY)
    assert shown == [
        ("certified", [(0.0, 0.9), (0.25, 0.7), (0.5, 0.3)]),
        ("pgd on the smoothed classifier", [(0.0, 0.9), (0.25, 0.88), (0.5, 0.65)]),
        ("pgd on the network", [(0.0, 0.95), (0.5, 0.4)]),
        ("security_curve on the network", [(0.0, 0.95), (0.1, 0.6)]),
    ]


def test_the_drawing_is_the_same_bytes_twice_and_says_what_its_axes_are() -> None:
    (shown,) = certified_curves([ENTRY])
    svg = drawing(shown, "certified", "L2 radius")
    assert svg == drawing(shown, "certified", "L2 radius")
    assert ">L2 radius</text>" in svg and 'aria-label="certified"' in svg


def test_without_certificates_there_is_no_drawing() -> None:
    assert certified_curves([Entry(model="mine", measured=(counted(950, 1000), counted(3, 1000, "pgd(eps=1)")))]) == []


def test_the_certificates_of_a_store_are_drawn(digits_standard, tmp_path: Path) -> None:
    options = {"limit": 4, "store": tmp_path / "store", "benchmarks": ["digits"], "device": "cpu"}
    attacks = ["pgd(eps=0.5, norm=l2, steps=2)"]
    certify(digits_standard, sigma=0.25, n=100, n0=10, draws=2, attacks=attacks, **options)
    (entry,) = measured_entries([tmp_path / "store"])
    ((certified_curve, attacked_curve),) = drawn(entry)
    assert certified_curve[0] == "certified"
    assert [radius for radius, _ in certified_curve[1]] == [0.0, 0.25]
    assert attacked_curve[0] == "pgd on the smoothed classifier"
    assert [radius for radius, _ in attacked_curve[1]] == [0.0, 0.5]


def test_an_entry_with_certificates_and_attacks_on_them_is_valid() -> None:
    strengths = [issue for issue in problems(ENTRY, proportion_interval, find_metric) if "cannot be read" in issue.what]
    assert strengths == []
