"""Changed files of every kind: read, or refused in one sentence, within bounds of time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz_kinds import NAMES, kind
from fuzzing import check, failure, keep

CASES = Path(__file__).parent / "cases"
"""Inputs that once were taken badly: one folder per kind."""


@pytest.mark.parametrize("name", NAMES)
def test_changed_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    faults = []
    for number, content, fault in check(kind(name), name, tmp_path, seed=0, numbers=range(kind(name).inputs)):
        faults.append(f"input {number}: {fault} (move {keep(name, content)} to {CASES / name} once it is mended)")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("path", sorted(CASES.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_earlier_faults_stay_mended(path: Path, tmp_path: Path) -> None:
    assert failure(kind(path.parent.name), path.read_bytes(), tmp_path) is None


def test_every_folder_of_cases_is_of_a_kind() -> None:
    assert {path.name for path in CASES.iterdir()} <= {*NAMES, "README.md"}
