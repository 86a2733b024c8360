"""A flag on one cell of every kind reaches every number computed from that cell, and every place that shows it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from outcome_tables import attack_cell, cell, table
from robustbench_eff.cli.main import app
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, SEQUENCE_SETS
from robustbench_eff.reports import heat_map, score_tables
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.per_sample import sample_contributions
from robustbench_eff.scores.score import Score
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

N, FRAMES = 4, 4
PLANTED = "planted on "
KINDS = (
    "clean images",
    "shifted images",
    "conflicting cues",
    "fog",
    "rotation",
    "an attack",
    "a search",
    "a curve",
    "a certificate",
    "a smoothed attack",
)
SMOOTHING = {"smoothing": {"sigma": 0.25, "n": 1000, "n0": 100, "alpha": 0.001, "version": 1}}
SMOOTHED = "smoothing(sigma=0.25, n=1000)"
OVER_CELLS = {
    ("imagenet_c", "mean_accuracy"): "fog",
    ("imagenet_c", "mCE"): "fog",
    ("imagenet_c", "relative_mCE"): "fog",
    ("fog", "CE"): "fog",
    ("imagenet_p", "mean_flip_probability"): "rotation",
    ("imagenet_p", "mean_top5_distance"): "rotation",
    ("imagenet_p", "mFR"): "rotation",
    ("worst of fgsm, pgd, linf 4/255", "robust_accuracy"): "an attack",
    ("none", "effective_robustness"): "clean images",
}
"""Numbers over several cells, of which one is flagged."""


def cells() -> Iterator[tuple[str, StoredCell, dict[str, object]]]:
    """Every cell with the kind that is planted on it, empty for none, and with columns of its outcomes."""
    yield "clean images", cell(N, benchmark="imagenet"), {}
    yield "shifted images", cell(N, benchmark="imagenetv2-matched-frequency"), {}
    yield "conflicting cues", cell(N, benchmark="cue-conflict"), {"texture": [1] * N, "label": [0, 1, 2, 3]}
    for name in IMAGENET_C:
        for severity in range(1, 6):
            made = {"corruption": name, "severity": severity, "constants": "imagenet"}
            of = cell(N, f"{name}(severity={severity})", benchmark="imagenet-c", configuration=made)
            yield "fog" if (name, severity) == ("fog", 3) else "", of, {}
    for name in SEQUENCE_SETS["imagenet_p"].names:
        made = {"sequence": f"{name}_sequence", "difficulty": 1, "constants": "imagenet", "frames": FRAMES}
        made |= {"compared_with": "previous"}
        of = cell(N, f"{name}_sequence(difficulty=1)", benchmark="imagenet-p", configuration=made)
        yield "rotation" if name == "rotate" else "", of, {"ranking": [list(range(5)) * FRAMES] * N}
    yield "", attack_cell(N, "fgsm(eps=4/255)", 4 / 255), {}
    yield "an attack", attack_cell(N, "pgd(eps=4/255)", 4 / 255), {}
    yield "a search", attack_cell(N, "fmn(norm='l1')", None, "l1"), {"distance_l1": [1.0] * N, "correct": [False] * N}
    curve = attack_cell(N, "security_curve(eps=(0.25, 0.5))", 0.5, "l2", configuration={"eps": [0.25, 0.5]})
    yield "a curve", curve, {"distance_l2": [0.3] * N}
    of = cell(N, SMOOTHED, kind="certificate", configuration=SMOOTHING)
    yield "a certificate", of, {"prediction_confidence": [1.0] * N, "radius": [0.1] * N}
    of = attack_cell(N, f"pgd(eps=0.5, norm='l2') on {SMOOTHED}", 0.5, "l2", kind="attack", configuration=SMOOTHING)
    yield "a smoothed attack", of, {"distance_l2": [0.4] * N}


def written(place: Path, planted: bool = True) -> Path:
    store = Store(place)
    with store.lock():
        for kind, of, columns in cells():
            note = f"{PLANTED}{kind}" if kind and planted else ""
            stored = of.identified()
            store.write_cell(stored)
            store.write_shard(stored.id, table(N, **{"correct": np.arange(N) > 0, "note": [note] * N, **columns}))
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("flags") / "store")


@pytest.fixture(scope="module")
def scores(place: Path) -> list[Score]:
    return store_scores(Store(place))


def planted_on(score: Score) -> set[str]:
    """The kinds whose planted flag a score has."""
    return {kind for kind in KINDS for flag in score.flags if flag.partition(" (in ")[0] == f"{PLANTED}{kind}"}


def test_every_number_of_a_flagged_cell_has_its_flag(place: Path, scores: list[Score]) -> None:
    kind_of = {of.identified().id: kind for kind, of, _ in cells()}
    of_cells = [score for score in scores if score.cell]
    assert {kind_of[score.cell] for score in of_cells} >= set(KINDS)
    for score in of_cells:
        assert planted_on(score) == {kind_of[score.cell]} - {""}, score


def test_every_number_over_several_cells_has_the_flags_of_all(scores: list[Score]) -> None:
    over = {(score.perturbation, score.metric): score for score in scores if not score.cell}
    assert set(OVER_CELLS) <= set(over)
    for key, score in over.items():
        assert (OVER_CELLS.get(key) in planted_on(score)) == (key in OVER_CELLS), score
    assert f"{PLANTED}fog (in 1 of 75 cells)" in over["imagenet_c", "mCE"].flags
    assert f"{PLANTED}fog (in 1 of 5 cells)" in over["fog", "CE"].flags
    assert f"{PLANTED}rotation (in 1 of 10 cells)" in over["imagenet_p", "mFR"].flags
    assert planted_on(over["none", "effective_robustness"]) == {"clean images", "shifted images"}


def test_every_section_of_the_report_names_the_flags_of_its_numbers(scores: list[Score]) -> None:
    sections: dict[str, list[Score]] = {}
    for score in scores:
        sections.setdefault(score_tables.section_of(score), []).append(score)
    assert len(sections) >= 8
    for section, group in sections.items():
        file = io.StringIO()
        score_tables.score_table(group, Console(file=file, width=400))
        text = file.getvalue()
        wanted = set().union(*map(planted_on, group))
        assert wanted and all(f"{PLANTED}{kind}" in text for kind in wanted), section


def test_json_has_the_flags_of_every_number(place: Path, scores: list[Score]) -> None:
    printed = json.loads(CliRunner().invoke(app, ["score", str(place), "--json"]).stdout)["scores"]
    assert [row["flags"] for row in printed] == [list(score.flags) for score in scores]


@pytest.mark.parametrize("ending", ["csv", "md", "tex", "json", "html"])
def test_every_export_of_a_board_has_them(place: Path, tmp_path: Path, ending: str) -> None:
    (tmp_path / "all.yaml").write_text("title: All\ncolumns: [{perturbation: '*'}]\n")
    out = tmp_path / f"board.{ending}"
    words = ["leaderboard", "build", str(place), "--columns", str(tmp_path / "all.yaml"), "--out", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    text = " ".join(out.read_text().split())
    assert all(f"{PLANTED}{kind}" in text for kind in KINDS)


def test_the_report_of_a_run_has_them(place: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(place), "--out", str(tmp_path / "report.html")])
    assert done.exit_code == 0, done.output
    text = " ".join((tmp_path / "report.html").read_text().split())
    assert all(f"{PLANTED}{kind}" in text for kind in KINDS)


def test_entries_have_them(place: Path, tmp_path: Path, scores: list[Score]) -> None:
    assert CliRunner().invoke(app, ["leaderboard", "entry", str(place), "--out", str(tmp_path)]).exit_code == 0
    (file,) = tmp_path.glob("*.json")
    rows = json.loads(file.read_text())["measured"]
    assert sorted(tuple(row.get("flags", ())) for row in rows) == sorted(score.flags for score in scores)
    done = CliRunner().invoke(app, ["leaderboard", "validate", str(file), "--store", str(place)])
    assert (done.exit_code, done.stdout.split("\n")[0]) == (0, "All entries are valid."), done.output


def test_comparisons_have_them(place: Path) -> None:
    found = sample_contributions(Store(place), "model").contributions.values()
    flags = {flag.partition(" (in ")[0] for entry in found for flag in entry.flags}
    assert {f"{PLANTED}{kind}" for kind in KINDS if kind != "a search"} <= flags, "a search has no radii to compare"
    (mean,) = (entry for entry in found if entry.metric == "mCE")
    assert f"{PLANTED}fog (in 1 of 75 cells)" in mean.flags


def test_the_heat_map_marks_them(scores: list[Score]) -> None:
    flagged = heat_map.heat_map(scores)
    plain = heat_map.heat_map([replace(score, flags=()) for score in scores])
    assert flagged.height == plain.height + heat_map.LINE, "one line for the one flag"
    cell_of_fog = (heat_map.NAMES + 2 * heat_map.CELL[0], heat_map.GAP + 2 * heat_map.LINE)
    left, top, (width, height) = *cell_of_fog, heat_map.CELL
    rows = list(dict.fromkeys(score.configuration["corruption"] for score in scores if score.kind == "corruption"))
    differing = []
    for row, name in enumerate(rows):
        box = (left, top + row * height, left + width, top + (row + 1) * height)
        if flagged.crop(box).tobytes() != plain.crop(box).tobytes():
            differing.append(name)
    assert differing == ["fog"]
