"""Scores in the logs of experiments, read back with the libraries that wrote them."""

from __future__ import annotations

import csv
import importlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import MissingExtra, UsageError
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.reports import experiment_logs
from robustbench_eff.reports.experiment_logs import parse_log, scalars, write_logs
from robustbench_eff.scores.score import Score


def score(model: str, perturbation: str, value: float | None, **fields: Any) -> Score:
    given: dict[str, Any] = {"metric": "accuracy", "benchmark": "b", "low": 0.25, "high": 0.75, "n": 8}
    protocol = Protocol(description="p")
    return Score(model=model, perturbation=perturbation, value=value, protocol=protocol, **given | fields)


SCORES = [
    score("../m", "none", 0.5),
    score("../m", "pgd(eps=8/255)", 0.375),
    score("../m", "pgd(eps=8/255)", 0.125),
    score("../m", "fmn", math.inf, metric="median_distance_linf", high=math.inf),
    score("..:m", "none", None, low=None, high=None),
]


def test_every_finite_number_has_a_name_of_its_own() -> None:
    of_m = scalars(SCORES)["../m"]
    assert of_m["b/none/accuracy"] == 0.5 and of_m["b/none/accuracy low"] == 0.25
    assert of_m["b/pgd(eps=8÷255)/accuracy"] == 0.375 and of_m["b/pgd(eps=8÷255)/accuracy #2"] == 0.125
    assert {name for name in of_m if "fmn" in name} == {"b/fmn/median_distance_linf low"}
    assert scalars(SCORES)["..:m"] == {}


def test_a_csv_log_has_every_score(digits_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    answer = CliRunner().invoke(app, ["score", str(digits_store), "--log", f"csv={out}"])
    assert answer.exit_code == 0, answer.output
    rows = list(csv.DictReader(out.open()))
    assert {row["metric"] for row in rows} > {"accuracy", "robust_accuracy", "aurc"}
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in rows if row["low"])


def test_a_log_of_a_run_is_written(tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    words = ["--model", "digits_standard", "--limit", "5", "--attack", "fgsm", "--store", str(tmp_path / "s"), "-q"]
    assert CliRunner().invoke(app, [*words, "--log", f"csv={out}"]).exit_code == 0
    assert len(out.read_text().splitlines()) > 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("neptune=p", "'neptune' is not a kind of log.\nKinds: csv, tensorboard, mlflow, wandb"),
        ("scores.csv", "Did you mean 'csv'"),
        ("tensorbord=runs", "Did you mean 'tensorboard'"),
        ("csv", "--log must be csv=PLACE"),
        ("csv= ", "--log must be csv=PLACE"),
        ("csv=missing/x.csv", "missing is not a folder"),
        ("csv=store", "among the files that this command uses"),
    ],
)
def test_a_log_that_cannot_be_written_is_refused_before_a_run(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_log(text, ["store"])


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow", "wandb"])
def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(experiment_logs, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=rf"{kind} is not installed.\n.*robustbench-eff\[{kind}\]"):
        parse_log(f"{kind}=runs")


def test_tensorboard_reads_the_scalars_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    write_logs([parse_log(f"tensorboard={tmp_path / 'runs'}")], [*SCORES[:4], score("m", "none", 0.25)])
    folders = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert folders == ["_m", "m"] and [path.name for path in tmp_path.iterdir()] == ["runs"], "no name leads elsewhere"
    accumulator = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(tmp_path / "runs" / "_m"))
    events.Reload()
    found = {tag: events.Tensors(tag)[0].tensor_proto.float_val[0] for tag in events.Tags()["tensors"]}
    assert found == scalars(SCORES)["../m"]


def test_mlflow_reads_the_metrics_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    write_logs([parse_log(f"mlflow={tmp_path / 'runs'}")], SCORES)
    client = mlflow.MlflowClient((tmp_path / "runs").as_uri())
    runs = {run.info.run_name: run.data for run in client.search_runs(["0"])}
    assert set(runs) == {"../m", "..:m"} and runs["..:m"].metrics == {}
    assert sorted(runs["../m"].metrics.values()) == sorted(scalars(SCORES)["../m"].values())
    assert runs["../m"].tags["protocols"] == "b: p"


def wandb_records(content: bytes) -> Iterator[bytes]:
    """The records in a file of W&B: a header of 7 bytes, then LevelDB's log format in blocks of 32 KiB."""
    place, record = 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def test_wandb_has_a_run_for_each_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs wandb")
    records = importlib.import_module("wandb.proto.wandb_internal_pb2")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    write_logs([parse_log("wandb=team/robustness")], SCORES)
    found: dict[str, dict[str, float]] = {}
    for path in tmp_path.rglob("*.wandb"):
        name = ""
        for record in map(records.Record.FromString, wandb_records(path.read_bytes())):
            if record.run.display_name:
                name = record.run.display_name
                assert (record.run.entity, record.run.project) == ("team", "robustness")
                found[name] = {}
            for item in record.history.item:
                found[name][item.key or "/".join(item.nested_key)] = float(item.value_json)
    numbers = {model: {key: found[model].get(key) for key in values} for model, values in scalars(SCORES).items()}
    assert numbers == scalars(SCORES)


def test_a_log_that_fails_in_the_end_leaves_the_tables_and_says_what_to_do(
    digits_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(place: str, scores: object) -> None:
        print("noise")  # noqa: T201
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(experiment_logs, "WRITERS", {"mlflow": fail})
    monkeypatch.setattr(experiment_logs, "find_spec", lambda name: object())
    answer = CliRunner().invoke(app, ["score", str(digits_store), "--log", "mlflow=http://127.0.0.1:1"])
    assert answer.exit_code == 2 and "Accuracy in %" in answer.stdout and "noise" not in answer.stdout
    assert "cannot be written: nobody answers" in answer.stderr and "score STORE --log mlflow=PLACE" in answer.stderr
