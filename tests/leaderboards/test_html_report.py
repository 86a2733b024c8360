"""The HTML report: self-contained, complete, and the same bytes twice."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from board_entries import counted, measured
from robustbench_eff import evaluate
from robustbench_eff.cli.main import app
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import Layout, Pattern
from robustbench_eff.leaderboards.curves import curves, drawing
from robustbench_eff.leaderboards.entry import Check, Entry
from robustbench_eff.leaderboards.html_report import command, heat_maps, run_page

RADII = ("4/255", "8/255", "16/255")
ATTACKED = Entry(
    model="mine",
    measured=(
        counted(950, 1000),
        *(counted(900 - 100 * place, 1000, f"pgd(eps={eps}, steps=50)") for place, eps in enumerate(RADII)),
        *(counted(900 - 10 * place, 1000, f"fog(severity={place})", metric="accuracy") for place in (1, 3)),
        counted(100, 1000, "security_curve(attack='pgd')", metric="robust_accuracy@1/255"),
        counted(90, 1000, "security_curve(attack='pgd')", metric="robust_accuracy@2/255"),
    ),
    checks=(Check(benchmark="digits", check="black_box", finding="suspect", evidence="5 of 10"),),
)
RUN = {
    "command": ["/usr/bin/robust-eval", "--model", "a b"],
    "status": "finished",
    "wall_seconds": 3.4,
    "gpu": None,
    "processor": "a processor",
    "device": "cpu",
    "python": "3.11",
    "versions": {"torch": "2.13.0", "timm": None},
    "cells": [],
}


class Elements(HTMLParser):
    """Check that elements are closed, and collect their attributes."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]


def test_a_report_is_complete_and_self_contained() -> None:
    text = run_page([ATTACKED], [RUN], {"mine": [("digits, pgd", b"\x89PNG")]}, "A title")
    assert text == run_page([ATTACKED], [RUN], {"mine": [("digits, pgd", b"\x89PNG")]}, "A title")
    for words in (
        "robust-eval --model &#39;a b&#39;",
        "finished after 3 s on a processor (cpu)",
        "torch 2.13.0",
        "5 of 10",
    ):
        assert words in text
    assert "timm" not in text and text.count("<svg") == 2 and "80.00" in text
    page = Elements(text)
    assert page.open == []
    links = {value for _, name, value in page.attributes if name in ("src", "href", "xlink:href") and value}
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)
    assert not re.search(r"<script|@import|url\((?!#)", text)


def test_names_are_text() -> None:
    nasty = measured("<script>alert(1)</script>", 900, 400)
    text = run_page([nasty], [], {nasty.model: [("<img onerror=alert(1)>", b"")]}, "<b>title</b>", ["<script>x"])
    assert "<script" not in text and "<img onerror" not in text and "<b>title" not in text


def test_a_curve_belongs_to_one_attack_and_starts_at_clean_accuracy() -> None:
    by_attack = {curve.attack: curve for curve in curves([ATTACKED])}
    assert set(by_attack) == {"pgd(steps=50)", "security_curve(attack='pgd')"}
    points = by_attack["pgd(steps=50)"].points
    assert [radius for radius, _ in points] == pytest.approx([0, 4 / 255, 8 / 255, 16 / 255])
    assert [result.value for _, result in points] == [0.95, 0.9, 0.8, 0.7]
    assert drawing(list(by_attack.values()), "t") == drawing(list(by_attack.values()), "t")
    assert curves([measured("alone", 900, 400)]) == []


@pytest.mark.parametrize("name", ["$\\frac{$", "a$x$b", "_hidden"])
def test_a_name_is_drawn_as_it_is(name: str) -> None:
    first = curves([ATTACKED.model_copy(update={"model": name})])
    assert f">{name}</text>" in drawing([first[0], first[0]], name)


def test_two_protocols_have_separate_curves_and_heat_maps() -> None:
    first = Protocol(split="first 100", seeds=(1,))
    other = tuple(result.model_copy(update={"protocol": first}) for result in ATTACKED.measured)
    both = ATTACKED.model_copy(update={"measured": ATTACKED.measured + other})
    assert len(heat_maps([both])) == 2
    starts = sorted(str(curve.points[0][1].protocol) for curve in curves([both]))
    assert starts == ["first 100 · seed 1"] * 2 + ["test"] * 2


def test_a_heat_map_has_a_row_for_every_corruption() -> None:
    (heat_map,) = heat_maps([ATTACKED])
    row = heat_map.table.corruptions["fog"]
    assert [None if result is None else result.value for result in row] == [0.89, None, 0.87, None, None]


def test_of_two_clean_accuracies_curves_and_tables_use_the_same() -> None:
    twice = ATTACKED.model_copy(update={"measured": (*ATTACKED.measured, counted(100, 1000))})
    columns = Layout(title="clean", columns=(Pattern(perturbation="none", metric="accuracy"),))
    (shown,) = build_table([twice], columns).rows[0].figures
    assert shown is not None
    assert [curve.points[0][1].value for curve in curves([twice])] == [shown.value, shown.value]


def test_the_confidence_of_an_attack_is_not_among_the_corruptions() -> None:
    scored = counted(40, 100, "one_pixel(pixels=1)", metric="mean_confidence")
    text = run_page([Entry(model="m", measured=(scored,))], [], {}, "T")
    assert "Success of the one-pixel attack" in text and "Corruptions and sequences" not in text


def test_a_command_is_written_as_it_would_be_typed() -> None:
    assert command(["/usr/bin/robust-eval", "--attack", "pgd(eps=4/255)"]) == "robust-eval --attack 'pgd(eps=4/255)'"


def test_the_command_writes_the_report_of_a_store(tmp_path: Path) -> None:
    evaluate("digits_standard", attacks=("fgsm(eps=8/255)", "fgsm(eps=16/255)"), limit=64, store=tmp_path / "store")
    answer = CliRunner().invoke(app, ["report", str(tmp_path / "store"), "--out", str(tmp_path / "page.html")])
    assert answer.exit_code == 0, answer.output
    text = (tmp_path / "page.html").read_text()
    assert "digits_standard" in text and "data:image/png;base64," in text and "<svg" in text
    assert Elements(text).open == []
    printed = CliRunner().invoke(app, ["score", str(tmp_path / "store")]).stdout
    first = printed.splitlines()[0]
    assert first.startswith("digits_standard on digits: robust accuracy ")
    assert 0 < text.index(first) < text.index("<table"), "the headline stands above the first table"
    assert "worst class: " in text
    answer = CliRunner().invoke(app, ["report", str(tmp_path / "nowhere")])
    assert (answer.exit_code, "is not a store of outcomes" in answer.output) == (2, True)
