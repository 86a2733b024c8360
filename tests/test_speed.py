"""What the speed scripts write, and that the documentation shows it; nothing is timed here."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

import quick
import record
import tables


@pytest.mark.parametrize("page", tables.PAGES)
def test_tables_of_the_documentation_are_those_of_the_files(page: str) -> None:
    text = (tables.DOCS / page).read_text()
    assert "<!-- speed: " in text
    assert tables.written(text) == text, "run python speed/tables.py"


def test_a_table_is_renewed_between_its_marks() -> None:
    page = "before\n<!-- speed: corruptions -->\nold\n<!-- end -->\nafter"
    renewed = tables.written(page)
    assert renewed.startswith("before\n<!-- speed: corruptions -->\n\n| times faster |")
    assert renewed.endswith(" |\n\n<!-- end -->\nafter")


@pytest.mark.parametrize(
    ("facts", "slug"),
    [
        ({"processor": "AMD EPYC", "flags": ["avx2", "avx512_bf16", "avx512f"]}, "amd-epyc-avx512bf16"),
        ({"processor": "AMD EPYC 9654 96-Core Processor", "flags": ["avx2"]}, "amd-epyc-9654-avx2"),
        ({"processor": "Intel(R) Xeon(R) Processor"}, "intel-xeon"),
        ({"processor": "Intel(R) Xeon(R) CPU @ 2.20GHz", "flags": ["amx_tile", "avx512f"]}, "intel-xeon-amxtile"),
    ],
)
def test_files_are_named_by_the_processor(facts: dict[str, object], slug: str) -> None:
    assert record.slug(facts) == slug


def test_processors_whose_flags_nobody_recorded_say_so() -> None:
    assert record.title({"processor": "Intel(R) Xeon(R) Processor"}) == "Intel Xeon, flags not recorded"
    assert record.title({"processor": "AMD EPYC", "flags": ["avx2"]}) == "AMD EPYC, avx2"


def test_results_say_on_what_they_were_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    parser = argparse.ArgumentParser()
    record.add_option(parser)
    record.write(parser.parse_args(["--out", "any"]).out, {"rows": []})
    (file,) = tmp_path.iterdir()
    content = json.loads(file.read_text())
    assert file.name == f"{record.slug(content)}-any.json"
    assert {"processor", "flags", "threads", "versions"} <= set(content)
    record.write(tmp_path / "own.json", {"rows": []})
    assert (tmp_path / "own.json").is_file()


def test_every_file_of_results_is_named_by_its_processor() -> None:
    for file in record.RESULTS.glob("*.json"):
        assert file.name.startswith(f"{record.slug(json.loads(file.read_text()))}-"), file.name


def test_the_first_line_fits_a_terminal() -> None:
    line = quick.headline("AMD EPYC", ["avx2", "avx512_bf16", "avx512_fp16", "avx512f", "amx_tile"])
    assert len(line) <= quick.COLUMNS
    assert "amx_tile" in line
    assert record.NOT_RECORDED in quick.headline("arm64", [])
