"""A store with a part of a set: the table shows what there is, and a sentence says what its means need."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from board_entries import IMAGES
from robustbench_eff import evaluate
from robustbench_eff.cli.main import app
from robustbench_eff.core import spec
from robustbench_eff.leaderboards.columns import layout, presets
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.publishing.incomplete_means import columns_with_results, incomplete_means
from robustbench_eff.registry.perturbation_sets import CORRUPTION_SETS, IMAGENET_C, PERTURBATION_SETS


def run(*words: object):
    return CliRunner().invoke(app, ["leaderboard", "build", *map(str, words)], env={"COLUMNS": "300"})


def corrupted(model: str, *perturbations: str, benchmark: str = "cifar10-c", flags: tuple[str, ...] = ()) -> Entry:
    metric = "flip_probability" if "sequence" in perturbations[0] else "accuracy"
    fields = {"benchmark": benchmark, "metric": metric, "value": 0.5, "protocol": IMAGES, "flags": flags}
    return Entry(model=model, measured=tuple(Result(perturbation=text, **fields) for text in perturbations))


def without_extra(name: str) -> list[str]:
    return [text for text in PERTURBATION_SETS[name] if spec.parse(text).name in IMAGENET_C]


def test_a_sentence_names_the_set_and_what_there_is_of_it() -> None:
    partial = [corrupted(name, "fog(severity=3)", "frost_published(severity=5)") for name in ("a", "b")]
    (sentence,) = incomplete_means(partial, layout("default"))
    assert sentence == (
        "a, b on cifar10-c: a mean (mean_accuracy) needs 15 corruptions at 5 severities each (75 cells), of which 2 "
        "are complete: fog 3, frost 5; missing: gaussian_noise 1, gaussian_noise 2, gaussian_noise 3, gaussian_noise 4 "
        "and 69 more. Repeat the run with --corruption imagenet_c and the same --store to add the "
        "others; --columns corruptions shows those that are there."
    )


@pytest.mark.parametrize(
    ("entry", "columns", "words"),
    [
        (corrupted("a", *without_extra("imagenet_c")[:-1]), "paper", "of which 74 are complete"),
        (corrupted("a", *without_extra("cifar10_c")[:6]), "default", "--corruption cifar10_c"),
        (corrupted("a", "fog(severity=1)", benchmark="imagenet-c"), "shifts", "(mean_accuracy, mCE, relative_mCE)"),
        (corrupted("a", "rotate_sequence(difficulty=1)"), "sequences", "10 sequences, of which 1 is complete: rotate"),
        (corrupted("a", "rotate_sequence(difficulty=1)", benchmark="imagenet-p"), "shifts", "--corruption imagenet_p"),
        (
            corrupted("a", "rotate_sequence(difficulty=1)", benchmark="imagenet-p"),
            "shifts",
            "mFR, mT5D with --alexnet-baseline)",
        ),
        (corrupted("a", *PERTURBATION_SETS["bloodmnist_c"][1:]), "default", "11 corruptions at 5 severities each (55"),
        (corrupted("a", *PERTURBATION_SETS["imagenet_3dcc"][:20]), "default", "--corruption imagenet_3dcc"),
        (corrupted("a", *PERTURBATION_SETS["cifar10_c_bar"][:35]), "default", "--corruption cifar10_c_bar"),
        (corrupted("a", *PERTURBATION_SETS["imagenet_c_bar"][:20]), "default", "10 corruptions at 5 severities each"),
        (
            corrupted("a", *PERTURBATION_SETS["imagenet_c_bar"][:20], benchmark="imagenet-c"),
            "default",
            "a mean (mean_accuracy) needs",
        ),
    ],
)
def test_sets_of_every_kind_are_recognised(entry: Entry, columns: str, words: str) -> None:
    (sentence,) = incomplete_means([entry], layout(columns))
    assert words in sentence


@pytest.mark.parametrize(
    ("entry", "columns"),
    [
        (corrupted("a", *without_extra("imagenet_c")), "default"),
        (corrupted("a", "fog(severity=3)"), "attacks"),
        (corrupted("a", "saturate(severity=1)"), "default"),
        *((corrupted("a", *PERTURBATION_SETS[name]), "default") for name in CORRUPTION_SETS),
        (corrupted("a", "rotate_sequence(difficulty=1)"), "shifts"),  # mFR exists on ImageNet-P only
        (Entry(model="published", published=corrupted("a", "fog(severity=3)").measured), "default"),
    ],
)
def test_nothing_is_said_where_nothing_is_missing_or_asked_for(entry: Entry, columns: str) -> None:
    assert incomplete_means([entry], layout(columns)) == []


def test_an_incomplete_cell_does_not_count() -> None:
    complete, part = without_extra("imagenet_c"), ("incomplete: 9 of 10",)
    both = corrupted("a", *complete[1:]).measured + corrupted("a", complete[0], flags=part).measured
    (sentence,) = incomplete_means([Entry(model="a", measured=both)], layout("default"))
    assert "of which 74 are complete" in sentence


def test_a_store_of_some_corruptions_alone_gets_a_table_or_the_way_to_one(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(corrupted("a", "fog(severity=3)", "snow(severity=1)").text())
    assert columns_with_results([corrupted("a", "fog(severity=3)")]) == ["corruptions"]
    for name in presets():
        answer = run(tmp_path / "a.json", "--columns", name)
        text = " ".join(answer.output.split())
        if name == "corruptions":
            assert answer.exit_code == 0 and "fog(severity=3)" in text and "50.00" in text
        else:
            assert answer.exit_code == 2 and "Columns with results: corruptions." in text
        assert ("of which 2 are complete" in text) == (
            name in ("corruptions", "default", "defenses", "paper", "shifts")
        )


@pytest.mark.slow
def test_the_hint_of_the_sentence_works(tmp_path: Path) -> None:
    fields = {"benchmarks": ("digits",), "limit": 4, "store": tmp_path / "store"}
    evaluate("digits_standard", corruptions=("rotate_sequence", "fog(severity=3)"), **fields)
    text = run(tmp_path / "store").output
    assert "--corruption imagenet_p and the same --store" in text and "--corruption imagenet_c" in text
    assert "fog(severity=3)" in run(tmp_path / "store", "--columns", "corruptions").output
    assert "flip_probability" in run(tmp_path / "store", "--columns", "sequences").output
    evaluate("digits_standard", corruptions=("imagenet_p",), **fields)
    text = run(tmp_path / "store").output
    assert "mean_flip_probability" in text and "--corruption imagenet_p" not in text
