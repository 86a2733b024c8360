"""Tables: one protocol per column, ranks as ranges, reproducible bytes, and names that stay text."""

from __future__ import annotations

import csv
import html
import io
import json

import numpy as np
import pytest
from markdown_it import MarkdownIt

from board_entries import counted, measured
from robustbench_eff.core.errors import UsageError
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import Layout, layout, presets
from robustbench_eff.leaderboards.entry import Check, Entry, Result
from robustbench_eff.leaderboards.ranking import RankedColumn, ranks_of
from robustbench_eff.leaderboards.table import Estimate
from robustbench_eff.leaderboards.table_formats import FORMATS

ENTRIES = [measured("good", 950, 600), measured("as good", 940, 590), measured("bad", 700, 100)]


def test_rows_are_sorted_and_ranked_by_significant_differences() -> None:
    table = build_table(ENTRIES, layout("attacks"))
    assert [column.label for column in table.columns] == ["clean", "attacked"]
    assert [(row.model, row.ranks) for row in table.rows] == [("good", (1, 2)), ("as good", (1, 2)), ("bad", (3, 3))]
    best = [[figure.is_best for figure in row.figures if figure is not None] for row in table.rows]
    assert best == [[True, True], [True, True], [False, False]]


def test_numbers_of_two_protocols_are_two_columns() -> None:
    other = Result(benchmark="digits", metric="accuracy", value=0.5, protocol="a paper")
    entries = [*ENTRIES, Entry(model="good", published=(other,)), Entry(model="claims", claimed=(other,))]
    table = build_table(entries, layout("attacks"))
    clean = [(column.kind, str(column.protocol)) for column in table.columns if column.label == "clean"]
    assert clean == [("measured", "test"), ("claimed", "a paper"), ("published", "a paper")]
    assert len(table.protocols) == 4


def test_columns_of_sequences_name_their_constants() -> None:
    means = {"mean_flip_probability": "cifar10_p", "mean_flip_probability_difficulty_2": "imagenet_p"}
    one = "tilt_sequence(difficulty=1, constants='cifar10')"
    numbers = {**means, "flip_probability": one, "top5_distance": one}
    results = [
        Result(benchmark="b", perturbation=text, metric=metric, value=0.1, protocol="p", higher_is_better=False)
        for metric, text in numbers.items()
    ]
    table = build_table([Entry(model="m", measured=tuple(results[:1] + results[2:]))], layout("sequences"))
    labels = [column.label for column in table.columns]
    assert labels == ["mean flips, cifar10_p", f"{one}, flip_probability", f"{one}, top5_distance"]
    columns = Layout.parse("{title: T, columns: [{metric: 'mean_flip*'}]}", "x")
    (_, second) = build_table([Entry(model="m", measured=tuple(results))], columns).columns
    assert second.label == "imagenet_p, mean_flip_probability_difficulty_2"


def test_a_second_number_for_one_place_becomes_a_flag() -> None:
    twice = tuple(Result(benchmark="b", metric="accuracy", value=value, protocol="p") for value in (0.5, 0.25))
    (row,) = build_table([Entry(model="m", claimed=twice)], layout("default")).rows
    (figure,) = row.figures
    assert figure is not None and (figure.value, figure.flags) == (0.5, ("elsewhere 25.00",))


@pytest.mark.parametrize("ending", FORMATS)
def test_the_worst_class_is_named_with_the_table(ending: str) -> None:
    fields = {"benchmark": "b", "metric": "worst_class_accuracy", "protocol": "p"}
    details = {"a": '3 "cat", n = 13', "b": "class 4 and 1 more, n = 7", "c": ""}
    entries = [
        Entry(model=name, measured=(Result(**fields, value=0.5, detail=detail),)) for name, detail in details.items()
    ]
    table = build_table(entries, Layout.parse("{title: T, columns: [{label: worst, metric: worst_class_*}]}", "x"))
    assert table.warnings == ['a, worst: worst class: 3 "cat", n = 13.', "b, worst: worst class: 4 and 1 more, n = 7."]
    text = html.unescape(FORMATS[ending](table))
    assert "cat" in text and ("n = 13" in text or "n = 13" in text.replace("\\,", " "))


def test_models_without_a_number_are_left_out_if_the_layout_is_complete() -> None:
    entries = [*ENTRIES, Entry(model="clean only", measured=(counted(1, 2),))]
    text = "{title: T, columns: [{label: a, metric: accuracy}, {label: r, metric: robust_accuracy}], sort: [r]%s}"
    assert [row.model for row in build_table(entries, Layout.parse(text % "", "x")).rows][-1] == "clean only"
    assert len(build_table(entries, Layout.parse(text % ", complete: true", "x")).rows) == 3


def test_a_layout_that_leaves_out_every_model_is_an_error() -> None:
    nothing = Result(benchmark="b", metric="robust_accuracy", value=None, protocol="p")
    text = "{title: T, columns: [{label: r, metric: robust_accuracy}], sort: [r], complete: true}"
    with pytest.raises(UsageError, match="No model has a number in r"):
        build_table([Entry(model="m", measured=(nothing,))], Layout.parse(text, "x"))


