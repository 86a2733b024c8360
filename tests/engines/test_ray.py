"""Two nodes of a Ray cluster: the same outcomes as here, whoever dies on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from robustbench_eff import Settings
from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.evaluation.plan import Plan
from running import ATTACKS, COUNT, Ears, assert_same, by_cell, run

ray = pytest.importorskip("ray", reason="needs ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """A head without a core, and two nodes with one each: a worker dies with its node, the driver does not."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # whether or not a token lies in the home folder
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            started.add_node(num_cpus=1)
        started.wait_for_nodes()
        yield started
        started.shutdown()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("reference") / "store"
    run(store)
    return store


def kill_a_worker_of(cluster) -> None:
    """Not of another cluster, which other tests may have."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended since
            if path.read_bytes().startswith(b"ray::_Worker"):
                parent = path.with_name("stat").read_text().rpartition(")")[2].split()[1]
                if cluster.address in Path(f"/proc/{parent}/cmdline").read_text():
                    os.kill(int(path.parent.name), signal.SIGKILL)
                    return
    raise AssertionError("There is no worker to kill.")


@pytest.mark.parametrize("dies", ["the only worker", "a node"])
def test_nothing_is_lost_or_computed_twice(cluster, reference: Path, tmp_path: Path, dies: str) -> None:
    node = cluster.add_node(num_cpus=1) if dies == "a node" else None
    disturbing = {
        "the only worker": lambda: kill_a_worker_of(cluster),
        "a node": lambda: cluster.remove_node(node, allow_graceful=False),
    }
    ears = Ears(disturbing[dies])
    workers = 1 if node is None else 3
    run(tmp_path / "store", engine="ray", ray_address=cluster.address, workers=workers, shard_size=8, listener=ears)
    assert ears.disturbed
    assert ears.computed == 4 * COUNT
    assert_same(by_cell(tmp_path / "store"), by_cell(reference))
    assert not ray.is_initialized()


def test_a_driver_that_is_killed_goes_on_where_it_stopped(cluster, reference: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    script = (
        "from robustbench_eff import evaluate\n"
        f"evaluate('digits_standard', attacks={ATTACKS!r}, limit={COUNT}, store={str(store)!r}, shard_size=8, "
        f"engine='ray', ray_address={cluster.address!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 180
    while len(list(store.glob("cells/*/*.parquet"))) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = sum(table.num_rows for table in by_cell(store).values())
    assert 0 < there < 4 * COUNT
    ears = Ears(lambda: None)
    run(store, engine="ray", ray_address=cluster.address, shard_size=8, listener=ears)
    assert ears.computed == 4 * COUNT - there
    assert_same(by_cell(store), by_cell(reference))


def test_a_node_that_goes_while_its_workers_start_ends_nothing(cluster, reference: Path, tmp_path: Path) -> None:
    class Visited(Ears):
        def planned(self, plan: Plan) -> None:
            node = cluster.add_node(num_cpus=3)
            time.sleep(2)  # its three workers have begun to start by now, which takes longer
            cluster.remove_node(node, allow_graceful=False)

    ears = Visited(lambda: None)
    run(tmp_path / "store", engine="ray", ray_address=cluster.address, workers=5, shard_size=8, listener=ears)
    assert ears.computed == 4 * COUNT
    assert_same(by_cell(tmp_path / "store"), by_cell(reference))


def test_a_model_that_cannot_be_sent_is_said(cluster, tmp_path: Path) -> None:
    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3)) * 7 - 9

    with pytest.raises(ModelError, match="cannot be sent to another process"):
        run(tmp_path / "store", Locked().eval(), engine="ray", ray_address=cluster.address)
    assert not ray.is_initialized()


def test_what_is_missing_on_a_node_comes_out_as_it_was(cluster, tmp_path: Path) -> None:
    with pytest.raises(MissingInputs) as caught:
        run(tmp_path / "store", benchmarks=["imagenet"], engine="ray", ray_address=cluster.address)
    assert [item.what for item in caught.value.missing][:1] == ["dataset 'imagenet'"]


def test_a_cluster_without_what_was_asked_for_is_said(cluster, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"The Ray cluster has no GPU to spare now(.|\n)*--workers N"):
        run(tmp_path / "store", engine="ray", ray_address=cluster.address, device="cuda")
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "dask"}, "engine must be one of local, ray"),
        ({"ray_address": "auto"}, "ray_address is for the engine ray"),
        ({"engine": "ray", "device": "cuda:1"}, "device is auto, cpu or cuda"),
    ],
)
def test_settings_that_do_not_go_together(options: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Settings(**options)
