"""A Ray cluster of two nodes: the same outcomes as one worker, whichever workers, nodes or drivers die."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from killed_runs import SAMPLES_BEFORE_DEATH, SHARD_SIZE, run_and_die
from robustbench_eff import Settings
from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.evaluation.plan import Plan
from running import COUNT, Ears, assert_same, by_cell, run, wait_until

ray = pytest.importorskip("ray", reason="needs ray")
ray_pool = pytest.importorskip("robustbench_eff.evaluation.engines.ray_pool")


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """A head without a core and two nodes with one core each, so that the driver survives the death of a node."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # the home folder may contain a token
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
    """Kill a worker of this cluster, not of another one that other tests may have started."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # the process may have ended meanwhile
            if path.read_bytes().startswith(b"ray::_Worker"):
                parent = path.with_name("stat").read_text().rpartition(")")[2].split()[1]
                if cluster.address in Path(f"/proc/{parent}/cmdline").read_text():
                    os.kill(int(path.parent.name), signal.SIGKILL)
                    return
    raise AssertionError("There is no worker to kill.")


@pytest.mark.parametrize("dies", ["a node", pytest.param("the only worker", marks=pytest.mark.slow)])
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


def test_a_killed_driver_resumes_and_computes_nothing_twice(cluster, reference: Path, tmp_path: Path) -> None:
    """The second run has to wait until Ray releases the resources of the first."""
    store = tmp_path / "store"
    run_and_die(store, engine="ray", ray_address=cluster.address)
    stored = sum(table.num_rows for table in by_cell(store).values())
    assert stored == SAMPLES_BEFORE_DEATH
    ears = Ears(lambda: None)
    run(store, engine="ray", ray_address=cluster.address, shard_size=SHARD_SIZE, listener=ears)
    assert ears.computed == 4 * COUNT - stored
    assert_same(by_cell(store), by_cell(reference))


@pytest.mark.slow
def test_a_run_waits_for_resources_that_another_job_holds(
    cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Holder:
        def ready(self) -> None:
            pass

    def release(seconds: float) -> None:
        for holder in holders:
            ray.kill(holder)
        holders.clear()
        released.set()
        time.sleep(seconds)

    released = threading.Event()
    monkeypatch.setattr(ray_pool, "time", SimpleNamespace(monotonic=time.monotonic, sleep=release))
    monkeypatch.setattr(ray_pool, "FREE_TIMEOUT_SECONDS", 300)  # a busy machine is slow
    ray.init(address=cluster.address, logging_level=logging.ERROR)
    try:
        wait_until(lambda: ray.cluster_resources()["CPU"] == 2)
        holders = [ray.remote(num_cpus=1)(Holder).remote() for _ in range(2)]
        ray.get([holder.ready.remote() for holder in holders])
        wait_until(lambda: ray.available_resources().get("CPU", 0) == 0)
        run(tmp_path / "store", engine="ray", attacks=["fgsm"], limit=16)
    finally:
        ray.shutdown()
    assert released.is_set()
    assert [table.num_rows for table in by_cell(tmp_path / "store").values()] == [16, 16]


class FakeRay:
    """A cluster whose resources become free after some seconds, and the clock of these seconds."""

    def __init__(self, total: dict[str, float], free_after: float) -> None:
        self.total, self.free_after, self.now = total, free_after, 0.0

    def cluster_resources(self) -> dict[str, float]:
        return self.total

    def available_resources(self) -> dict[str, float]:
        return self.total if self.now >= self.free_after else {}

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, float], float], FakeRay]:
    def install(total: dict[str, float], free_after: float) -> FakeRay:
        fake = FakeRay(total, free_after)
        monkeypatch.setattr(ray_pool, "ray", fake)
        monkeypatch.setattr(ray_pool, "time", fake)
        return fake

    return install


@pytest.mark.parametrize(
    ("device", "total", "workers"),
    [
        ("cpu", {"CPU": 3.5, "GPU": 1.0}, 3),
        ("cuda", {"CPU": 8.0, "GPU": 2.0}, 2),
        ("cuda", {"CPU": 1.0, "GPU": 2.0}, 1),
    ],
)
def test_a_free_cluster_is_used_at_once(fake_ray, device: str, total: dict[str, float], workers: int) -> None:
    fake = fake_ray(total, 0)
    assert ray_pool.wait_for_room(device) == workers
    assert fake.now == 0


@pytest.mark.parametrize(
    ("total", "device"), [({"CPU": 2.0, "GPU": 1.0}, "cuda"), ({"CPU": 2.0}, "cpu"), ({"GPU": 1.0}, "cpu")]
)
def test_the_device_does_not_depend_on_what_is_free(fake_ray, total: dict[str, float], device: str) -> None:
    fake_ray(total, float("inf"))
    assert ray_pool.resolve_device("auto") == device
    assert ray_pool.resolve_device("cpu") == "cpu"


def test_a_long_wait_is_logged_once(fake_ray, caplog: pytest.LogCaptureFixture) -> None:
    fake_ray({"CPU": 2.0}, ray_pool.FREE_NOTICE_SECONDS)
    assert ray_pool.wait_for_room("cpu") == 2
    assert not caplog.messages
    fake = fake_ray({"CPU": 2.0}, ray_pool.FREE_TIMEOUT_SECONDS - 1)
    assert ray_pool.wait_for_room("cpu") == 2
    assert fake.now >= ray_pool.FREE_TIMEOUT_SECONDS - 1
    assert caplog.messages == ["Waiting for a free CPU of the Ray cluster, 60 s at most."]


def test_a_cluster_that_stays_busy_is_refused_after_a_while(fake_ray) -> None:
    fake = fake_ray({"CPU": 2.0, "GPU": 1.0}, float("inf"))
    with pytest.raises(
        UsageError, match=r"All GPUs of the Ray cluster were in use for 60 s(.|\n)*--workers N to queue"
    ):
        ray_pool.wait_for_room("cuda")
    assert ray_pool.FREE_TIMEOUT_SECONDS <= fake.now <= ray_pool.FREE_TIMEOUT_SECONDS + 2 * ray_pool.FREE_POLL_SECONDS


@pytest.mark.parametrize(
    ("device", "total", "lacking"),
    [("cuda", {"CPU": 4.0}, "GPU"), ("cuda", {"GPU": 2.0}, "CPU"), ("cpu", {"GPU": 2.0}, "CPU"), ("cpu", {}, "CPU")],
)
def test_a_cluster_without_a_resource_is_refused_at_once(
    fake_ray, device: str, total: dict[str, float], lacking: str
) -> None:
    fake = fake_ray(total, float("inf"))
    with pytest.raises(UsageError, match=rf"The Ray cluster does not have a {lacking}\.(.|\n)*--workers N"):
        ray_pool.wait_for_room(device)
    assert fake.now == 0


@pytest.mark.slow
def test_a_node_that_leaves_while_its_workers_start_ends_nothing(cluster, reference: Path, tmp_path: Path) -> None:
    class NodeVisit(Ears):
        def planned(self, plan: Plan) -> None:
            node = cluster.add_node(num_cpus=3)
            # Every worker has its core then; the three on the new node have begun to start, which takes seconds.
            wait_until(lambda: ray.cluster_resources()["CPU"] == 5 and ray.available_resources().get("CPU", 0) == 0)
            cluster.remove_node(node, allow_graceful=False)

    ears = NodeVisit(lambda: None)
    run(tmp_path / "store", engine="ray", ray_address=cluster.address, workers=5, shard_size=8, listener=ears)
    assert ears.computed == 4 * COUNT
    assert_same(by_cell(tmp_path / "store"), by_cell(reference))


def test_a_model_that_cannot_be_sent_is_reported(cluster, tmp_path: Path) -> None:
    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3)) * 7 - 9

    with pytest.raises(ModelError, match="cannot be sent to another process"):
        run(tmp_path / "store", Locked().eval(), engine="ray", ray_address=cluster.address)
    assert not ray.is_initialized()


def test_the_error_about_missing_inputs_on_a_node_is_raised_unchanged(cluster, tmp_path: Path) -> None:
    with pytest.raises(MissingInputs) as caught:
        run(tmp_path / "store", benchmarks=["imagenet"], engine="ray", ray_address=cluster.address)
    assert [item.what for item in caught.value.missing][:1] == ["dataset 'imagenet'"]


def test_a_run_on_a_gpu_is_refused_by_a_cluster_without_gpus(cluster, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"The Ray cluster does not have a GPU\.(.|\n)*--workers N"):
        run(tmp_path / "store", engine="ray", ray_address=cluster.address, device="cuda")
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "dask"}, "engine must be one of local, ray"),
        ({"ray_address": "auto"}, "ray_address belongs to the engine ray"),
        ({"engine": "ray", "device": "cuda:1"}, "device must be auto, cpu or cuda"),
    ],
)
def test_settings_that_do_not_go_together(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Settings(**options)
