"""`robust-eval leaderboard` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff import evaluate
from robustbench_eff.cli.main import app
from robustbench_eff.leaderboards.entry import read_entry
from robustbench_eff.publishing.collect import collect_entries
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.registry.perturbation_sets import expand_sets

WITHOUT_TORCH = """
import sys
from robustbench_eff.cli.main import app
try:
    app({words!r})
except SystemExit as stop:
    assert not stop.code, stop.code
assert "torch" not in sys.modules
"""


def run(*words: object):
    return CliRunner().invoke(app, ["leaderboard", *map(str, words)], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board") / "store"
    evaluate("digits_standard", "digits_pgd_at", attacks=("fgsm(eps=16/255)",), benchmarks=("digits",), store=folder)
    return folder


def test_a_table_is_built_from_outcomes_without_torch_and_reproducibly(store: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.md" for name in ("first", "second")]
    for file in files:
        words = ["leaderboard", "build", str(store), "--columns", "attacks", "--out", str(file)]
        subprocess.run([sys.executable, "-c", WITHOUT_TORCH.format(words=words)], check=True, capture_output=True)
    first, second = (file.read_bytes() for file in files)
    assert first == second and first.decode().index(r"digits\_pgd\_at") < first.decode().index(r"digits\_standard")


def test_published_results_need_no_run() -> None:
    answer = run("build", "--family", "efficientnet", "--benchmark", "imagenet-c")
    assert answer.exit_code == 0 and "effnet_b7_advprop" in answer.output and "50.32" in answer.output
    answer = run("build", "--family", "nothing")
    assert answer.exit_code == 2 and "None of the results match these columns" in answer.output


def test_entries_are_written_validated_and_built_again(store: Path, tmp_path: Path) -> None:
    assert run("entry", store, "--out", tmp_path).exit_code == 0
    entry = read_entry(tmp_path / "digits_pgd_at.json")
    assert (entry.family, entry.defense) == ("small_cnn", "pgd_at")
    assert (
        entry.provenance is not None and entry.provenance.hardware["processor"] and entry.provenance.versions["torch"]
    )
    assert run("validate", tmp_path, "--store", store).output == "All entries are valid.\n"
    tables = [tmp_path / name for name in ("of-store.csv", "of-entries.csv")]
    assert run("build", store, "--out", tables[0]).exit_code == 0
    assert run("build", tmp_path, "--out", tables[1]).exit_code == 0
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_a_tampered_number_fails_and_its_row_is_named(store: Path, tmp_path: Path) -> None:
    run("entry", store, "--out", tmp_path)
    path = tmp_path / "digits_standard.json"
    plain = json.loads(path.read_text())
    place, result = next(
        (place, result) for place, result in enumerate(plain["measured"]) if result["metric"] == "robust_accuracy"
    )
    result["value"] += 0.1
    path.write_text(json.dumps(plain))
    answer = run("validate", path, "--store", store)
    assert answer.exit_code == 1
    assert f"measured[{place}] (digits, fgsm(eps=16/255), robust_accuracy): value is {result['value']}" in answer.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("build", "nowhere"), "nowhere is neither a store of outcomes nor an entry"),
        (("build", "--columns", "atacks"), "Did you mean 'attacks'"),
        (("build", "--out", "x.pdf"), "x.pdf does not have the extension of a known format"),
        (("build", "--out", "no/such/folder/x.md"), "cannot be written"),
        (("validate", "nowhere.json"), "nowhere.json is neither"),
        (("entry", "nowhere", "--out", "x"), "nowhere is not a store of outcomes"),
    ],
)
def test_wrong_arguments_get_a_message(words: tuple[str, ...], sentence: str) -> None:
    answer = run(*words)
    assert answer.exit_code == 2 and sentence in " ".join(answer.output.split())


@pytest.mark.parametrize("words", [("entry",), ("build", "--columns", "attacks")])
def test_a_path_is_printed_as_it_is(store: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    out = tmp_path / "[red]mine[-" / "table.md"
    out.parent.mkdir()
    assert str(out) in run(words[0], store, *words[1:], "--out", out).output


def test_own_outcomes_of_a_shipped_model_replace_its_shipped_entry(store: Path) -> None:
    shipped = collect_entries([], published=True, models=["digits_standard"])
    both = collect_entries([store], published=True, models=["digits_standard"])
    (own,) = collect_entries([store], published=False, models=["digits_standard"])
    assert [entry.measured for entry in both] == [own.measured] != [entry.measured for entry in shipped]


def test_the_schema_of_an_entry_is_printed() -> None:
    schema = json.loads(run("schema").output)
    assert schema["properties"]["measured"]["items"] == {"$ref": "#/$defs/Result"}
    assert schema["additionalProperties"] is False


def test_the_readme_shows_the_digits_leaderboard_as_the_command_writes_it(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert run("build", "--benchmark", "digits*", "--columns", "paper", "--out", tmp_path / "digits.md").exit_code == 0
    assert (tmp_path / "digits.md").read_text().strip() in readme


def test_the_suite_behind_it_names_things_that_exist() -> None:
    suite = build_benchmark.suite(str(Path(__file__).parents[2] / "examples" / "digits-leaderboard.yaml"))
    for text in expand_sets(suite.perturbations("digits")):
        assert text == "none" or parse_perturbation(text).text


def test_shipped_entries_have_nothing_wrong() -> None:
    answer = run("validate", Path(__file__).parents[2] / "leaderboards" / "entries")
    assert (answer.exit_code, answer.output) == (0, "All entries are valid.\n")
