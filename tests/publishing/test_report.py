"""The report of a store: results first, each part short or whole, one file that needs nothing else."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from entry_stores import attacked, clean, first_of, write
from html_page import Page, complaints
from odd_stores import odd_store
from robustbench_eff import evaluate
from robustbench_eff.cli.main import app
from robustbench_eff.evaluation.gallery import Sample, picture
from robustbench_eff.publishing.report.checks import checked
from robustbench_eff.publishing.report.class_accuracy import class_accuracy
from robustbench_eff.publishing.report.content import read_content
from robustbench_eff.publishing.report.heat import heat_maps
from robustbench_eff.publishing.report.numbers import main_tables
from robustbench_eff.publishing.report.page import report_page
from robustbench_eff.publishing.report.pictures import galleries
from robustbench_eff.publishing.report.runs import command, status
from robustbench_eff.publishing.report.wording import share
from robustbench_eff.scores.masking_checks import CHECKS
from robustbench_eff.storage.picture import Pictured
from robustbench_eff.storage.store import Store


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A real store: two attacks at two radii, and a corruption."""
    place = tmp_path_factory.mktemp("report") / "store"
    attacks = ("fgsm(eps=8/255)", "fgsm(eps=16/255)", "pgd(eps=16/255, steps=5)")
    evaluate("digits_standard", attacks=attacks, corruptions=("fog(severity=5)",), limit=64, store=place)
    return Store.existing(place)


