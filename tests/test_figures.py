"""Figures for papers: which ones there are, what they show, and that they are the same bytes each time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from robustbench_eff import evaluate
from robustbench_eff.cli.main import app
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.reports.figure_style import COLOURS, WIDTHS, content, looks, styled
from robustbench_eff.reports.figures import Drawn, figures
from robustbench_eff.scores.score import Score

PAPER = Path(__file__).parents[1] / "examples" / "paper"


def score(model: str, perturbation: str, value: float | None, eps: float | None = None, **fields: Any) -> Score:
    given: dict[str, Any] = {"metric": "accuracy", "kind": "none", "benchmark": "digits", "n": 100}
    if eps is not None:
        threat = {"threat": {"norm": "linf", "eps": eps}}
        given |= {"metric": "robust_accuracy", "kind": "attack", "configuration": threat}
    ends = {} if value is None else {"low": max(0, value - 0.1), "high": min(1, value + 0.1)}
    given |= {"low": None, "high": None} | ends
    return Score(
        model=model, perturbation=perturbation, value=value, protocol=Protocol(description="p"), **given | fields
    )


def of_model(name: str, clean: float = 0.9) -> list[Score]:
    attacked = [score(name, f"pgd(eps={k}/255)", clean - k / 20, k / 255) for k in (2, 4, 8)]
    return [score(name, "none", clean), *attacked]


def corrupted(name: str, severities: range = range(1, 6)) -> list[Score]:
    return [
        score(
            name,
            f"{corruption}(severity={severity})",
            0.9 - severity / 10,
            kind="corruption",
            configuration={"corruption": corruption, "severity": severity},
        )
        for corruption in ("fog", "snow")
        for severity in severities
    ]


def biased(name: str) -> list[Score]:
    metrics = {"shape_bias": 0.2, "shape_bias of cat": 0.1, "shape_bias of dog": 0.4}
    return [score(name, "none", value, metric=metric, benchmark="cue-conflict") for metric, value in metrics.items()]


def names(drawn: list[Drawn]) -> list[str]:
    return [item.name for item in drawn]


def test_there_is_a_figure_for_whatever_there_are_numbers() -> None:
    one = of_model("a")
    assert names(figures(one)) == ["security-curve-digits-linf"]
    assert names(figures([*one, *of_model("b")])) == ["security-curve-digits-linf", "clean-against-robust-digits-linf"]
    assert names(figures(one[:2])) == [] == names(figures([])) == names(figures(one[:1]))
    assert names(figures(corrupted("a"))) == ["corruptions-digits"]
    assert names(figures(biased("a"))) == ["shape-bias-cue-conflict"]
    apart = [replace(item, protocol=Protocol(description="q")) for item in one]
    assert names(figures([*one, *apart])) == ["security-curve-digits-linf", "security-curve-digits-linf-2"]


def lines(item: Drawn) -> dict[str, tuple[list[float], list[float]]]:
    (panel,) = item.figure.axes
    return {
        str(line.get_label()): (list(map(float, line.get_xdata())), [round(float(y), 6) for y in line.get_ydata()])
        for line in panel.lines
    }


def test_a_security_curve_begins_at_the_clean_accuracy_and_leaves_out_what_is_unknown() -> None:
    scores = of_model("a")
    scores[2] = replace(scores[2], value=None, low=None, high=None, flags=("failed: why",))
    scores[3] = replace(scores[3], flags=("masking suspected: more_steps",))
    drawn = figures(scores)
    assert lines(drawn[0]) == {"a †": ([0.0, 2 / 255, 8 / 255], [90.0, 80.0, 50.0])}
    assert scores[2] not in drawn[0].scores and scores[3] in drawn[0].scores


def test_every_model_stands_in_one_figure_at_a_radius_that_all_have() -> None:
    few = [score("c", "none", 0.5), score("c", "pgd(eps=4/255)", 0.4, 4 / 255)]
    drawn = figures([*of_model("a"), *of_model("b", 0.7), *few])
    (item,) = (item for item in drawn if item.name.startswith("clean-against"))
    (panel,) = item.figure.axes
    assert "ε = 4/255" in panel.get_ylabel()
    points = {
        str(bar.get_label()): [round(float(of[0]), 6) for of in bar.lines[0].get_data()] for bar in panel.containers
    }
    assert points == {"a": [90.0, 70.0], "b": [70.0, 50.0], "c": [50.0, 40.0]}


def texts(item: Drawn) -> list[str]:
    return [text.get_text() for text in item.figure.axes[0].texts]


def test_a_map_has_severities_of_one_model_and_means_of_several() -> None:
    (one,) = figures(corrupted("a"))
    assert texts(one) == ["80", "70", "60", "50", "40"] * 2
    (two,) = figures([*corrupted("a"), *corrupted("b", range(1, 5))])
    assert texts(two) == ["60", "60"], "of b a severity is missing, so there is no mean"
    (many,) = figures([line for number in range(30) for line in corrupted(f"m{number}")])
    assert [label.get_text() for label in many.figure.axes[0].get_yticklabels()][:2] == ["m0", "m1"]


def test_shape_bias_is_drawn_as_texture_decisions() -> None:
    (item,) = figures(biased("a"))
    (panel, *_) = item.figure.axes
    marks, mean = panel.lines
    assert [round(float(x), 6) for x in marks.get_xdata()] == [0.9, 0.6]
    assert [round(float(x), 6) for x in mean.get_xdata()] == [0.8, 0.8]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["cat", "dog"]


@pytest.mark.parametrize(("width", "count"), [("column", 30), ("two-columns", 2), ("page", 1)])
def test_figures_have_their_width_and_the_same_bytes_each_time(width: str, count: int) -> None:
    models = [f"_m{number} $x_" for number in range(count)]
    scores = [item for model in models for item in (*of_model(model), *corrupted(model))]
    for once, again in zip(figures(scores, width), figures(scores, width), strict=True):
        assert once.figure.get_size_inches()[0] == WIDTHS[width]
        with styled():
            pdf, svg = (content(once.figure, extension) for extension in ("pdf", "svg"))
            assert (pdf, svg) == tuple(content(again.figure, extension) for extension in ("pdf", "svg"))
        is_named = count > 1 or not once.name.startswith("corruptions")
        assert ("_m0 $x_" in svg.decode()) == is_named, "a name is text, and in the legend in spite of its underscore"
        assert b"/Type3" not in pdf


def test_thirty_models_look_different() -> None:
    found = looks([str(number) for number in range(30)])
    assert len(set(found.values())) == 30 and len({look.color for look in found.values()}) == len(COLOURS)


# --- The command, and the example of a paper ---


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("figures") / "store"
    attacks = ["fgsm(eps=4/255)", "fgsm(eps=16/255)"]
    evaluate("digits_standard", "digits_pgd_at", attacks=attacks, limit=40, store=place)
    return place


def test_the_command_writes_what_it_names(store: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["figures", str(store), "--out", str(tmp_path / "new" / "folder")])
    assert answer.exit_code == 0, answer.output
    written = [Path(line) for line in answer.stdout.splitlines()]
    assert sorted(written) == sorted((tmp_path / "new" / "folder").iterdir()) and len(written) == 4
    assert all(path.read_bytes().startswith({".pdf": b"%PDF", ".svg": b"<?xml"}[path.suffix]) for path in written)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--width", "colum"], "Did you mean 'column'"),
        (["--format", "eps"], "--format must be one of pdf, svg, png"),
    ],
)
def test_wrong_usage_is_exit_code_2(store: Path, tmp_path: Path, words: list[str], message: str) -> None:
    answer = CliRunner().invoke(app, ["figures", str(store), "--out", str(tmp_path / "f"), *words])
    assert answer.exit_code == 2 and message in answer.stderr and not (tmp_path / "f").exists()


def test_a_store_without_enough_numbers_says_what_to_do(digits_store: Path, tmp_path: Path) -> None:
    place = tmp_path / "one"
    evaluate("digits_standard", attacks=["fgsm(eps=4/255)"], limit=5, store=place)
    answer = CliRunner().invoke(app, ["figures", str(place), "--out", str(tmp_path / "f")])
    assert answer.exit_code == 2 and "There are not enough numbers for any figure." in answer.stderr


def test_the_store_itself_is_no_place_for_figures(store: Path) -> None:
    answer = CliRunner().invoke(app, ["figures", str(store), "--out", str(store)])
    assert answer.exit_code == 2 and "among the files that this command uses" in answer.stderr


@pytest.fixture(scope="module")
def paper(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper") / "a paper"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = ["sh", str(PAPER / "make.sh"), str(store), str(folder)]
    done = subprocess.run(words, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_example_of_a_paper_includes_what_it_made(paper: Path) -> None:
    included = re.findall(r"\\input\{(\w+)\}", (paper / "paper.tex").read_text())
    assert included == ["attacks", "overview", "figures"] and all((paper / f"{name}.tex").exists() for name in included)
    shown = re.findall(r"\\onefigure\{(.*?)\}", (paper / "figures.tex").read_text())
    assert shown == ["clean-against-robust-digits-linf", "security-curve-digits-linf"]
    assert all((paper / f"{name}{suffix}").exists() for name in shown for suffix in (".pdf", ".svg"))
    (label,) = re.findall(r"\\ref\{(.*?)\}", (paper / "paper.tex").read_text())
    assert rf"\label{{{label}}}" in (paper / "overview.tex").read_text()


def test_the_example_of_a_paper_compiles(paper: Path) -> None:
    engine = next((name for name in ("pdflatex", "tectonic") if shutil.which(name)), None)
    if engine is None:
        pytest.skip("neither pdflatex nor tectonic is installed")
    words = [engine, "paper.tex"] if engine == "tectonic" else [engine, "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(words, cwd=paper, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and (paper / "paper.pdf").exists(), done.stdout[-2000:]
    assert "Overfull" not in done.stdout
