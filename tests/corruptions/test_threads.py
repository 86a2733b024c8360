"""Compiled loops leave torch the threads it had."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import torch
torch.set_num_threads(1)
from robustbench_eff.corruptions.compiled.jit import parallel
from robustbench_eff.corruptions.random import uniforms
from robustbench_eff.core.rng import RandomStreams
uniforms(RandomStreams.of(0, range(8)), (3, 64, 64), "any")
print(torch.get_num_threads())
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core there is one thread anyway")
def test_the_first_compiled_loop_of_a_process_does_not_change_torchs_threads() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
