"""A Ray cluster of two simulated machines: network namespaces that are connected by a virtual cable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from running import ATTACKS, COUNT, assert_same, by_cell, run, wait_until

pytest.importorskip("ray", reason="needs ray")
BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
"""The home folder may contain a token of Ray."""
HEAD, OTHER = "10.231.7.1", "10.231.7.2"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def inside(namespace: str, *command: str) -> subprocess.CompletedProcess[str]:
    command = ("ip", "netns", "exec", namespace, *command)
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=ENVIRONMENT)


@pytest.fixture
def machines() -> Iterator[tuple[str, str]]:
    """Two namespaces that reach each other and nothing else."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs root and iproute2 to make network namespaces")
    names = (f"rbe-a{os.getpid()}", f"rbe-b{os.getpid()}")
    try:
        for name in names:
            ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not allowed here: {error.stderr.decode().strip()}")
    try:
        cables = [f"rbe{letter}{os.getpid()}"[:15] for letter in "ab"]
        ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1])
        for name, cable, address in zip(names, cables, (HEAD, OTHER), strict=True):
            ip("link", "set", cable, "netns", name)
            ip("-n", name, "addr", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", cable, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            for pid in listed.stdout.split():
                subprocess.run(["kill", "-9", pid], check=False)
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.slow
def test_two_machines_give_the_outcomes_of_one_even_if_one_dies(machines: tuple[str, str], tmp_path: Path) -> None:
    head, other = machines
    short = tempfile.mkdtemp(prefix="ray-")  # socket paths are limited to 107 bytes
    begun = inside(
        head, f"{BIN}/ray", "start", "--head", f"--node-ip-address={HEAD}", "--port=6391", "--num-cpus=1",
        "--include-dashboard=false", f"--temp-dir={short}",
    )  # fmt: skip
    assert begun.returncode == 0, begun.stdout + begun.stderr
    joined = inside(
        other, f"{BIN}/ray", "start", f"--address={HEAD}:6391", f"--node-ip-address={OTHER}", "--num-cpus=1",
    )  # fmt: skip
    assert joined.returncode == 0, joined.stdout + joined.stderr
    attacks = [word for attack in ATTACKS for word in ("--attack", attack)]
    command = [
        "ip", "netns", "exec", head, f"{BIN}/robust-eval", "--model", "digits_standard", *attacks, "--limit",
        str(COUNT), "--shuffle-shards", "--engine", "ray", "--ray-address", f"{HEAD}:6391", "--workers", "2", "--store",
    ]  # fmt: skip
    done = subprocess.run(
        [*command, str(tmp_path / "both")], capture_output=True, text=True, timeout=600, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    run(tmp_path / "here")
    assert_same(by_cell(tmp_path / "both"), by_cell(tmp_path / "here"))
    running = subprocess.Popen([*command, str(tmp_path / "one")], stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    wait_until(lambda: list(tmp_path.glob("one/cells/*/*.parquet")))
    for pid in subprocess.run(["ip", "netns", "pids", other], capture_output=True, text=True).stdout.split():
        subprocess.run(["kill", "-9", pid], check=False)
    assert running.wait(600) == 0
    assert_same(by_cell(tmp_path / "one"), by_cell(tmp_path / "here"))
