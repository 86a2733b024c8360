"""`robust-eval list models`: every name whole at any width, found by words in any order, and the same as JSON."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.models import aliases


def listed(*words: str, width: int = 160) -> str:
    result = CliRunner().invoke(app, ["list", "models", *words], env={"COLUMNS": str(width)})
    assert result.exit_code == 0, result.output
    return result.output


def names(*words: str) -> list[str]:
    return [row["name"] for row in json.loads(listed(*words, "--json"))["models"]]


@pytest.mark.parametrize("width", [80, 160])
def test_nothing_is_cut_at_any_width(width: int) -> None:
    text = listed(width=width)
    assert max(map(len, text.splitlines())) <= width
    beginnings = "".join(line.split()[0] for line in text.splitlines())
    assert all(name in beginnings for name in aliases.aliases() if len(name) < 25)
    assert len(aliases.aliases()) > 400
    if width == 160:
        assert set(aliases.aliases()) <= {line.split()[0] for line in text.splitlines()}


def test_a_row_states_parameters_size_accuracy_training_and_source() -> None:
    lines = listed("salman2020_resnet50_l2_eps3", width=120).splitlines()
    words = ["salman2020_resnet50_l2_eps3", "25.6M", "224", "62.8", "adversarial", "training", "l2", "checkpoint"]
    assert lines[1].split() == words


def test_words_are_found_in_any_order_and_in_any_fact() -> None:
    found = names("LINF", "resnet18")
    assert found == names("resnet18 linf") == names("resnet18", "adversarial training linf")
    assert found
    assert all("resnet18" in name for name in found)
    assert "convnextv2_atto_fcmae_ft_in1k" in names("convnextv2", "autoencoder")
    assert names("*_b7") == sorted(name for name in aliases.aliases() if name.endswith("_b7"))
    assert "salman2020_resnet50_l2_eps3" in names("checkpoint:*")


def test_json_has_the_address_and_the_facts() -> None:
    row = json.loads(listed("salman2020_resnet50_linf_eps4.0", "--json"))["models"][0]
    assert row["address"].startswith("https://huggingface.co/madrylab/")
    assert "#sha256=9e62216975c1" in row["address"]
    assert (row["parameters"], row["input_size"], row["accuracy"]) == (25557032, 224, 0.6386)


def test_no_match_says_what_works_too() -> None:
    result = CliRunner().invoke(app, ["list", "models", "no", "such", "name"])
    assert result.exit_code == 2
    assert "No alias matches 'no such name'." in " ".join(result.output.split())


def test_a_table_of_aliases_is_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    row = aliases.Alias(name="mine", source="timm", target="resnet18", family="resnet", defense="none")
    monkeypatch.setattr(aliases, "TABLES", (*aliases.TABLES, lambda: [row]))
    aliases.aliases.cache_clear()
    try:
        assert names("mine") == ["mine"]
    finally:
        monkeypatch.undo()
        aliases.aliases.cache_clear()


def test_aliases_are_unique_and_plausible() -> None:
    rows = [row for table in aliases.TABLES for row in table()]
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.accuracy is None or 0.2 < row.accuracy < 0.95, row.name
        assert row.parameters is None or 1e5 < row.parameters < 3e9, row.name
        assert not set(row.name) & set(' +:/"'), row.name
