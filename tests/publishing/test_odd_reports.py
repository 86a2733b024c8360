"""Reports of stores that people will have: each is a whole page that says what there is, and what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from html_page import Page, complaints
from odd_stores import LONG, ODD, RIGHT_TO_LEFT, gallery, odd_store, of_format_6, with_pictures
from robustbench_eff.publishing.report.page import report_page
from robustbench_eff.storage.store import Store
from site_entries import BOLD, SCRIPT

WORDS = {
    "one attack": (
        "model classifies 90 % [76.3, 97.2] of clean digits images correctly, and 25 % [12.7, 41.2] under the only "
        "attack, fgsm(eps=8/255), in L∞ 8/255 (n = 40).",
    ),
    "many models": (
        "20 models were evaluated on digits. Under the strongest attacks in L∞ 8/255, model 00 keeps most, 55 %",
        "model 19 least, 7.5 %",
        "1 of them has no number there.",
    ),
    "names": (LONG, RIGHT_TO_LEFT, SCRIPT, BOLD),
    "a thousand classes": ("90 more classes", "900 more classes: in the report with --full", "goldfish"),
    "published files": ("The hardest corruption measured, fog at severity 5, leaves 50 %", "nothing to compare"),
    "only corruptions": (
        "50 % [16, 84] of the imagenet-c-generated images on average under corruption (imagenet_c) correctly",
        "mCE",
    ),
    "only an attack": ("model classifies 25 % [3.2, 65.1] of the digits images under the only attack",),
    "clean alone": ("No attack was run on these images: how robust the model is against one is unknown.",),
    "empty": ("This store does not hold a number yet.",),
    "unfinished": (
        "3 evaluations failed. 4 evaluations not finished; the numbers count what is stored.",
        "fmn: failed: EvaluationError: it gave up here",
        "and 100 % [29.2, 100] under the only attack, security_curve(eps=[4/255, 8/255, 16/255]), in L∞ 4/255 "
        "(incomplete: 3 of 40)",
    ),
    "no adversarial images": ("∞ [∞, ∞]", "> 0.0627"),
    "certificates": (
        "Smoothed with noise, model classifies 66.7 % [29.9, 92.5] of the images under the only attack",
        "certified to be right on 66.7 % [29.9, 92.5] of the images within an L2 radius of 0.25",
    ),
    "cue conflict": ("decides by shape in 30 % [6.7, 65.2] of its decisions by shape or texture.",),
    "sequences": ("model changes its prediction from frame to frame in 31.1 % [0.7, 89.2] of cases",),
    "two models": ("weights are random",),
    "votes": ("draws at random: 4 votes per image",),
}
"""What the pages of some of the stores must say."""


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("full", [False, True], ids=["short", "full"])
def test_every_odd_store_has_a_readable_page(name: str, full: bool, tmp_path: Path) -> None:
    store = Store.existing(odd_store(name, tmp_path / "store"))
    text = report_page(store, full=full)
    page = Page(text)
    assert [*complaints(page)] == []
    for words in WORDS.get(name, ()):
        if not (full and "more classes" in words):
            assert words in page.text
    assert not re.search(r"\b(nan|None)\b", page.text), "a value that a page cannot show"
    assert "<script>alert" not in text and "<b onmouseover" not in text


def test_a_store_of_an_earlier_format_has_the_same_page(tmp_path: Path) -> None:
    place = odd_store("one attack", tmp_path / "store")
    page = report_page(Store.existing(place))
    assert report_page(Store.existing(of_format_6(place))) == page


def test_a_picture_of_an_earlier_version_is_shown_as_it_is(tmp_path: Path) -> None:
    place = with_pictures(odd_store("one attack", tmp_path / "store"), gallery(3, 32))
    page = Page(report_page(Store.existing(place)))
    (picture,) = page.find("img")
    assert picture.attributes["width"] == str(3 * 36 + 4)
    assert "does not say which samples it shows" in page.text


def test_the_page_of_many_models_does_not_list_them_all_in_words(tmp_path: Path) -> None:
    text = report_page(Store.existing(odd_store("many models", tmp_path / "store")))
    assert len(Page(text.partition("</header>")[0].partition("<header>")[2]).text) < 400
    rows = re.findall(r'scope="row"><bdi>(model \d\d)</bdi></th>', text)
    strongest = [name for name in (f"model {number:02d}" for number in range(20)) if name != "model 07"]
    assert rows[:20] == [*strongest, "model 07"], "the table is sorted by the number that leads"
