"""Means that a run does not have: which, which cells they lack, and how to add them, on the terminal and as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

from rich.console import Console

from robustbench_eff.core.protocol import RISING_SEVERITY, Protocol
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, SEQUENCE_SETS
from robustbench_eff.reports.incomplete_means import incomplete_lines
from robustbench_eff.reports.json_report import json_object
from robustbench_eff.scores.score import Score

IMAGES = Protocol(split="test", count=100)


def score(text: str, *flags: str, model: str = "m", protocol: Protocol = IMAGES) -> Score:
    sequence = "sequence" in text
    return Score(
        model=model,
        benchmark="imagenet-p" if sequence else "imagenet-c",
        perturbation=text,
        metric="flip_probability" if sequence else "accuracy",
        value=0.5,
        low=0.4,
        high=0.6,
        n=100,
        protocol=protocol,
        flags=flags,
    )


def corrupted(*left_out: str, **fields: object) -> list[Score]:
    texts = [f"{name}(severity={severity})" for name in IMAGENET_C for severity in range(1, 6)]
    return [score(text, **fields) for text in texts if text not in left_out]  # type: ignore[arg-type]


def lines(scores: Sequence[Score]) -> list[str]:
    file = io.StringIO()
    incomplete_lines(scores, Console(file=file, width=80))
    return file.getvalue().splitlines()


def test_one_missing_cell_of_75_is_named() -> None:
    (line,) = lines(corrupted("fog(severity=3)"))
    assert line == (
        "m on imagenet-c: a mean (mean_accuracy, mCE, relative_mCE) needs 15 corruptions at 5 severities each (75 "
        "cells), of which 74 are complete; missing: fog 3. Repeat the run with --corruption imagenet_c and the same "
        "--store to add the others."
    )


def test_a_cell_that_was_begun_or_failed_or_drawn_is_missing_with_its_reason() -> None:
    for flag, reason in (
        ("incomplete: 40 of 100", "incomplete: 40 of 100"),
        ("drawn at random: 40 of 100", "drawn at random: 40 of 100"),
        ("failed: out of memory", "failed"),
    ):
        (line,) = lines([*corrupted("fog(severity=3)"), score("fog(severity=3)", flag)])
        assert f"missing: fog 3 ({reason})." in line


def test_cells_that_were_begun_are_named_even_where_most_are_missing() -> None:
    scores = [score("fog(severity=1)"), score("snow(severity=2)", "failed: out of memory")]
    scores += [score("frost(severity=5)", "incomplete: 40 of 100")]
    (line,) = lines(scores)
    missing = "snow 2 (failed), frost 5 (incomplete: 40 of 100), gaussian_noise 1, gaussian_noise 2 and 70 more"
    assert f"of which 1 is complete: fog 1; missing: {missing}. Repeat" in line
    (line,) = lines([score("snow(severity=2)", "failed: out of memory")])
    assert "of which 0 are complete; missing: snow 2 (failed), " in line


def test_nothing_is_said_of_a_whole_set_or_of_none() -> None:
    assert lines(corrupted()) == lines([]) == lines([score("saturate(severity=1)")]) == []
    assert lines([score("fog(severity=3)", protocol=Protocol(split="test", stream=f"x, {RISING_SEVERITY}"))]) == []


def test_models_that_lack_the_same_share_a_line() -> None:
    both = corrupted("fog(severity=3)") + corrupted("fog(severity=3)", model="other")
    (line,) = lines(both)
    assert line.startswith("m, other on imagenet-c: ")
    assert len(lines([*both, score("fog(severity=3)", model="other")])) == 1
    assert len(lines(corrupted("fog(severity=3)") + corrupted("fog(severity=4)", model="other"))) == 2


def test_each_seed_lacks_its_own_cells() -> None:
    seeded = [Protocol(split="test", count=100, seeds=(seed,)) for seed in (0, 1)]
    still = [one for one in corrupted() if not one.perturbation.startswith("fog")]
    fog = [[score(f"fog(severity={severity})", protocol=of) for severity in range(1, 6)] for of in seeded]
    assert lines([*still, *fog[0], *fog[1]]) == []
    (line,) = lines([*still, *fog[0], *fog[1][:4]])
    assert "missing: fog 5." in line


def test_sequences_likewise() -> None:
    texts = [f"{name}_sequence(difficulty=1)" for name in SEQUENCE_SETS["imagenet_p"].names]
    assert lines([score(text) for text in texts]) == []
    (line,) = lines([score(text) for text in texts if "rotate" not in text])
    assert "needs 10 sequences, of which 9 are complete; missing: rotate." in line and "--corruption imagenet_p" in line


def test_json_lists_them() -> None:
    printed = json.loads(json_object(corrupted("fog(severity=3)", "snow(severity=1)"), "runs/x", [], []))
    (incomplete,) = printed["incomplete_means"]
    assert (incomplete["model"], incomplete["benchmark"], incomplete["set"]) == ("m", "imagenet-c", "imagenet_c")
    assert incomplete["means"] == ["mean_accuracy", "mCE", "relative_mCE"] and len(incomplete["complete"]) == 73
    assert sorted(incomplete["missing"]) == ["fog 3", "snow 1"]
    assert json.loads(json_object(corrupted(), "runs/x", [], []))["incomplete_means"] == []
