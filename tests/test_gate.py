"""The gate of a CI pipeline: exit codes, lines, JUnit XML and the summary of a pull request."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from compared_stores import by_hand
from outcome_tables import attack_cell, cell, table
from robustbench_eff.cli.main import app
from robustbench_eff.core.flags import FAILED
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.reports.junit import junit_xml
from robustbench_eff.reports.markdown_summary import markdown_summary
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.gate import Judgement, judged
from robustbench_eff.scores.requirement import parse_requirement
from robustbench_eff.scores.score import Score
from robustbench_eff.storage.store import Store

OPAQUE = """
import torch
from robustbench_eff import load_classifier

class Opaque(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = load_classifier("digits_standard")
    def forward(self, images):
        return self.body(images).detach()

def build():
    return Opaque().eval()
"""
HOSTILE = 'a"><b> & <!-- ]]> \0\x1b[31m \u202e \ufffe | `x` <script> [l](javascript:1) ="'


def robust_eval(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def lines(answer: Result) -> list[str]:
    return [line for line in answer.stdout.splitlines() if line.startswith(("met: ", "NOT MET: ", "WORSE: "))]


def test_certified_accuracy_can_be_required(tmp_path: Path) -> None:
    words = ["certify", "--model", "digits_standard", "--sigma", "0.25", "--n", "200", "--limit", "20", "-q"]
    answer = robust_eval(*words, "--store", str(tmp_path), "--require", "certified_accuracy@0.25 >= 0.99")
    assert answer.exit_code == 3
    (line,) = lines(answer)
    assert line.startswith("NOT MET: certified_accuracy@0.25 >= 0.99")
    assert robust_eval(*words, "--store", str(tmp_path), "--require", "certified_accuracy@0 >= 0.5").exit_code == 0


def test_a_store_passes_or_fails_with_a_line_for_each_number(digits_store: Path, tmp_path: Path) -> None:
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    words = ["score", str(digits_store), "--require", "clean >= 90 %", "--require", "pgd(steps=10, eps=0.0627451)>=0.9"]
    answer = robust_eval(*words, "--junit", str(junit), "--summary", str(summary))
    assert answer.exit_code == 3
    met, unmet = lines(answer)
    assert re.fullmatch(r"met: clean >= 90 % · .*, clean: [\d.]+ % \[.*\], n = 360; lower end 9.* % >= 90.00 %", met)
    assert re.fullmatch(
        r"NOT MET: .* · digits_standard on digits, pgd\(eps=16/255\): .*, n = 360; lower end .* < 90.00 %", unmet
    )
    assert "1 of 2 numbers do not meet what is required of them." in answer.stderr
    assert [case.find("failure") is not None for case in ET.parse(junit).iter("testcase")] == [False, True]
    assert "1 of 2 required numbers met" in summary.read_text()
    assert robust_eval(*words[:4]).exit_code == 0


def test_json_holds_the_requirements_and_nothing_else_is_printed(digits_store: Path) -> None:
    answer = robust_eval("score", str(digits_store), "--require", "clean >= 99.9 %", "--json")
    (row,) = json.loads(answer.stdout)["requirements"]
    assert answer.exit_code == 3 and "NOT MET: clean >= 99.9 %" in answer.stderr
    assert (row["requirement"], row["met"], row["compared"], row["threshold"]) == (
        "clean >= 99.9 %",
        False,
        "low",
        0.999,
    )
    assert row["low"] < 0.999


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--require", "fgsm(eps=1/255)>=0.3"], r"Perturbations: clean, fgsm\(eps=8/255\), pgd\(eps=16/255\)"),
        (["--require", "clean>=0.3", "--junit", "missing/j.xml"], "missing is not a folder"),
        (["--junit", "j.xml"], "--junit writes what became of each --require"),
        (["--accept-doubted"], "--accept-doubted applies to --require"),
        (["--require", "clean>=0.3", "--junit", "x", "--summary", "x"], "among the files that this command uses"),
        (["--require", "clean>=0.3", "--by-class", "x", "--summary", "x"], "among the files that this command uses"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    digits_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = robust_eval("score", str(digits_store), *words)
    assert answer.exit_code == 2 and re.search(message, answer.stderr), answer.output
    assert list(tmp_path.iterdir()) == []


RUN = ("--model", "digits_standard", "--limit", "20", "--attack", "fgsm(eps=8/255)", "-q")


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("pgd(eps=8/255)>=0.3", r"It runs: clean, fgsm\(eps=8/255\)\."),
        ("clean>=0.3 on cifar10", "There is: digits"),
        ("pdg>=0.3", "Did you mean 'pgd'"),
        ("clean>=0.3 for digits_standart", "Did you mean 'digits_standard'"),
    ],
)
def test_a_run_that_will_not_measure_it_leaves_no_record(tmp_path: Path, requirement: str, message: str) -> None:
    store = tmp_path / "store"
    answer = robust_eval(*RUN, "--store", str(store), "--require", requirement)
    assert answer.exit_code == 2 and re.search(message, answer.stderr), answer.output
    assert not list(store.glob("cells/*")) and not list(store.glob("runs/*"))


def test_what_is_skipped_cannot_be_required(tmp_path: Path) -> None:
    answer = robust_eval(*RUN, "--store", str(tmp_path / "s"), "--require", "clean>=0.3", "--skip-missing")
    assert answer.exit_code == 2 and "--require with --skip-missing would hold" in answer.stderr


def test_an_attack_that_failed_meets_nothing_and_the_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "opaque.py").write_text(OPAQUE)
    model = ["--model", f"{tmp_path}/opaque.py:build", "--input-size", "32", "--num-classes", "10", "--limit", "10"]
    attacks = ["--attack", "pgd(eps=8/255)", "--attack", "square(eps=8/255, queries=5)", "--store", str(tmp_path / "s")]
    required = ["--require", "pgd(eps=8/255)>=0", "--require", "value(worst_case)>=0", "--require", "clean>=0"]
    junit = tmp_path / "junit.xml"
    answer = robust_eval(*model, *attacks, *required, "--benchmark", "digits", "--junit", str(junit))
    assert answer.exit_code == 3, answer.output
    pgd, worst, clean = lines(answer)
    assert pgd.startswith("NOT MET") and "failed: " in pgd and "autograd" in pgd
    assert worst.startswith("NOT MET") and "not all attacks in this ball are finished: pgd(eps=8/255), square" in worst
    assert clean.startswith("met")
    assert [case.get("type") for case in ET.parse(junit).iter("failure")] == ["unknown", "unknown"]
    alone = robust_eval(*model, *attacks, "--require", "clean>=0", "--benchmark", "digits")
    assert alone.exit_code == 1, "what is required is met, but the run failed in part"
    again = robust_eval("score", str(tmp_path / "s"), *required)
    assert again.exit_code == 3 and [line[:7] for line in lines(again)] == ["NOT MET", "NOT MET", "met: cl"]


def test_an_unfinished_cell_meets_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    of = replace(cell(4), id="c")
    with store.lock():
        store.write_cell(of)
        store.write_shard("c", table(2, correct=np.ones(2)))
    found = judged([parse_requirement("value(clean)>=0.1")], store_scores(store))
    assert [(item.is_met, item.why_not) for item in found] == [(False, "incomplete: 2 of 4")]


def hostile_judgements() -> list[Judgement]:
    score = Score(
        model=HOSTILE,
        benchmark=HOSTILE,
        perturbation="none",
        metric="accuracy",
        value=0.5,
        low=0.4,
        high=0.6,
        n=10,
        protocol=Protocol(description=HOSTILE),
        flags=(HOSTILE,),
    )
    failed = replace(score, value=None, low=None, high=None, flags=(f"{FAILED}{HOSTILE}",))
    requirement = replace(parse_requirement("clean >= 0.3"), text=HOSTILE)
    return [Judgement(requirement, score, 0.4, True, ""), Judgement(requirement, failed, None, False, failed.flags[0])]


def test_junit_holds_any_name_and_only_what_its_schema_allows() -> None:
    """The elements and attributes that the schema of Jenkins' xUnit plugin (junit-10.xsd) names."""
    root = ET.fromstring(junit_xml(hostile_judgements()))
    allowed = {
        "testsuites": ({"name", "tests", "failures", "errors"}, {"testsuite"}),
        "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, {"testcase"}),
        "testcase": ({"name", "classname"}, {"failure", "system-out"}),
        "failure": ({"type", "message"}, set()),
        "system-out": (set(), set()),
    }
    for element in root.iter():
        attributes, children = allowed[element.tag]
        assert set(element.attrib) == attributes and {child.tag for child in element} <= children
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), len(suite)) == ("2", "1", 2)
    assert "\\x00\\x1b[31m \\u202e \\ufffe" in str(suite[0].get("name"))
    text = "".join(root.itertext()) + "".join(value for element in root.iter() for value in element.attrib.values())
    assert not re.search("[\0-\x08\x0b-\x1f\ufffe]", text)