def test_ranges_of_ranks_cover_the_true_ranks_in_95_percent() -> None:
    random, truth, n = np.random.default_rng(0), np.array([0.5, 0.52, 0.56, 0.6]), 1000
    true_ranks = [4, 3, 2, 1]
    covered = 0
    for _ in range(400):
        values = random.binomial(n, truth) / n
        half = 1.96 * np.sqrt(values * (1 - values) / n)
        estimates = [Estimate(*of, n) for of in zip(values, values - half, values + half, strict=True)]
        (ranges,) = ranks_of([RankedColumn(estimates, True)])
        covered += all(best <= true <= worst for true, (best, worst) in zip(true_ranks, ranges, strict=True))
    assert covered / 400 >= 0.95
    assert ranges[3].best == 1 and ranges[0].worst == 4


def test_a_number_without_an_interval_counts_as_exact() -> None:
    bare = [Estimate(value, None, None, None) for value in (0.1, 0.3, 0.3)]
    assert ranks_of([RankedColumn(bare, False)]) == [[(1, 1), (2, 3), (2, 3)]]


@pytest.mark.parametrize("name", presets())
def test_a_shipped_layout_reads(name: str) -> None:
    assert layout(name).columns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{title: T}", "columns: Field required"),
        ("{title: T, columns: []}", "columns"),
        ("{title: T, columns: [{colour: red}]}", r"columns\[0\].colour: Extra inputs"),
        ("{title: T, columns: [{label: clean}], sort: [cleen]}", "Did you mean 'clean'"),
        ("{", "is not YAML"),
    ],
)
def test_an_error_names_the_invalid_field_of_a_layout(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Layout.parse(text, "mine")


def test_columns_without_results_and_unknown_columns_are_errors() -> None:
    with pytest.raises(UsageError, match="None of the results match"):
        build_table(ENTRIES, Layout.parse("{title: T, columns: [{metric: mCE}]}", "x"))
    with pytest.raises(UsageError, match="Did you mean 'attacks'"):
        layout("atacks")
    with pytest.raises(UsageError, match=r"mine.yaml does not exist"):
        layout("mine.yaml")


NASTY = "<script>alert(1)</script> & | \\input{x} _$%#~^{} *b* [l](javascript:1)"


@pytest.fixture(scope="module")
def nasty():
    return build_table([*ENTRIES, measured(NASTY, 950, 600), measured("=1+1", 5, 2, n=10)], layout("attacks"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_bytes_twice(nasty, name: str) -> None:
    assert FORMATS[name](nasty) == FORMATS[name](nasty) != ""


def test_html_and_markdown_show_a_name_as_text(nasty) -> None:
    assert "<script>" not in FORMATS["html"](nasty)
    rendered = MarkdownIt("commonmark").enable("table").render(FORMATS["md"](nasty))
    assert "<script>" not in rendered and "<a " not in rendered and "<em>" not in rendered
    assert rendered.count("<tr>") == 6 and rendered.count("<strong>60.00</strong>") == 2


def test_csv_and_json_hold_every_digit(nasty) -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](nasty))))
    assert float(rows[0]["value"]) == 0.95 and rows[0]["kind"] == "measured"
    assert "'=1+1" in {row["model"] for row in rows}
    plain = json.loads(FORMATS["json"](nasty))
    assert plain["rows"][0]["figures"][1]["low"] == counted(600, 1000, "pgd(eps=8/255)").low


@pytest.mark.parametrize("width", [60, 100, 200])
def test_a_narrow_terminal_gets_the_table_in_parts_without_cutting_numbers(width: int) -> None:
    from rich.console import Console

    from robustbench_eff.leaderboards import terminal

    file = io.StringIO()
    terminal.show(build_table(ENTRIES, layout("attacks")), Console(file=file, width=width))
    text = file.getvalue()
    assert "…" not in text and text.count("95.00") == 1 and text.count("as good") == (2 if width == 60 else 1)


def test_ranks_refer_to_one_benchmark_radius_and_protocol() -> None:
    small = [
        measured(f"small {place}", 900, 400).model_copy(
            update={"measured": (counted(990, 1000, "pgd(eps=1/255)"),)}  # an easier radius
        )
        for place in range(2)
    ]
    table = build_table([*small, *ENTRIES], layout("attacks"))
    by_name = {row.model: row.ranks for row in table.rows}
    assert by_name["good"] == (1, 2) and by_name["small 0"] is None
    assert [row.model for row in table.rows][:3] == ["good", "as good", "bad"]


def test_claims_are_shown_and_not_ranked() -> None:
    claims = [
        Entry(model=str(value), claimed=(Result(benchmark="b", metric="accuracy", value=value, protocol="p"),))
        for value in (0.1, 0.9)
    ]
    rows = build_table(claims, layout("default")).rows
    assert all(
        figure is not None and figure.ranks is None and not figure.is_best for row in rows for figure in row.figures
    )


def test_every_format_has_the_warnings() -> None:
    check = Check(benchmark="digits", check="black_box", finding="suspect", evidence="5 of 10")
    flagged = ENTRIES[0].model_copy(
        update={"checks": (check,), "measured": (counted(950, 1000, flags=("incomplete: 9 of 10",)),)}
    )
    table = build_table([flagged], layout("attacks"))
    for name, write in FORMATS.items():
        text = write(table).replace(r"\allowbreak{}", "").replace("\\", "").replace("_", "")
        assert "blackbox" in text and "incomplete: 9 of 10" in text, name
    assert "95.00\\*" in FORMATS["md"](table) or "95.00*" in FORMATS["md"](table)


def test_a_name_cannot_end_its_line() -> None:
    odd = measured("a\r\r# Big\u2028b", 900, 400)
    assert all(
        "\r" not in write(build_table([odd], layout("attacks")))
        for name, write in FORMATS.items()
        if name in ("md", "tex")
    )
