"""The examples for clusters say what their programs accept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
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


def test_the_workflow_for_github_runs_and_its_gate_holds(tmp_path: Path) -> None:
    """Its commands as the runner's shell takes them, one after the other, in a folder that only the store survives."""
    workflow = yaml.safe_load((EXAMPLES / "github-action.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert workflow[True] == {"pull_request": None} and workflow["permissions"] == {"contents": "read"}
    steps = job["steps"]
    pinned = [step["uses"].partition("@")[2] for step in steps if "uses" in step]
    assert pinned and all(len(commit) == 40 for commit in pinned)
    paths = {step["with"]["path"] for step in steps if "cache" in step.get("uses", "")}
    commands = [step["run"] for step in steps if step.get("run", "").startswith("robust-eval ")]
    assert len(commands) == 3 and all(f"--store {path}" in command for path in paths for command in commands)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "OMP_NUM_THREADS": "1",
    }
    for command in commands:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "✅ Robustness: 2 of 2 required numbers met" in (tmp_path / "summary.md").read_text()
    assert ET.parse(tmp_path / "robustness.xml").getroot().get("failures") == "0"