def test_the_summary_shows_any_name_as_text() -> None:
    judgements = hostile_judgements()
    text = markdown_summary([item.score for item in judgements], judgements)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    assert [token.type for token in tokens].count("table_open") == 2
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<script>" not in html and "javascript" in html and "<a " not in html
    rows = [row for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL) if "<td" in row]
    assert [len(re.findall("<td", row)) for row in rows] == [4, 4, 5, 5]


def test_a_long_summary_folds_what_comes_after_the_first_rows() -> None:
    score = hostile_judgements()[0].score
    scores = [replace(score, model=f"m{number}") for number in range(60)]
    text = markdown_summary(scores, [])
    assert "<summary>20 more numbers</summary>" in text and text.index("m39 ") < text.index("<details>") < text.index(
        "m40 "
    )
    assert text.startswith("### Robustness\n")


# --- compare --fail-if-worse ---


@pytest.fixture
def pair(tmp_path: Path) -> str:
    """Models a, b and c: b fails on 40 of 200 images that a classifies under attack, and c was not attacked."""
    n = 200
    clean, attack = cell(n, data="d"), attack_cell(n, "pgd(eps=8/255)", 8 / 255, data="d")
    right, fewer = np.ones(n), np.arange(n) >= 40

    def outcomes(correct: np.ndarray) -> object:
        return table(n, correct=correct, prediction=np.where(correct, 0, 1))

    cells = {
        "a": [(clean, outcomes(right)), (attack, outcomes(right))],
        "b": [(clean, outcomes(right)), (attack, outcomes(fewer))],
        "c": [(clean, outcomes(right))],
    }
    return by_hand(tmp_path / "store", cells).place  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("models", "options", "code", "message"),
    [
        (["a", "b"], [], 3, "B is worse than A in 1 of 2 scores"),
        (["a", "b"], ["--margin", "10"], 3, "B is worse than A by more than 10 points in 1 of 2"),
        (["a", "b"], ["--margin", "20"], 0, ""),
        (["b", "a"], [], 0, ""),
        (["a", "c"], [], 3, "Of B there is no number for 1 of what A was evaluated on"),
        (["c", "a"], [], 0, ""),
    ],
)
def test_compare_fails_where_the_second_model_is_worse(
    pair: str, models: list[str], options: list[str], code: int, message: str
) -> None:
    answer = robust_eval("compare", *models, "--store", pair, "--fail-if-worse", *options)
    assert (answer.exit_code, message in answer.stderr) == (code, True), answer.output
    worse = [line for line in answer.stdout.splitlines() if line.startswith(("WORSE", "NOT COMPARED"))]
    expected = {
        "b": ["WORSE: digits, pgd(eps=8/255), robust_accuracy: A 100.00, B 80.00, A−B +20.00"],
        "c": ["NOT COMPARED: digits, pgd(eps=8/255): only A has it"],
    }
    assert [line[: len(text)] for line, text in zip(worse, expected.get(models[1], []), strict=False)] == (
        expected[models[1]] if code else []
    )
    assert "p <0.001 (Holm), n = 200" in answer.stdout or models[1] != "b" or not code


def test_the_lines_of_compare_stay_out_of_its_json(pair: str) -> None:
    answer = robust_eval("compare", "a", "b", "--store", pair, "--fail-if-worse", "--json")
    assert len(json.loads(answer.stdout)) == 2 and "WORSE: digits, pgd(eps=8/255)" in answer.stderr
    assert answer.exit_code == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b", "c", "--fail-if-worse"], "compares two models, got 3"),
        (["a", "b", "--margin", "2"], "--margin applies to --fail-if-worse"),
        (["a", "b", "--fail-if-worse", "--margin", "nan"], "must be a number of points from 0 to 100"),
        (["a", "b", "--fail-if-worse", "--margin", "-1"], "must be a number of points from 0 to 100"),
    ],
)
def test_wrong_usage_of_compare_is_exit_code_2(pair: str, words: list[str], message: str) -> None:
    answer = robust_eval("compare", *words, "--store", pair)
    assert answer.exit_code == 2 and message in answer.stderr, answer.output
