"""The examples for clusters say what their programs accept."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_cluster_file_is_valid_for_rays_launcher() -> None:
    util = pytest.importorskip("ray.autoscaler._private.util", reason="needs ray")
    config = util.prepare_config(yaml.safe_load((EXAMPLES / "cluster.yaml").read_text()))
    util.validate_config(config)
    assert config["available_node_types"]["gpu"]["max_workers"] == config["max_workers"] == 4


FAKES = {
    "scontrol": "printf 'one\\ntwo\\n'",
    "srun": 'echo "srun $*" >> "$LOG"; case "$*" in *hostname*) echo 10.0.0.1;; esac',
}


def test_the_slurm_script_starts_a_head_and_a_worker_and_then_the_run(tmp_path: Path) -> None:
    """With stand-ins for SLURM's programs that write down what they were asked for."""
    for name, text in FAKES.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "LOG": str(tmp_path / "log"),
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "32",
        "SLURM_GPUS_PER_NODE": "4",
    }
    subprocess.run(["bash", EXAMPLES / "slurm.sh", "--model", "a model"], env=environment, check=True, timeout=60)
    expected = {
        "one ray start --head --node-ip-address=10.0.0.1 --port=6379 --num-cpus=32 --num-gpus=4 --disable-usage-stats "
        "--block",
        "two ray start --address=10.0.0.1:6379 --num-cpus=32 --num-gpus=4 --block",
        "one robust-eval --engine ray --ray-address 10.0.0.1:6379 --device cuda --workers 8 --model a model",
    }
    deadline, said = time.monotonic() + 10, set[str]()
    while not expected <= said:  # the first two are begun in the background
        assert time.monotonic() < deadline, said
        said = {line.partition("--nodelist=")[2] for line in (tmp_path / "log").read_text().splitlines()}