def test_the_command_writes_one_file_that_needs_nothing_else(digits: Store, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    answer = CliRunner().invoke(app, ["report", digits.place, "--out", str(out), "--title", "A & B"])
    assert answer.exit_code == 0, answer.output
    text = out.read_text()
    assert text == report_page(digits, "A & B"), "the same bytes twice"
    page = Page(text)
    assert [*complaints(page)] == []
    assert not re.search(r"@import|url\((?!#)|<link|<script src", text)
    assert "<title>A &amp; B</title>" in text and "digits_standard" in page.text
    answer = CliRunner().invoke(app, ["report", str(tmp_path / "nowhere")])
    assert (answer.exit_code, "is not a store of outcomes" in answer.output) == (2, True)


def test_results_come_first_and_how_to_reproduce_them_last(digits: Store) -> None:
    text = report_page(digits)
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings == [
        *("Results", "By class", "By corruption", "Accuracy against the radius", "Pictures"),
        *("Can the robust accuracy be trusted?", "Every number", "How to reproduce"),
    ]
    page = Page(text)
    first = page.text.index("digits_standard classifies")
    assert first < page.text.index("Results") and "under the strongest of 3 attacks in L∞ 16/255" in page.text
    assert "torch" in page.text[page.text.index("How to reproduce") :]


def test_the_main_table_has_the_numbers_of_the_terminal(digits: Store) -> None:
    content = read_content(digits)
    values = {(score.perturbation, score.metric): score.value for score in content.scores}
    (table,) = main_tables(content.scores)
    shown = {row.label: row.numbers[0] for row in table.rows}
    worst = next(value for (text, metric), value in values.items() if "16/255" in text and "worst of" in text)
    assert shown["clean images"] is not None and shown["clean images"].fraction == values["none", "accuracy"]
    number = shown["L∞ 16/255: strongest of 3 attacks"]
    assert number is not None and number.fraction == worst and number.low < worst < number.high
    assert [row.label for row in table.rows if row.leads] == ["L∞ 16/255: strongest of 3 attacks"]
    assert table.n == 64


def test_only_a_full_report_leaves_nothing_out(digits: Store, tmp_path: Path) -> None:
    assert "<details open" not in report_page(digits)
    full = report_page(digits, full=True)
    assert full.count("<details") == full.count("<details open") > 0
    many = Store.existing(odd_store("a thousand classes", tmp_path / "store"))
    of_a_class = re.compile(r"n = 3(?!,)")
    assert len(of_a_class.findall(Page(report_page(many)).text)) == 100 + 2
    assert len(of_a_class.findall(Page(report_page(many, full=True)).text)) == 1000 + 2, (
        "and the worst class clean and attacked"
    )


def test_pictures_name_the_classes_and_are_cut_from_the_gallery(digits: Store) -> None:
    found, left = galleries(digits, read_content(digits), 2, everything=False)
    assert [gallery.perturbation for gallery in found] == ["pgd(eps=16/255, steps=5)", "fgsm(eps=16/255)"]
    assert left == 2
    for shot in found[0].shots:
        assert re.fullmatch(r"class \d, taken for class \d", shot.caption)
        assert (shot.width, shot.height) == (3 * 100 - 4, 96)
    content = digits.picture(next(key for key, cell in digits.cells().items() if "steps=5" in cell.perturbation))
    assert content is not None
    with Image.open(io.BytesIO(content)) as sheet:
        assert sheet.height == 3 * 100 + 18


def test_large_images_are_reduced_unless_everything_is_asked_for(tmp_path: Path) -> None:
    place = odd_store("one attack", tmp_path / "store")
    image = np.random.default_rng(0).random((224, 224, 3))
    png = picture([Sample(image, image, Pictured(number, 1, 2)) for number in range(6)])
    store = Store.existing(place)
    (cell_id,) = (cell_id for cell_id, cell in store.cells().items() if cell.kind == "attack")
    with store.lock():
        store.write_picture(cell_id, png)
    ((short,), _), ((full,), _) = (
        galleries(store, read_content(store), 5, everything=whole) for whole in (False, True)
    )
    assert (len(short.shots), len(full.shots)) == (4, 6)
    assert short.shots[0].width == 480 and short.shots[0].source.startswith("data:image/jpeg")
    assert full.shots[0].width == 3 * 228 - 4 and full.shots[0].source.startswith("data:image/png")
    assert short.is_large


def test_published_files_are_not_compared_with_themselves(tmp_path: Path) -> None:
    place = odd_store("published files", tmp_path / "store")
    image = np.full((32, 32, 3), 0.5)
    png = picture([Sample(image, image, Pictured(number, 1, 2)) for number in range(5)])
    store = Store.existing(place)
    with store.lock():
        for cell_id in store.cells():
            store.write_picture(cell_id, png)
    ((gallery,), _) = galleries(store, read_content(store), 5, everything=True)
    assert {(shot.width, shot.height) for shot in gallery.shots} == {(96, 96)}
    assert "no clean image beside them" in gallery.note


def test_checks_that_were_not_run_are_listed(digits: Store) -> None:
    content = read_content(digits)
    (item,) = checked(content.verdicts, content.scores)
    assert [finding.check for finding in item.findings] == [*CHECKS]
    assert item.summary == "3 passed, 2 not run" or "not run" in item.summary
    text = Page(report_page(digits)).text
    assert "– not run no attack with two numbers of steps" in text and "--suite masking" in text


def test_a_suspicion_stands_in_the_first_sentence(tmp_path: Path) -> None:
    right = first_of(40, 36)
    parts = [
        clean(right),
        attacked("pgd(eps=8/255)", right, first_of(40, 30), 8 / 255, uses="gradients"),
        attacked("square(eps=8/255)", right, first_of(40, 9), 8 / 255, uses="logits"),
    ]
    text = report_page(Store.existing(write(tmp_path / "store", parts)))
    header = Page(text.partition("<main>")[0].partition("<body>")[2]).text
    assert "Gradient masking is suspected (black_box): the robust accuracy may be lower." in header
    assert "⚠ suspect" in text


def test_a_heat_map_has_a_row_for_every_corruption_and_says_what_is_missing(digits: Store) -> None:
    (heat_map,) = heat_maps(read_content(digits).scores)
    (row,) = heat_map.rows
    assert (row.corruption, heat_map.made_with) == ("fog", "")
    assert [cell.text for cell in row.cells[:4]] == ["–"] * 4 and row.cells[4].fraction is not None
    assert row.cells[5].fraction is None, "no mean over five severities"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(1, "100"), (0.9999, "> 99.9"), (0.75, "75"), (0.7333, "73.3"), (0.0001, "< 0.1"), (0, "0"), (-0.00001, "0")],
)
def test_no_rounding_makes_a_share_perfect(fraction: float, text: str) -> None:
    assert share(fraction) == text


def test_classes_that_an_attack_leaves_nothing_of_are_told_by_their_clean_accuracy(tmp_path: Path) -> None:
    right = [row % 4 != 2 or row < 8 for row in range(16)]
    parts = [clean(right), attacked("fgsm(eps=8/255)", right, [False] * 16, 8 / 255)]
    store = Store.existing(write(tmp_path / "store", parts))
    (table,) = class_accuracy(store, read_content(store))
    assert table.weakest == "Under attack, all classes have 0 %. Clean, lowest: class 2 with 50 %"
    assert table.rows[0].name == "class 2" and not table.is_level


def test_a_command_is_written_as_it_would_be_typed() -> None:
    assert command(["/usr/bin/robust-eval", "--attack", "pgd(eps=4/255)"]) == "robust-eval --attack 'pgd(eps=4/255)'"
    assert command([]) == ""
    assert status({"status": "started"}, is_last=False) == "killed before its end,"
