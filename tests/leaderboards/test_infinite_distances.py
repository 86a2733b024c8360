"""Distances beyond everything that was searched: read, ranked, printed and written, in every format."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from scipy.stats import binomtest

from board_entries import IMAGES, measured
from earlier_entries import old, wilson
from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.infinity import distance_text, infinite_text, strict_json
from robustbench_eff.core.metric import metric_of
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards import terminal
from robustbench_eff.leaderboards.audit import FORMATS as AUDIT_FORMATS
from robustbench_eff.leaderboards.audit import audit
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import Layout, Pattern
from robustbench_eff.leaderboards.entry import Entry, Result, read_entry
from robustbench_eff.leaderboards.import_export import to_model_index
from robustbench_eff.leaderboards.open_ends import finite
from robustbench_eff.leaderboards.site.boards import as_data, boards
from robustbench_eff.leaderboards.site.models import shown_models
from robustbench_eff.leaderboards.table import Estimate, Table, number_text
from robustbench_eff.leaderboards.table_formats import FORMATS
from robustbench_eff.leaderboards.validation import differences, problems

LIMIT = 16 / 255
LAYOUT = Layout(title="Distances", columns=(Pattern(label="distance", metric="median_distance_linf"),))


def distance(
    model: str, value: float | None, low: float | None, high: float | None, limit: float | None = LIMIT
) -> Entry:
    """Return an entry with a median distance."""
    result = Result(
        benchmark="digits",
        perturbation="security_curve" if limit else "fmn",
        metric="median_distance_linf",
        value=value,
        low=low,
        high=high,
        searched_to=limit,
        n=100,
        protocol=IMAGES,
        unit="number",
    )
    return Entry(model=model, measured=(result,))


def table(*entries: Entry) -> Table:
    return build_table(entries, LAYOUT)


def ranked(*entries: Entry) -> dict[str, tuple[int, int] | None]:
    return {row.model: row.ranks and tuple(row.ranks) for row in table(*entries).rows}


def bold(*entries: Entry) -> set[str]:
    return {row.model for row in table(*entries).rows if row.figures[0] is not None and row.figures[0].is_best}


@pytest.mark.parametrize("limit", [LIMIT, None])
def test_open_intervals_are_no_exact_ones(limit: float | None) -> None:
    both = distance("a", 0.0365, 0.029, math.inf, limit), distance("b", 0.035, 0.028, math.inf, limit)
    assert ranked(*both) == {"a": (1, 2), "b": (1, 2)}
    assert bold(*both) == {"a", "b"}


@pytest.mark.parametrize("limit", [LIMIT, None])
def test_an_infinite_median_ranks_above_finite_ones_and_is_first(limit: float | None) -> None:
    entries = (
        distance("weak", 0.03, 0.025, 0.035, limit),
        distance("unmeasured", None, None, None, limit),
        distance("at the limit", LIMIT, LIMIT, LIMIT, limit),
        distance("strong", math.inf, math.inf, math.inf, limit),
    )
    assert list(ranked(*entries)) == ["strong", "at the limit", "weak", "unmeasured"]
    assert ranked(*entries) == {"strong": (1, 1), "at the limit": (2, 2), "weak": (3, 3), "unmeasured": None}
    assert bold(*entries) == {"strong"}


def test_an_infinite_median_that_may_be_small_is_not_better() -> None:
    entries = distance("a", math.inf, 0.02, math.inf), distance("b", 0.06, 0.05, LIMIT)
    assert ranked(*entries) == {"a": (1, 2), "b": (1, 2)}


def test_an_interval_that_reaches_beyond_all_is_behind_no_model() -> None:
    entries = [
        distance("endless", 0.0365, 0.036, math.inf),
        distance("precise", 0.05, 0.0495, 0.0505),
        distance("beyond", math.inf, math.inf, math.inf),
        distance("weak", 0.01, 0.0099, 0.0101),
    ]
    assert ranked(*entries)["endless"][0] == 1
    assert ranked(*entries)["beyond"] != ranked(*entries)["precise"]


def test_infinite_medians_are_ties() -> None:
    entries = [distance(name, math.inf, low, math.inf) for name, low in (("a", math.inf), ("b", 0.05), ("c", 0.01))]
    assert set(ranked(*entries).values()) == {(1, 3)}
    assert list(ranked(*entries)) == ["a", "b", "c"]


def test_a_lone_infinite_median_is_first() -> None:
    assert ranked(distance("a", math.inf, 0.0, math.inf, None)) == {"a": (1, 1)}


def test_an_end_that_is_missing_is_no_exact_number() -> None:
    """As in entries of format 1, where an infinite end is null."""
    assert ranked(distance("a", 0.0365, 0.029, None), distance("b", 0.035, 0.028, None)) == {"a": (1, 2), "b": (1, 2)}
    assert "0.0365 [0.029, -]" in FORMATS["md"](table(distance("a", 0.0365, 0.029, None))).replace("*", "")


def test_numbers_without_infinity_stay_as_they_are() -> None:
    numbers = [Estimate(0.3, 0.2, 0.4, 9), Estimate(0.5, None, None, 9), Estimate(-0.1, -0.2, 0.0, 9)]
    assert finite(numbers) == numbers
    assert finite([]) == []
    assert finite([Estimate(0.0, 0.0, 0.0, 9), Estimate(math.inf, 0.0, math.inf, 9)])[1].value > 0


@pytest.mark.parametrize(
    ("limit", "text"),
    [(16 / 255, "> 0.0627"), (8 / 255, "> 0.0313"), (0.5, "> 0.5"), (12.0, "> 12"), (1e-5, "> 1e-05")],
)
def test_a_limit_is_rounded_down(limit: float, text: str) -> None:
    assert infinite_text(limit) == text
    assert float(text.removeprefix("> ")) <= limit


@pytest.mark.parametrize(
    ("distance", "limit", "text"),
    [
        (12 / 255, 12 / 255, "0.047"),
        (0.04703, 12 / 255, "0.047"),
        (0.04699, 12 / 255, "0.04699"),
        (12 / 255 * (1 + 1e-7), 12 / 255, "0.047"),
        (math.inf, 12 / 255, "> 0.047"),
        (12 / 255, None, "0.04706"),
        (math.inf, None, "∞"),
        (0.0, 12 / 255, "0"),
    ],
)
def test_no_finite_distance_looks_larger_than_the_limit(distance: float, limit: float | None, text: str) -> None:
    assert distance_text(distance, limit) == text == number_text(distance, "number", 2, limit)


def test_infinity_in_json_is_a_text_that_python_reads() -> None:
    plain = strict_json({"a": [math.inf, (1.5, -math.inf)], "b": None, "c": "x"})
    assert plain == {"a": ["inf", [1.5, "-inf"]], "b": None, "c": "x"}
    assert float(plain["a"][0]) == math.inf


SHOWN = (
    distance("a", 0.0365, 0.029, math.inf),
    distance("b", math.inf, 0.05, math.inf),
    distance("c", 0.012, 0.01, 0.014),
)


def test_tables_say_how_far_was_searched() -> None:
    written = {name: write(table(*SHOWN)) for name, write in FORMATS.items()}
    console = Console(width=80, record=True, file=io.StringIO())
    terminal.show(table(*SHOWN), console)
    shown = console.export_text()
    for text in (written["md"].replace("*", "").replace("\\", ""), shown):
        assert "0.0365 [0.029, > 0.0627]" in text
        assert "> 0.0627 [0.05, > 0.0627]" in text
    assert "0.0365</b> <small>[0.029, &gt; 0.0627]</small>" in written["html"]
    assert "0.0365 {[}0.029, $> 0.0627${]}" in written["tex"]
    assert "$> 0.0627$ {[}0.05, $> 0.0627${]}" in written["tex"]
    assert "0.012$^{+0.002}_{-0.002}$" in written["tex"]
    assert "In brackets: " in written["tex"] and "Raised and lowered: " in written["tex"]
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(written["csv"]))}
    assert (rows["a"]["value"], rows["a"]["high"], rows["b"]["value"]) == ("0.0365", "inf", "inf")
    assert float(rows["b"]["searched_to"]) == LIMIT
    plain = json.loads(written["json"], parse_constant=pytest.fail)
    (figure,) = plain["rows"][0]["figures"]
    assert (figure["value"], figure["low"], figure["high"], figure["searched_to"]) == ("inf", 0.05, "inf", LIMIT)


def test_tables_say_that_nothing_limited_the_search() -> None:
    endless = table(*(distance(name, math.inf, low, math.inf, None) for name, low in (("a", 0.05), ("b", math.inf))))
    assert "∞** [0.05, ∞]" in FORMATS["md"](endless)
    assert r"$\infty$ {[}0.05, $\infty${]}" in FORMATS["tex"](endless)


def test_a_single_best_infinite_median_is_bold_in_latex() -> None:
    best = table(distance("a", math.inf, math.inf, math.inf), distance("b", 0.01, 0.009, 0.011))
    assert r"\textbf{\boldmath$> 0.0627$} {[}$> 0.0627$, $> 0.0627${]}" in FORMATS["tex"](best)


def test_the_site_takes_them() -> None:
    entries = [measured("good", 95, 60, n=100)] + [
        measured(entry.model, 90, 50, n=100).model_copy(update={"measured": entry.measured}) for entry in SHOWN
    ]
    models = shown_models(entries, [entry.model for entry in entries])
    scripts = [as_data(name, board, models).script for name, board in boards(models).items()]
    assert scripts and not any("Infinity" in script or "NaN" in script for script in scripts)


def test_a_model_card_takes_them() -> None:
    ((_, text),) = to_model_index(SHOWN[0])
    (index,) = yaml.safe_load(text.split("---\n")[1])["model-index"]
    assert index["results"][0]["metrics"][0]["args"]["high"] == "inf"
    assert index["results"][0]["metrics"][0]["args"]["searched_to"] == LIMIT


def test_an_infinite_number_has_no_difference() -> None:
    claim = distance("a", 0.02, 0.01, 0.03).measured[0].model_copy(update={"source": "a paper"})
    (difference,) = audit([distance("a", math.inf, 0.05, math.inf).model_copy(update={"claimed": (claim,)})])
    assert (difference.value, difference.low, difference.high, difference.is_certain) == (None, None, None, False)
    assert difference.flags == ("an infinite number has no difference from another",)
    (half,) = audit([distance("a", 0.04, 0.03, math.inf).model_copy(update={"claimed": (claim,)})])
    assert half.value == pytest.approx(0.02) and half.high == math.inf
    for write in AUDIT_FORMATS.values():
        assert write([difference, half])
    assert json.loads(AUDIT_FORMATS["json"]([half]), parse_constant=pytest.fail)[0]["high"] == "inf"
    assert ", ∞]" in AUDIT_FORMATS["md"]([half])


def test_a_file_gives_infinity_as_a_text(tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    path.write_text(SHOWN[1].text())
    plain = json.loads(path.read_text(), parse_constant=pytest.fail)["measured"][0]
    assert (plain["value"], plain["high"], plain["searched_to"]) == ("inf", "inf", LIMIT)
    assert read_entry(path) == SHOWN[1].with_checksum()
    path.write_text(distance("a", 0.5, 0.4, 0.6, None).text())
    assert "searched_to" not in path.read_text()
    assert read_entry(path).measured[0].searched_to is None


@pytest.mark.parametrize(
    ("field", "written", "words"),
    [
        ("value", "NaN", "value: Input should be a finite number, or the text 'inf'"),
        ("value", '"nan"', "value: Input should be a valid number"),
        ("low", "-Infinity", "low: Input should be a finite number"),
        ("high", "Infinity", "high: Input should be a finite number, or the text 'inf'"),
        ("high", '"-inf"', "high: Input should be a valid number"),
        ("searched_to", '"inf"', "searched_to: Input should be a valid number"),
        ("searched_to", "0", "searched_to: Input should be greater than 0"),
        ("n", '"inf"', "n: Input should be a valid integer"),
    ],
)
def test_other_texts_are_no_numbers(tmp_path: Path, field: str, written: str, words: str) -> None:
    plain = json.loads(SHOWN[0].text())
    plain["measured"][0][field] = "HERE"
    path = tmp_path / "entry.json"
    path.write_text(json.dumps(plain).replace('"HERE"', written))
    with pytest.raises(EntryError, match=words):
        read_entry(path)


def test_nan_is_refused_in_python_too() -> None:
    with pytest.raises(ValueError, match="Input should be a finite number"):
        distance("a", math.nan, None, None)


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("right", [0, 1, 900, 1000])
def test_an_entry_of_an_earlier_version_is_still_valid(shown: Entry, right: int, tmp_path: Path) -> None:
    new = measured("mine", right, right)
    new = new.model_copy(update={"measured": (*new.measured, *shown.measured)})
    (tmp_path / "old.json").write_text(old(new).text())
    read = read_entry(tmp_path / "old.json")
    assert read.format == 1
    assert problems(read, proportion_interval, metric_of) == []


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (7, 40), (1000, 1000)])
def test_intervals_of_an_earlier_version_are_wilsons(right: int, n: int) -> None:
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_each_version_has_its_own_intervals() -> None:
    new = measured("mine", 900, 400)
    mixed = [new.model_copy(update={"format": 1}), old(new).model_copy(update={"format": 2})]
    for entry in mixed:
        issues = problems(entry.with_checksum(), proportion_interval, metric_of)
        assert [issue.what.partition(" with")[0] for issue in issues] == ["the interval of 0.9", "the interval of 0.4"]
    open_end = new.model_copy(update={"measured": (*new.measured, *old(SHOWN[0]).measured)}).with_checksum()
    issues = problems(open_end, proportion_interval, metric_of)
    assert [issue.what for issue in issues] == ["has only one end of an interval"]


def test_numbers_of_an_earlier_version_are_compared_without_their_intervals() -> None:
    new = measured("mine", 900, 400)
    new = new.model_copy(update={"measured": (*new.measured, *SHOWN[1].measured)})
    assert differences(old(new), new) == []
    wrong = new.model_copy(update={"measured": (new.measured[0].model_copy(update={"value": 0.8}), *new.measured[1:])})
    assert [issue.what for issue in differences(old(wrong), new)] == ["value is 0.8, the outcomes give 0.9"]
