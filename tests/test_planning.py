"""`robust-eval plan`: the remaining samples, their estimated cost, and an untouched store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff import Settings
from robustbench_eff.cli import app
from robustbench_eff.evaluation import cost_estimate
from robustbench_eff.evaluation.device_runtime import DeviceRuntime
from robustbench_eff.storage.store import Store
from robustbench_eff.system import devices as hardware
from running import run

ATTACKS = ["fgsm(eps=8/255)", "square(eps=64/255, queries=5000)"]


def estimates(store: Path, **options) -> list[cost_estimate.Estimate]:
    settings = Settings(store=store, limit=40, attacks=ATTACKS, corruptions=["fog(severity=3)"], **options)
    (forecast,) = cost_estimate.estimate_cost("digits_standard", settings=settings, preparing=lambda *step: None)
    return forecast.cells


def test_every_cell_is_estimated_and_nothing_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_estimate, "SECONDS", 0.5)
    clean, fgsm, square, fog = estimates(tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert [estimate.left for estimate in (clean, fgsm, square, fog)] == [40] * 4
    assert [estimate.how for estimate in (clean, fgsm, square, fog)] == ["measured", "measured", "at most", "measured"]
    assert (clean.passes, fog.passes) == (40, 40)
    assert 70 < fgsm.passes <= 80, "a forward and a backward pass for each sample that is correct when clean"
    assert square.passes == 40 * square.planned.passes
    assert square.seconds > 10 * fgsm.seconds > 0
    assert [estimate.shards for estimate in (clean, fgsm, square, fog)] == [1] * 4


def test_stored_samples_are_not_estimated_again_and_tell_the_usual_number_of_passes(tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(store, attacks=ATTACKS, limit=40)
    clean, fgsm, square, fog = estimates(store)
    assert [estimate.left for estimate in (clean, fgsm, square, fog)] == [0, 0, 0, 40]
    assert [(estimate.how, estimate.seconds, estimate.passes) for estimate in (clean, fgsm, square)] == [
        ("finished", 0, 0)
    ] * 3
    (path,) = store.glob(f"cells/{square.planned.cell.id}/*.parquet")
    table = Store(store).outcomes(square.planned.cell.id)
    path.unlink()
    Store(store).write_shard(square.planned.cell.id, table.slice(0, 35))
    again = estimates(store)[2]
    assert (again.left, again.how) == (5, "from the store")
    spent = sum(sum(table[name].to_pylist()[:35]) for name in ("num_forwards", "num_backwards")) / 35
    assert again.passes == pytest.approx(5 * spent)
    assert again.passes < 0.2 * 5 * square.planned.passes, "most samples are misclassified early"


def test_the_command_prints_time_and_cost(tmp_path: Path) -> None:
    command = ["plan", "--model", "digits_standard", "--attack", "fgsm", "--limit", "50", "--workers", "2"]
    command += ["--price", "3600", "--store", str(tmp_path / "store")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "2 cells, 2 shards, " in result.output
    assert " on 2; " in result.output
    assert "at 3,600.00 an hour." in result.output
    forecast = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    (cpu,) = forecast["devices"]
    assert (cpu["device"], cpu["count"]) == ("cpu", 2)
    assert cpu["cost"] == pytest.approx(cpu["seconds"])
    assert [row["perturbation"] for row in cpu["cells"]] == ["none", "fgsm(eps=4/255)"]
    assert {row["how"] for row in cpu["cells"]} == {"measured"}


def test_each_kind_of_gpu_is_measured_once_and_shared_gpus_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU stands in for two GPUs."""
    monkeypatch.setattr(hardware, "resolve_devices", lambda names, workers: ["cpu:0", "cpu:1", "cpu:0", "cpu:1"])
    monkeypatch.setattr(hardware, "kind", lambda device: "a GPU")
    monkeypatch.setattr(
        cost_estimate, "DeviceRuntime", lambda models, settings, *where: DeviceRuntime(models, settings, "cpu")
    )
    settings = Settings(store=tmp_path / "store", limit=10, attacks=["fgsm"])
    (forecast,) = cost_estimate.estimate_cost("digits_standard", settings=settings, preparing=lambda *step: None)
    assert (forecast.device, forecast.count, len(forecast.cells)) == ("a GPU", 2, 2)


def test_a_plan_takes_the_options_of_a_run_and_its_errors() -> None:
    result = CliRunner().invoke(app, ["plan", "--model", "digits_standart"])
    assert result.exit_code == 2
    result = CliRunner().invoke(app, ["plan", "--model", "digits_standard", "--engine", "ray"])
    assert result.exit_code == 2
    assert "Leave out --engine ray" in result.output
