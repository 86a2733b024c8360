"""The tables on the terminal: the headline first, shared columns in titles, and no number cut at any width."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from entry_stores import STORES, write
from outcome_tables import attack_cell, cell, item, table
from robustbench_eff.reports.fit_table import print_table
from robustbench_eff.reports.score_tables import score_table
from robustbench_eff.scores.accuracy import accuracy_scores
from robustbench_eff.scores.class_scores import class_scores
from robustbench_eff.scores.clean import confidence_scores
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.cue_conflict import cue_conflict_scores
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import ScoreContext
from robustbench_eff.scores.worst_case import worst_case_class_scores, worst_case_scores
from robustbench_eff.storage.store import Store

MODELS = ("digits_standard", "timm:vit_base_patch16_clip_224.openai_ft_in12k_in1k")


def shown(scores: list[Score], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    score_table(scores, console)
    return console.file.getvalue()


def scores_of(*models: str, samples: int = 200, flags: tuple[str, ...] = ()) -> list[Score]:
    """Clean images, two attacks in one ball and one in another, and conflicting images, of each model."""
    random = np.random.default_rng(0)
    scores = []
    for model in models:
        labels = random.integers(10, size=samples)
        columns = {"label": labels, "clean_prediction": labels, "prediction": labels, "prediction_confidence": 0.8}
        columns["prediction_confidence"] = np.full(samples, 0.8)
        named = {"benchmark": "cifar10", "model": model, "model_digest": model, "flags": flags}
        clean = item(cell(samples, id=f"clean {model}", **named), table(samples, correct=labels >= 0, **columns))
        attacks = [
            item(
                attack_cell(samples, name, eps, id=f"{name} {eps} {model}", seed=seed, **named),
                table(samples, correct=random.random(samples) < share, correct_8bit=labels > 4, **columns),
            )
            for name, eps, seed, share in (
                ("fgsm(eps=8/255)", 8 / 255, None, 0.9),
                ("pgd(eps=8/255, steps=50, restarts=5)", 8 / 255, 0, 0.7),
                ("pgd(eps=16/255)", 16 / 255, 0, 0.4),
            )
        ]
        conflict = item(
            cell(samples, id=f"cues {model}", **(named | {"benchmark": "cue-conflict"})),
            table(samples, **(columns | {"label": labels, "texture": (labels + 1) % 10})),
        )
        for one in (clean, *attacks):
            scores += [*accuracy_scores(one), *class_scores(one)]
        scores += confidence_scores(clean) + cue_conflict_scores(conflict)
        scores += worst_case_scores(attacks, ScoreContext()) + worst_case_class_scores(attacks, ScoreContext())
    return scores


def numbers(scores: list[Score]) -> set[str]:
    """What must stand in the report, whole: every end of every interval of the accuracies."""
    found = set()
    for score in scores:
        if score.definition.section == "accuracy" and not score.metric.endswith("8bit"):
            found |= {f"{100 * score.value:.2f}", f"[{100 * score.low:.1f}, {100 * score.high:.1f}]"}
        elif score.definition.section in ("by class", "cue conflict") and score.kind == "none":
            found |= {f"{100 * score.value:.1f}", f"[{100 * score.low:.1f}, {100 * score.high:.1f}]"}
    return found


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("models", [MODELS[:1], MODELS, tuple(f"{MODELS[1]}_{n}" for n in range(5))])
@pytest.mark.parametrize("flags", [(), ("random weights: fc.weight, fc.bias",)])
def test_no_number_is_cut_at_any_width(width: int, models: tuple[str, ...], flags: tuple[str, ...]) -> None:
    scores = scores_of(*models, flags=flags)
    text = shown(scores, width)
    assert "…" not in text
    tables = [line for line in text.splitlines() if set(line) & set("│┃┏└")]
    assert max(map(len, tables)) <= width or width == 60
    for number in numbers(scores):
        assert number in text, number


def test_the_test_of_cut_numbers_can_fail() -> None:
    """What rich does with a table that does not fit."""
    wide = Table()
    for column in range(8):
        wide.add_column(f"{column}", no_wrap=True)
    wide.add_row(*["44.17 [41.2, 47.3]"] * 8)
    cut, whole = Console(file=io.StringIO(), width=80), Console(file=io.StringIO(), width=80)
    cut.print(wide)
    print_table(wide, whole)
    assert "[41.2, 47.3]" not in cut.file.getvalue()
    assert whole.file.getvalue().count("[41.2, 47.3]") == whole.file.getvalue().count("44.17") == 8


def test_a_column_that_is_too_wide_alone_is_still_whole() -> None:
    wide = Table()
    wide.add_column("name", overflow="fold")
    wide.add_column("number", no_wrap=True)
    wide.add_row("a name", "1234567890" * 5)
    console = Console(file=io.StringIO(), width=30)
    print_table(wide, console)
    assert "1234567890" * 5 in console.file.getvalue()


def test_the_report_at_80_columns() -> None:
    scores = [score for score in scores_of("digits_standard") if score.definition.section == "accuracy"]
    lines = [line.rstrip() for line in shown(scores, 80).splitlines()]
    worst = "worst of fgsm, pgd, linf 8/255"
    first = "digits_standard on cifar10: robust accuracy 62.50 % [55.4, 69.2] (worst of fgsm, pgd, linf 8/255), clean "
    assert lines[0] == f"{first}100.00 % [98.2, 100.0], n = 200. Other balls: linf 16/255 26.00 % [20.1, 32.7]."
    assert lines[1].startswith("Accuracy in %, with 95 % intervals · digits_standard on cifar10 · n = 200")
    rows = [re.split(r"\s*│\s*", line.strip("│ "))[0] for line in lines if line.startswith("│")]
    assert [row for row in rows if row] == [
        "none",
        f"► {worst}",
        "fgsm(eps=8/255)",
        "pgd(eps=8/255, steps=50,",
        "restarts=5)",
        "► worst of fgsm, pgd ×2, linf",
        "16/255",
        "pgd(eps=16/255)",
    ]
    assert "┃ model" not in "\n".join(lines)
    assert any(line.startswith("► The headline of a ball") for line in lines)


def test_headlines_are_bold_as_well() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard", no_color=False)
    score_table([score for score in scores_of("m") if score.definition.section == "accuracy"], console)
    bold = [line for line in console.file.getvalue().splitlines() if "\x1b[1m" in line and "►" in line]
    assert len(bold) == 2


def test_what_differs_between_rows_is_a_column() -> None:
    ours, theirs = scores_of("ours", samples=100), scores_of("theirs", samples=50)
    text = shown([*ours, *theirs], 140)
    assert re.search(r"┃ model +┃ perturbation +┃ +accuracy ┃ 8-bit ┃ +n ┃ protocol ┃", text)
    assert "Accuracy in %, with 95 % intervals · on cifar10\n" in re.sub(" +\n", "\n", text)


def test_the_flags_of_every_number_in_a_row_stand_below() -> None:
    scores = [score for score in scores_of("m") if score.definition.section == "clean"]
    flagged = [
        replace(score, flags=("of the first of 3 orders",)) if score.metric == "aurc" else score for score in scores
    ]
    text = shown(flagged, 100)
    assert re.search(r"\] \*", text)
    assert "* m AURC: of the first of 3 orders." in text


def test_the_flags_of_rows_with_one_name_stand_below() -> None:
    first, second = (
        item(
            attack_cell(4, "pgd(eps=8/255)", 8 / 255, id=f"seed {seed}", seed=seed),
            table(stored, correct=[True] * stored),
        )
        for seed, stored in ((0, 2), (1, 4))
    )
    scores = [score for one in (first, second) for score in accuracy_scores(one) if score.metric == "robust_accuracy"]
    assert "* pgd(eps=8/255) (1): incomplete: 2 of 4." in _one_line(shown(scores, 140))
    assert "* pgd(eps=8/255) (2): incomplete: 2 of 4." in _one_line(shown(scores[::-1], 140))
    alike = [replace(score, protocol=scores[0].protocol, n=4) for score in scores]
    assert "* pgd(eps=8/255) in row 1: incomplete: 2 of 4." in _one_line(shown(alike, 140))


def test_the_flags_of_confidence_under_two_protocols_stand_below() -> None:
    clean = [score for score in scores_of("m", flags=("of one",)) if score.definition.section == "clean"]
    other = [
        replace(score, flags=(), cell="other", protocol=replace(score.protocol, description="others"))
        for score in clean
    ]
    assert "* m (1): of one." in shown([*clean, *other], 100)
    assert "* m (2): of one." in shown([*other, *clean], 100)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def test_other_labels_have_no_column_of_the_first() -> None:
    """Accuracy by the ReaL labels is of the same cell, under another benchmark."""
    votes = item(
        cell(4, id="a", configuration={"votes_per_image": 2}), table(4, correct=[True] * 4, votes=[[True, False]] * 4)
    )
    scores = [*accuracy_scores(votes)]
    real = replace(scores[0], benchmark="other labels", value=0.25, low=0.0, high=0.9)
    text = shown([*scores, real], 140)
    assert "every vote" in text
    (row,) = [line for line in text.splitlines() if "other labels" in line and "25.00" in line]
    (header,) = [line for line in text.splitlines() if "every vote" in line and "┃" in line]
    column = [part.strip() for part in header.split("┃")].index("every vote")
    assert row.split("│")[column].strip() == ""
    of_votes = next(line for line in text.splitlines() if line.startswith("│") and "other labels" not in line)
    assert of_votes.split("│")[column].strip() != ""


def test_rounding_is_a_column_only_where_it_changes_something() -> None:
    scores = [score for score in scores_of("m") if score.definition.section == "accuracy"]
    values = {score.cell: score.value for score in scores if score.metric == "robust_accuracy"}
    alike = [replace(score, value=values[score.cell]) if score.metric.endswith("8bit") else score for score in scores]
    assert "┃ 8-bit" in shown(scores, 100)
    assert "┃ 8-bit" not in shown(alike, 100)
    assert "each attack leaves the same accuracy" in shown(alike, 100)


def test_the_worst_class_is_named_with_its_n_and_parts_of_a_worst_case_have_no_row() -> None:
    text = shown([score for score in scores_of("m") if score.definition.section == "by class"], 140)
    rows = [line for line in text.splitlines() if line.startswith("│")]
    assert len(rows) == 3
    assert re.search(r'[0-9] "[a-z]+", n = \d+', rows[1])
    assert "all 10 classes" in rows[0]


def test_severities_and_corruption_errors_fit_80_columns_with_their_unit() -> None:
    random = np.random.default_rng(0)
    scores = []
    for severity in range(1, 6):
        configuration = {"corruption": "elastic_transform", "severity": severity, "constants": "imagenet"}
        record = cell(
            200,
            f"elastic_transform(severity={severity})",
            id=str(severity),
            kind="corruption",
            configuration=configuration,
        )
        scores += accuracy_scores(item(record, table(200, correct=random.random(200) < 1 - severity / 10)))
    error = {"kind": "several", "cell": "", "configuration": {}, "value": 1.2345, "low": 1.1, "high": 1.3}
    scores.append(replace(scores[0], perturbation="elastic_transform", metric="CE", **error))
    scores.append(replace(scores[0], perturbation="imagenet_c", metric="mCE", **error))
    text = shown(scores, 80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines() if line[:1] in "┏┃│") <= 80
    for score in scores[:5]:
        assert f"[{100 * score.low:.0f}, {100 * score.high:.0f}]" in text
    assert "[110, 130]" in text
    assert "CE, % of AlexNet's" in shown(scores, 140)
    assert "mCE 123.45 [110.00, 130.00] % of AlexNet's." in text


def test_sentences_are_broken_at_words_on_a_terminal_alone(tmp_path: Path) -> None:
    scores = store_scores(Store(write(tmp_path / "store", STORES["certificates"])))
    texts = {}
    for is_terminal in (True, False):
        console = Console(width=80, file=io.StringIO(), force_terminal=is_terminal, color_system=None)
        score_table(scores, console)
        texts[is_terminal] = console.file.getvalue()
    assert max(map(len, texts[True].splitlines())) <= 80
    sentence = next(line for line in texts[False].splitlines() if line.startswith("Certified: correct, "))
    assert len(sentence) > 150
    assert sentence in " ".join(texts[True].split("\n"))
