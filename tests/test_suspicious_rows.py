"""A suspicion stands on every row it puts in doubt, and arrives wherever the row is shown."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import outcome_tables
from masked_models import Quantised, masked
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.flags import suspects_masking
from robustbench_eff.leaderboards import audit, curves
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import Layout, Pattern
from robustbench_eff.leaderboards.site.boards import boards
from robustbench_eff.leaderboards.site.models import shown_models
from robustbench_eff.leaderboards.table_formats import FORMATS
from robustbench_eff.publishing.measured_entries import measured_entries
from robustbench_eff.reports import score_tables
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.masking_checks import suspicions, verdicts
from robustbench_eff.scores.per_sample import sample_contributions
from robustbench_eff.storage.store import Store

GRADIENTS = ("fgsm(eps=16/255)", "pgd(eps=16/255)", "pgd(eps=1.0, norm='l2')", "security_curve(eps=[4/255, 8/255])")
BLIND = "square(eps=16/255, queries=40)"
FLAG = "masking suspected: zero_gradients"


def cell(
    name: str, correct: list[bool], *, uses: str = "gradients", eps: float | None = 8 / 255, **given
) -> CellOutcomes:
    """An attack on four samples; `zeros` of 20 gradients were zero."""
    norm, samples = given.pop("norm", "linf"), given.pop("samples", 4)
    zeros, backwards = given.pop("zeros", 0), given.pop("backwards", 20)
    record = outcome_tables.attack_cell(
        samples, f"{name}(...)", eps, norm, id=name, kind="attack", uses=uses, configuration={"steps": 10, **given}
    )
    columns = {"correct": correct, "num_backwards": [backwards] * 4, "zero_gradients": [zeros] * 4}
    return CellOutcomes(record, outcome_tables.table(4, **columns))


def clean(flag: str = "") -> CellOutcomes:
    return CellOutcomes(
        outcome_tables.cell(4, id="none", kind="none"), outcome_tables.table(4, correct=[True] * 4, flag=[flag] * 4)
    )


def flagged(*evidence: CellOutcomes) -> dict[str, set[str]]:
    """The cells that each check puts in doubt."""
    found: dict[str, set[str]] = {}
    for cell_id, flags in suspicions(verdicts(evidence, "model")).items():
        for flag in flags:
            found.setdefault(flag.removeprefix("masking suspected: "), set()).add(cell_id)
    return found


SOUND, BROKEN = [True] * 4, [False] * 4


def test_zero_gradients_doubt_every_attack_that_met_them_and_those_that_did_not_count() -> None:
    rows = [
        cell("pgd", SOUND, zeros=20),
        cell("alone_in_l2", SOUND, norm="l2", zeros=12),
        cell("fgsm", SOUND, uses="one gradient", backwards=1, zeros=1),
        cell("fmn", BROKEN, eps=None, zeros=20),
        cell("of_another_library", SOUND, backwards=-1),
        cell("unfinished", SOUND, zeros=20, samples=9),
        cell("with_live_gradients", SOUND, zeros=3),
        cell("broke_everything", BROKEN, zeros=20),
        cell("square", SOUND, uses="logits", backwards=0),
        cell("transfer", SOUND, surrogate="x", zeros=20),
    ]
    assert flagged(clean(), *rows)["zero_gradients"] == {
        *("pgd", "alone_in_l2", "fgsm", "fmn", "of_another_library", "unfinished"),
    }


def test_a_single_attack_is_enough() -> None:
    assert flagged(clean(), cell("pgd", SOUND, zeros=20)) == {"zero_gradients": {"pgd"}}
    assert flagged(clean(), cell("pgd", SOUND, zeros=0)) == {}


def test_a_stronger_black_box_doubts_the_attacks_with_gradients_in_its_norm() -> None:
    square = cell("square", BROKEN, uses="logits", backwards=0)
    rows = [cell("pgd", SOUND), cell("smaller", SOUND, eps=2 / 255), cell("in_l2", SOUND, norm="l2")]
    others = [cell("fgsm", SOUND, uses="one gradient"), cell("weak_square", SOUND, uses="logits", eps=2 / 255)]
    assert flagged(square, *rows, *others) == {"black_box": {"pgd", "smaller", "fgsm"}}


def test_survivors_of_a_ball_in_which_nothing_is_robust_doubt_the_norm() -> None:
    rows = [cell("wide", SOUND, eps=0.5), cell("pgd", SOUND), cell("in_l2", SOUND, norm="l2")]
    assert flagged(*rows) == {"large_epsilon": {"wide", "pgd"}}


def test_a_gain_from_more_steps_doubts_the_ball() -> None:
    few, more = cell("pgd", SOUND, steps=10), cell("pgd", [True, False, False, False], steps=100)
    more = CellOutcomes(replace(more.cell, id="more"), more.outcomes)
    others = [cell("apgd", SOUND), cell("elsewhere", SOUND, eps=2 / 255), cell("broke_everything", BROKEN)]
    assert flagged(few, more, *others) == {"more_steps": {"pgd", "more", "apgd"}}


def test_random_outputs_doubt_every_attack_and_the_clean_row() -> None:
    rows = [cell("pgd", BROKEN), cell("square", SOUND, uses="logits"), cell("transfer", SOUND, surrogate="x")]
    assert flagged(clean("random_output"), *rows) == {"random_outputs": {"none", "pgd", "square", "transfer"}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rounding") / "store"
    model = load_classifier(masked(Quantised), input_size=32)
    evaluate(model, benchmarks=["digits"], attacks=[*GRADIENTS, BLIND], limit=16, store=folder, precision="float32")
    return folder


def test_every_row_of_a_rounding_network_bears_it_in_the_table_and_in_json(store: Path) -> None:
    answer = json.loads(CliRunner().invoke(app, ["score", str(store), "--json"]).stdout)
    rows = [row for row in answer["scores"] if row["perturbation"] not in ("none", BLIND)]
    assert {row["perturbation"] for row in rows} >= set(GRADIENTS)
    assert any(row["perturbation"].startswith("worst of") for row in rows)
    assert [row for row in rows if FLAG not in row["flags"]] == []
    assert [row for row in answer["scores"] if row["perturbation"] == "none" and row["flags"]] == []
    (check,) = (check for check in answer["checks"] if check["check"] == "zero_gradients")
    assert "robustbench_eff.bpda" in check["remedy"]
    table = CliRunner().invoke(app, ["score", str(store)]).stdout
    assert table.count("zero_gradients") >= len(GRADIENTS)
    assert "robustbench_eff.bpda" in table


def test_it_is_in_the_entry_and_in_every_format_of_its_table(store: Path) -> None:
    (entry,) = measured_entries([store])
    doubted = [result for result in entry.measured if suspects_masking(result.flags)]
    assert {result.perturbation for result in doubted} >= set(GRADIENTS)
    pattern = Pattern(metric="robust_accuracy", perturbation="pgd*|square*")
    table = build_table([entry], Layout(title="t", columns=(pattern,)))
    texts = {name: write(table) for name, write in FORMATS.items()}
    by_attack = {row["perturbation"]: row for row in csv.DictReader(io.StringIO(texts["csv"]))}
    assert FLAG in by_attack[GRADIENTS[1]]["flags"]
    assert FLAG not in by_attack[BLIND]["flags"]
    for name, dagger in {"tex": r"100\.00\$\^\S+?\$\$\\dagger\$", "md": "100.00†", "html": "100.00†"}.items():
        assert re.search(dagger, texts[name].replace("93.75", "100.00")), name
        assert "zero" in texts[name]
    assert r"$\dagger$ " in texts["tex"].partition(r"\end{tabular}")[2], "the note below the table"
    site = boards(shown_models([entry.model_copy(update={"measured": tuple(doubted)})], ()))
    assert any("†" in warning and FLAG in warning for board in site.values() for warning in board.table.warnings)


def test_it_is_in_the_audit_the_comparison_and_on_curves(store: Path) -> None:
    (entry,) = measured_entries([store])
    ours = next(result for result in entry.measured if result.perturbation == GRADIENTS[1])
    theirs = ours.model_copy(update={"value": 0.5, "low": None, "high": None, "flags": ()})
    (difference,) = audit.audit([entry.model_copy(update={"measured": (ours,), "published": (theirs,)})])
    assert FLAG in difference.flags
    assert FLAG in audit.markdown([difference]).replace("\\_", "_")
    assert FLAG in audit.as_csv([difference])
    drawn = curves.curves([entry])
    assert drawn and all(curve.label.endswith("†") for curve in drawn)
    opened = Store.existing(store)
    name = next(iter(opened.cells().values())).model
    compared = sample_contributions(opened, name).contributions.values()
    assert {entry.perturbation for entry in compared if FLAG in entry.flags} >= {*GRADIENTS}


def test_flags_of_a_model_stand_below_tables_without_a_column_for_them() -> None:
    from robustbench_eff.scores.accuracy import accuracy_scores

    configuration = {"corruption": "fog", "severity": 3, "constants": "imagenet"}
    record = outcome_tables.cell(
        4, "fog(severity=3)", id="fog", kind="corruption", configuration=configuration, flags=("random weights: fc",)
    )
    scores = accuracy_scores(CellOutcomes(record, outcome_tables.table(4, correct=np.ones(4, bool))))
    console = Console(file=io.StringIO(), width=120)
    score_tables.score_table(scores, console)
    assert "All: random weights: fc." in console.file.getvalue()
