"""A package of its own adds a component of every kind, and everything works with them as with those of the suite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODEL = "acme/centroids:digits"
ATTACKS = ("acme/gradient_ascent(eps=0.5)", "acme/gradient_ascent(eps=8/255)", "square(eps=8/255, queries=20)")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a process in which the example is installed, beside the suite and not into its environment."""
    source, target = tmp_path_factory.mktemp("plugin") / "source", tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "examples" / "plugin", source, ignore=shutil.ignore_patterns("*.egg-info", "build"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    has_uv = Path(uv[0]).exists()
    subprocess.run([*(uv if has_uv else pip), "--target", str(target), str(source)], check=True, timeout=300)
    return {**os.environ, "PYTHONPATH": str(target), "NO_COLOR": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"}


def robust_eval(environment: dict[str, str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from robustbench_eff.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def run(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """An evaluation in which everything but the suite itself is the plugin's; its folder is the first argument."""
    folder = tmp_path_factory.mktemp("run")
    words = ["--model", MODEL, "--benchmark", "acme/upside-down-digits", "--limit", "48", "--store", "store"]
    for attack in ATTACKS:
        words += ["--attack", attack]
    answer = robust_eval(environment, *words, "--corruption", "acme/vignette(severity=3)", folder=folder)
    answer.args = folder
    return answer


def test_the_example_passes_the_batteries_that_it_takes_along(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "examples" / "plugin")]
    answer = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert answer.returncode == 0, answer.stdout


def test_all_of_them_are_evaluated_together(environment: dict[str, str], run: subprocess.CompletedProcess[str]) -> None:
    assert run.returncode == 0, run.stderr
    assert "acme/mean_confidence_gap in %" in run.stdout, "the table of metrics without a table of their own"
    scored = json.loads(robust_eval(environment, "score", "store", "--json", folder=Path(run.args)).stdout)["scores"]
    assert {score["model"] for score in scored} == {MODEL}
    assert {score["benchmark"] for score in scored} == {"acme/upside-down-digits"}
    assert {*ATTACKS[:2], "acme/vignette(severity=3)"} <= {score["perturbation"] for score in scored}


def test_the_masking_checks_see_its_attack(run: subprocess.CompletedProcess[str]) -> None:
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("Checks for gradient masking")]
    not_run = line.partition("not run")[2].partition(";")[0]
    assert "large_epsilon" in line
    assert "black_box" in line
    assert "large_epsilon" not in not_run
    assert "black_box" not in not_run


def test_its_score_is_in_json_entry_validation_and_site(
    environment: dict[str, str], run: subprocess.CompletedProcess[str]
) -> None:
    folder = Path(run.args)
    scored = json.loads(robust_eval(environment, "score", "store", "--json", folder=folder).stdout)
    (score,) = [item for item in scored["scores"] if item["metric"] == "acme/mean_confidence_gap"]
    written = robust_eval(environment, "leaderboard", "entry", "store", "--out", "entries", folder=folder)
    assert written.returncode == 0, written.stderr
    (path,) = (folder / "entries").glob("*.json")
    (result,) = [item for item in json.loads(path.read_text())["measured"] if item["metric"] == score["metric"]]
    assert (result["value"], result["unit"], result["higher_is_better"]) == (score["value"], "fraction", True)
    validated = robust_eval(environment, "leaderboard", "validate", "entries", "--store", "store", folder=folder)
    assert validated.returncode == 0, validated.stdout + validated.stderr
    words = ["leaderboard", "site", "store", "--no-published", "--out", "site"]
    site = robust_eval(environment, *words, folder=folder)
    assert site.returncode == 0, site.stderr
    pages = [page.read_text() for page in (folder / "site").rglob("*.html")]
    assert any("acme/mean_confidence_gap" in page for page in pages)


def test_an_entry_with_a_metric_that_nobody_knows_is_named(
    environment: dict[str, str], run: subprocess.CompletedProcess[str]
) -> None:
    """The same entry where the plugin is not installed."""
    folder = Path(run.args)
    robust_eval(environment, "leaderboard", "entry", "store", "--out", "entries", folder=folder)
    without = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    validated = robust_eval(without, "leaderboard", "validate", "entries", folder=folder)
    assert validated.returncode == 1
    assert "acme/mean_confidence_gap" in validated.stdout


@pytest.mark.slow
def test_verify_leaves_its_corruption_out(environment: dict[str, str], tmp_path: Path) -> None:
    answer = robust_eval(environment, "verify", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_its_defense_trains(environment: dict[str, str], tmp_path: Path) -> None:
    words = ["train", "--defense", "acme/confident(weight=0.2)", "--schedule", "epochs=1", "--limit", "128"]
    answer = robust_eval(environment, *words, "--out", "mine", folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads((tmp_path / "mine" / "model.json").read_text())["defense"] == "acme/confident(weight=0.2)"


def test_every_table_lists_them(environment: dict[str, str], tmp_path: Path) -> None:
    kinds = {
        "attacks": "acme/gradient_ascent",
        "corruptions": "acme/vignette",
        "benchmarks": "acme/upside-down-digits",
        "defenses": "acme/confident",
    }
    for kind, name in kinds.items():
        assert name in robust_eval(environment, "list", kind, folder=tmp_path).stdout, kind
