"""Entries: valid and invalid files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from board_entries import counted, measured
from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.entry import Entry, Result, plain_name, read_entry


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
    with pytest.raises(EntryError, match="is not a leaderboard entry:\nthe file: Invalid JSON"):
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
