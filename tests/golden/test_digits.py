"""The suite `standard` on the shipped network gives the stored counts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_the_standard_suite_gives_the_stored_counts(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("renew", HERE / "renew.py")
    renew = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(renew)
    expected = json.loads((HERE / "digits_standard.json").read_text())
    found = renew.counts(tmp_path / "store")
    assert list(found) == list(expected)
    # Two samples of 360: what another processor's arithmetic may decide otherwise at a zero margin.
    assert found == pytest.approx(expected, abs=2)
