"""A store in an object store, with a real S3 server on this machine: equal outcomes, one writer, nothing lost."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from killed_runs import run_and_die
from robustbench_eff.cli import app
from robustbench_eff.core.errors import StoreError, StoreUnavailable, UsageError
from robustbench_eff.storage import lease
from robustbench_eff.storage.remote_files import Files
from robustbench_eff.storage.store import Store
from running import by_cell, run

moto = pytest.importorskip("moto.server", reason="needs moto")
pytest.importorskip("s3fs", reason="needs s3fs")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket at a server on loopback."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        Files.at("s3://outcomes").fs.mkdir("outcomes")
        yield "s3://outcomes"
    server.stop()


def test_outcomes_in_a_bucket_are_those_of_a_folder(bucket: str, tmp_path: Path) -> None:
    remote = run(f"{bucket}/same", limit=32, shard_size=8)
    local = run(tmp_path / "store", limit=32, shard_size=8)
    assert by_cell(f"{bucket}/same").keys() == by_cell(tmp_path / "store").keys()
    for cell_id, outcomes in by_cell(f"{bucket}/same").items():
        assert outcomes.equals(by_cell(tmp_path / "store")[cell_id])
    assert remote.scores == local.scores
    assert remote.store == f"{bucket}/same"
    names = Files.at(f"{bucket}/same").matching("cells/*/*.parquet")
    assert len(names) == 4, "the shards of every cell were merged"


def test_a_url_that_looks_like_a_pattern_is_taken_literally(bucket: str) -> None:
    run(f"{bucket}/run[1]", limit=16, attacks=["fgsm"], shard_size=8)
    assert [table.num_rows for table in by_cell(f"{bucket}/run[1]").values()] == [16, 16]


def test_numbers_are_computed_again_from_a_bucket(bucket: str) -> None:
    run(f"{bucket}/scored", limit=16, attacks=["fgsm"])
    result = CliRunner().invoke(app, ["score", f"{bucket}/scored", "--json"])
    assert {score["perturbation"] for score in json.loads(result.stdout)["scores"]} == {"none", "fgsm(eps=4/255)"}


def test_a_killed_run_resumes_at_once(bucket: str, tmp_path: Path) -> None:
    """Its lease still exists, but its holder ran on this machine and is known to be dead."""
    place = f"{bucket}/killed"
    run_and_die(place)
    files = Files.at(place)
    assert files.exists(lease.NAME)
    run(place, shard_size=8)
    run(tmp_path / "store", shard_size=8)
    assert not files.exists(lease.NAME)
    for cell_id, outcomes in by_cell(place).items():
        assert outcomes.equals(by_cell(tmp_path / "store")[cell_id])


def test_a_second_writer_is_refused_while_the_first_renews_its_lease(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    with (
        Store(f"{bucket}/held").lock(),
        pytest.raises(StoreError, match=rf"Another process \({os.getpid()} on {platform.node()}\) is writing"),
        Store(f"{bucket}/held").lock(),
    ):
        pass


def test_the_lease_of_a_writer_that_died_on_another_machine_is_taken_over(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "LEASE_TIMEOUT_SECONDS", 0.6)
    files = Files.at(f"{bucket}/elsewhere")
    files.write(
        lease.NAME, json.dumps({"host": "elsewhere", "machine": "another", "pid": 1, "token": "x", "beat": 3}).encode()
    )
    began = time.monotonic()
    with Store(files.place).lock():
        assert time.monotonic() - began > 0.6
        assert json.loads(files.read(lease.NAME))["host"] == platform.node()
    assert not files.exists(lease.NAME)


def test_a_missing_bucket_is_reported_before_any_work(bucket: str) -> None:
    with pytest.raises(StoreUnavailable, match="Cannot write to s3://nowhere/x"):
        run("s3://nowhere/x", limit=8)
    with pytest.raises(UsageError, match="not a store of outcomes"):
        Store.existing(f"{bucket}/nothing")
    with pytest.raises(UsageError, match="nonsense://x cannot be read"):
        Store("nonsense://x")
