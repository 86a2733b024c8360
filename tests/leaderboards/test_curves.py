"""Accuracy against the radius of an attack: which numbers belong to one curve, and how it is drawn."""

from __future__ import annotations

import pytest

from board_entries import counted, measured
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import Layout, Pattern
from robustbench_eff.leaderboards.curves import MOST_BANDS, STYLES, curves, drawing
from robustbench_eff.leaderboards.entry import Entry

RADII = ("4/255", "8/255", "16/255")
ATTACKED = Entry(
    model="mine",
    measured=(
        counted(950, 1000),
        *(counted(900 - 100 * place, 1000, f"pgd(eps={eps}, steps=50)") for place, eps in enumerate(RADII)),
        counted(100, 1000, "security_curve(attack='pgd')", metric="robust_accuracy@1/255"),
        counted(90, 1000, "security_curve(attack='pgd')", metric="robust_accuracy@2/255"),
    ),
)


def test_a_curve_belongs_to_one_attack_and_starts_at_clean_accuracy() -> None:
    by_attack = {curve.attack: curve for curve in curves([ATTACKED])}
    assert set(by_attack) == {"pgd(steps=50)", "security_curve(attack='pgd')"}
    points = by_attack["pgd(steps=50)"].points
    assert [radius for radius, _ in points] == pytest.approx([0, 4 / 255, 8 / 255, 16 / 255])
    assert [result.value for _, result in points] == [0.95, 0.9, 0.8, 0.7]
    assert curves([measured("alone", 900, 400)]) == []


def test_a_drawing_is_the_same_bytes_twice_with_radii_as_fractions_and_its_words_for_the_blind() -> None:
    first = curves([ATTACKED])[:1]
    svg = drawing(first, 'mine: <95 %> "at" 0')
    assert svg == drawing(first, 'mine: <95 %> "at" 0')
    assert [eps in svg for eps in (">0</text>", ">4/255</text>", ">8/255</text>", ">16/255</text>")] == [True] * 4
    assert 'role="img" aria-label="mine: &lt;95 %&gt; &quot;at&quot; 0"' in svg
    assert '<g id="' not in svg, "ids of several drawings on one page"


def test_curves_are_told_apart_by_more_than_their_colour_and_few_have_bands() -> None:
    assert (
        len({(style.marker, style.line) for style in STYLES}) == len({style.glyph for style in STYLES}) == len(STYLES)
    )
    first = curves([ATTACKED])[0]
    few, many = drawing([first] * MOST_BANDS, "few"), drawing([first] * (MOST_BANDS + 1), "many")
    assert few.count("opacity: 0.15") > 0 and many.count("opacity: 0.15") == 0


def test_two_protocols_have_separate_curves() -> None:
    first = Protocol(split="first 100", seeds=(1,))
    other = tuple(result.model_copy(update={"protocol": first}) for result in ATTACKED.measured)
    both = ATTACKED.model_copy(update={"measured": ATTACKED.measured + other})
    starts = sorted(str(curve.points[0][1].protocol) for curve in curves([both]))
    assert starts == ["first 100 · seed 1"] * 2 + ["test"] * 2


def test_of_two_clean_accuracies_curves_and_tables_use_the_same() -> None:
    twice = ATTACKED.model_copy(update={"measured": (*ATTACKED.measured, counted(100, 1000))})
    columns = Layout(title="clean", columns=(Pattern(perturbation="none", metric="accuracy"),))
    (shown,) = build_table([twice], columns).rows[0].figures
    assert shown is not None
    assert [curve.points[0][1].value for curve in curves([twice])] == [shown.value, shown.value]
