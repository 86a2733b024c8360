"""A Ray cluster of two machines, as far as the network can tell: each in a namespace of its own, one wire between."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from running import ATTACKS, COUNT, assert_same, by_cell, run

pytest.importorskip("ray", reason="needs ray")
BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
"""Whether or not a token of Ray's lies in the home folder."""
HEAD, OTHER = "10.231.7.1", "10.231.7.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def inside(namespace: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["ip", "netns", "exec", namespace, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=ENVIRONMENT)


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
        wires = [f"rbe{letter}{os.getpid()}"[:15] for letter in "ab"]
        ip("link", "add", wires[0], "type", "veth", "peer", "name", wires[1])
        for name, wire, address in zip(names, wires, (HEAD, OTHER), strict=True):
            ip("link", "set", wire, "netns", name)
            ip("-n", name, "addr", "add", f"{address}/24", "dev", wire)
            ip("-n", name, "link", "set", wire, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            for pid in found.stdout.split():
                subprocess.run(["kill", "-9", pid], check=False)
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.slow
def test_two_machines_give_the_outcomes_of_one_and_one_of_them_may_die(
    machines: tuple[str, str], tmp_path: Path
) -> None:
    head, other = machines
    short = tempfile.mkdtemp(prefix="ray-")  # paths of sockets may have 107 bytes
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
        [*command, str(tmp_path / "both")], capture_output=True, text=True, timeout=300, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    run(tmp_path / "here")
    assert_same(by_cell(tmp_path / "both"), by_cell(tmp_path / "here"))
    running = subprocess.Popen([*command, str(tmp_path / "one")], stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    deadline = time.monotonic() + 180
    while not list(tmp_path.glob("one/cells/*/*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for pid in subprocess.run(["ip", "netns", "pids", other], capture_output=True, text=True).stdout.split():
        subprocess.run(["kill", "-9", pid], check=False)
    assert running.wait(300) == 0
    assert_same(by_cell(tmp_path / "one"), by_cell(tmp_path / "here"))
