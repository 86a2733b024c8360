"""What became of odd files that were read in a process of its own, one child for each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from strange_files import Strange


def faults(module: str, name: str, table: Mapping[str, Strange]) -> dict[str, str]:
    """Read every file of a table; return what became of those that did not end in their sentence.

    Args:
        module: Module of the table.
        name: Name of the table in it.
        table: The table.
    """
    command = [sys.executable, str(Path(__file__).with_name("strange_reading.py")), module, name]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert run.returncode == 0, run.stderr
    outcomes: dict[str, str] = json.loads(run.stdout[run.stdout.index("{") :])
    assert outcomes.keys() == table.keys()
    return {each: outcome for each, outcome in outcomes.items() if not _is_right(outcome, table[each].says)}


def _is_right(outcome: str, says: str) -> bool:
    return outcome.startswith(("read ", "error: ")) and re.search(says, outcome, re.DOTALL) is not None
