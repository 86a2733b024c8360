"""The suite `standard` and every attack kernel on the shipped network give the stored counts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("renew", HERE / "renew.py")
renew = importlib.util.module_from_spec(spec)
spec.loader.exec_module(renew)


@pytest.mark.parametrize("name", renew.FILES)
def test_the_counts_are_those_that_are_stored(name: str, tmp_path: Path) -> None:
    expected = json.loads((HERE / name).read_text())
    found = renew.FILES[name](tmp_path / "store")
    assert list(found) == list(expected)
    # Two samples: what another processor's arithmetic may decide otherwise at a zero margin.
    assert found == pytest.approx(expected, abs=2)


def test_the_stored_counts_of_attacks_say_something() -> None:
    """All or none of the samples left right would hide a change."""
    counts = json.loads((HERE / "attacks.json").read_text())
    assert all(4 <= count <= 55 for name, count in counts.items() if not name.startswith("none"))
