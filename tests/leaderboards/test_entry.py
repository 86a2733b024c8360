"""Entries: valid and invalid files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from board_entries import counted, measured
from earlier_entries import old
from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.metric import metric_of
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.entry import Entry, Result, plain_name, read_entry
from robustbench_eff.leaderboards.validation import problems


def test_an_entry_comes_back_from_its_file(tmp_path: Path) -> None:
    entry = measured("mine", 900, 400, family="cnn", defense="pgd_at")
    path = tmp_path / "mine.json"
    path.write_text(entry.text())
    assert read_entry(path) == entry
    assert entry.text() == read_entry(path).text()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("value", "0.9", r"measured\[0\].value: Input should be a valid number"),
        ("value", "nan", r"measured\[0\].value: Input should be"),
        ("n", -1, r"measured\[0\].n"),
        ("n", 3.5, r"measured\[0\].n"),
        ("benchmark", "", r"measured\[0\].benchmark"),
        ("colour", "red", r"measured\[0\].colour: Extra inputs are not permitted"),
    ],
)
def test_an_error_names_the_invalid_field(tmp_path: Path, field: str, value: object, words: str) -> None:
    plain = json.loads(measured("mine", 900, 400).text())
    plain["measured"][0][field] = value
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(plain).replace('"nan"', "NaN"))
    with pytest.raises(EntryError, match=words):
        read_entry(path)


@pytest.mark.parametrize(
    ("written", "protocol"),
    [
        ("a paper, first 1000 images · seed 0", Protocol(description="a paper, first 1000 images · seed 0")),
        ({"split": "test", "count": 9, "seeds": [0, 1]}, Protocol(split="test", count=9, seeds=(0, 1))),
        (
            {"description": "a paper", "attack_precision": ["float16"]},
            Protocol(description="a paper", attack_precision=("float16",)),
        ),
        ("", Protocol()),
    ],
)
def test_a_protocol_is_a_sentence_or_its_fields_and_is_written_as_it_was_read(
    tmp_path: Path, written: object, protocol: Protocol
) -> None:
    plain = json.loads(measured("mine", 900, 400).text())
    plain["measured"][0]["protocol"] = plain["provenance"]["cells"]["aaaa"]["protocol"] = written
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(plain))
    entry = read_entry(path)
    assert entry.provenance is not None
    assert entry.measured[0].protocol == entry.provenance.cells["aaaa"].protocol == protocol
    again = json.loads(entry.text())
    assert again["measured"] == plain["measured"] and again["provenance"] == plain["provenance"]


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (
            {"splitt": "test"},
            r"measured\[0\].protocol: A protocol does not have a field 'splitt'. Did you mean 'split'",
        ),
        ({"count": "9"}, r"measured\[0\].protocol.count: Input should be a valid integer"),
        ({"seeds": ["0"]}, r"measured\[0\].protocol.seeds\[0\]: Input should be a valid integer"),
        (3, r"measured\[0\].protocol: Input should be a sentence or an object with the protocol's fields"),
    ],
)
def test_an_error_names_the_invalid_field_of_a_protocol(tmp_path: Path, protocol: object, words: str) -> None:
    plain = json.loads(measured("mine", 900, 400).text())
    plain["measured"][0]["protocol"] = protocol
    (tmp_path / "mine.json").write_text(json.dumps(plain))
    with pytest.raises(EntryError, match=words):
        read_entry(tmp_path / "mine.json")


def test_a_missing_file_and_a_file_that_is_not_json_are_errors(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="cannot be read: No such file"):
        read_entry(tmp_path / "gone.json")
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(EntryError, match="is not JSON"):
        read_entry(tmp_path / "text.json")


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "<script>alert(1)</script>", "..", ".hidden", "a b", ""])
def test_a_name_never_leaves_its_folder(name: str) -> None:
    plain = plain_name(name)
    assert plain and "/" not in plain and not plain.startswith(".") and "<" not in plain


def test_results_of_two_entries_are_kept_apart_by_kind() -> None:
    claim = Result(benchmark="digits", metric="accuracy", value=0.99, protocol="a paper")
    both = measured("mine", 900, 400).with_results_of(Entry(model="mine", family="cnn", claimed=(claim,)))
    assert [kind for kind, _ in both.results()] == ["measured", "measured", "claimed"]
    assert both.family == "cnn" and both.provenance is not None


@pytest.mark.parametrize("newer_first", [True, False])
def test_a_number_in_two_formats_is_one_result_of_the_newer_format(newer_first: bool) -> None:
    new = measured("mine", 900, 400)
    earlier = old(new)
    assert earlier.measured[0].low != new.measured[0].low
    both = new.with_results_of(earlier) if newer_first else earlier.with_results_of(new)
    assert both.format == 2 and both.measured == new.measured
    assert problems(both.with_checksum(), proportion_interval, metric_of) == []


def test_numbers_that_differ_in_more_than_their_format_are_both_kept() -> None:
    new, earlier = measured("mine", 900, 400), old(measured("mine", 901, 400))
    both = earlier.with_results_of(new)
    assert [result.value for result in both.measured] == [0.901, 0.4, 0.9]
    assert both.measured[1:] == (new.measured[1], new.measured[0])
    claims = [Result(benchmark="digits", metric="accuracy", value=0.9, protocol="test", source=of) for of in "ab"]
    joined = Entry(model="m", format=1, claimed=tuple(claims[:1])).with_results_of(
        Entry(model="m", claimed=tuple(claims[1:]))
    )
    assert joined.claimed == tuple(claims) and joined.format == 2


def test_published_numbers_do_not_change_the_format_of_what_was_measured() -> None:
    earlier = old(measured("mine", 900, 400))
    published = Result(benchmark="digits", metric="accuracy", value=0.9, protocol="test")
    both = Entry(model="mine", published=(published,)).with_results_of(earlier)
    assert both.format == 1 and problems(both.with_checksum(), proportion_interval, metric_of) == []


def test_globs_select_models_and_results() -> None:
    entry = measured("Mine", 900, 400, family="cnn")
    assert entry.filtered(families=("CNN",)) == entry
    assert entry.filtered(families=("vit", "resnet*")) is None
    filtered = entry.filtered(benchmarks=("imagenet*",))
    assert filtered is not None and not filtered.results()


def test_the_checksum_depends_on_all_other_fields() -> None:
    entry = measured("mine", 900, 400)
    assert entry.with_checksum() == entry
    other = entry.model_copy(update={"measured": (counted(901, 1000),)})
    assert other.with_checksum().checksum != entry.checksum
