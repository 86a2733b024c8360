"""An option without its value does not take the next option for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app


@pytest.mark.parametrize(
    ("words", "option", "value"),
    [
        (("score", "runs", "--by-class", "--confusion"), "--by-class", "--confusion"),
        (("--model", "digits_standard", "--store", "--json"), "--store", "--json"),
        (("leaderboard", "build", "--out", "--published"), "--out", "--published"),
    ],
)
def test_an_option_is_no_value_of_another(
    words: tuple[str, ...], option: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, list(words))
    assert found.exit_code == 2
    assert f"{option} has no value: {value}, which follows it, is an option." in " ".join(found.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_value_may_begin_with_two_dashes_if_it_is_no_option() -> None:
    found = CliRunner().invoke(app, ["score", "--no-such-store"])
    assert "has no value" not in found.output
