"""A place that cannot be used is a sentence that names what to set, and exit code 2."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import numba
import pytest
from typer.testing import CliRunner

from robustbench_eff.benchmarks import locations
from robustbench_eff.cli import app
from robustbench_eff.core.disk import cache_folder, nearest
from robustbench_eff.core.errors import UsageError
from robustbench_eff.corruptions.compiled import jit

RUN = ("--model", "digits_standard", "--limit", "4", "--attack", "none", "--quiet")
OTHER_CACHE = "Set ROBUST_EVAL_CACHE to another folder."
SWEEP = """
title: any
train: {benchmark: digits}
rows: {standard: standard}
seeds: [0]
evaluate: [{benchmarks: [digits], perturbations: [none]}]
"""
BELOW = "file/below"
"""A folder below a file, which nobody can make, not even an administrator."""


@pytest.mark.parametrize(
    ("words", "variables", "message"),
    [
        ((*RUN, "--store", BELOW), {}, "Choose another --store."),
        ((*RUN, "--store", "file"), {}, "Choose another --store."),
        ((*RUN, "--store", "/proc/store"), {}, "Choose another --store."),
        (RUN, {"ROBUST_EVAL_CACHE": BELOW}, OTHER_CACHE),
        (RUN, {"ROBUST_EVAL_CACHE": "file"}, OTHER_CACHE),
        (RUN, {"ROBUST_EVAL_CACHE": "", "XDG_CACHE_HOME": "file"}, OTHER_CACHE),
        (RUN, {"ROBUST_EVAL_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/proc/nobody"}, OTHER_CACHE),
        (("conflict", "--limit", "2", "--out", BELOW), {}, "Write to another place."),
        (("sweep", "sweep.yaml", "--out", BELOW), {}, "Write to another place."),
        (("train", "--limit", "64", "--out", BELOW), {}, "Write to another place."),
    ],
)
def test_an_impossible_place_is_refused_with_the_way_out(
    words: tuple[str, ...], variables: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    with contextlib.chdir(tmp_path):
        answer = CliRunner().invoke(app, words, prog_name="robust-eval", env={"COLUMNS": "160", **variables})
    assert (answer.exit_code, type(answer.exception)) == (2, SystemExit), answer.stderr
    assert message in answer.stderr
    assert answer.stdout == ""


def test_a_store_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        answer = CliRunner().invoke(app, (*RUN, "--store", "new", "--model", "no_such_model"), prog_name="robust-eval")
    assert answer.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_user_without_a_home_is_told_the_variable_and_has_no_file_of_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for name in ("ROBUST_EVAL_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="Set ROBUST_EVAL_CACHE to a folder"):
        cache_folder()
    assert locations.from_config() == {}


def test_folders_that_may_not_be_seen_are_no_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    locked, stat = tmp_path / "locked", Path.stat

    def refusing(path: Path, **options: bool) -> os.stat_result:
        if locked in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    locked.mkdir()
    monkeypatch.setattr(Path, "stat", refusing)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(locked / "config"))
    assert nearest(locked / "store" / "cells") == locked
    with pytest.raises(UsageError, match="Set XDG_CONFIG_HOME or HOME"):
        locations.from_config()


def test_loops_are_compiled_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_ = numba.njit

    def refusing(**options: bool) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return compile_(**options)

    monkeypatch.setattr(numba, "njit", refusing)
    assert jit.loop(lambda value: value + 1)(2) == 3
