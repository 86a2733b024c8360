"""Runs that are killed in the middle, at the same point however busy the machine is."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from running import ATTACKS, COUNT

SHARD_SIZE = 8
SHARDS_BEFORE_DEATH = COUNT // SHARD_SIZE + 5
"""The clean cell is finished then, the first attack is not."""
SAMPLES_BEFORE_DEATH = SHARDS_BEFORE_DEATH * SHARD_SIZE
SCRIPT = """
import os
import signal

import torch

from robustbench_eff import evaluate
from robustbench_eff.evaluation.evaluate import NullListener


class Killer(NullListener):
    shards = 0

    def progressed(self, progress):
        self.shards += bool(progress.samples)
        if self.shards == {shards}:
            os.kill(os.getpid(), signal.SIGKILL)


torch.set_num_threads(1)  # as in the tests that compare what it stored
evaluate("digits_standard", listener=Killer(), **{options})
"""


def run_and_die(store: Path | str, **options: Any) -> None:
    """The run of `running.run` in a process that kills itself when `SHARDS_BEFORE_DEATH` shards are stored."""
    options |= {"attacks": ATTACKS, "limit": COUNT, "shard_size": SHARD_SIZE, "store": str(store)}
    script = SCRIPT.format(shards=SHARDS_BEFORE_DEATH, options=options)
    died = subprocess.run([sys.executable, "-c", script], timeout=600)
    assert died.returncode == -signal.SIGKILL
