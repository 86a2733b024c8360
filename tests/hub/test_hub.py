"""The cases of this folder, in a process of their own: clients read the hub's address when they are imported."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = sorted(Path(__file__).parent.glob("cases_*.py"))
_PROGRAM = """
import sys, pytest, loopback_hub
with loopback_hub.serving_hub() as loopback_hub.current:
    import os
    os.environ["HF_ENDPOINT"] = loopback_hub.current.address
    sys.exit(pytest.main(sys.argv[1:]))
"""


def test_every_case_with_a_hub_on_loopback(tmp_path: Path) -> None:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    support = Path(__file__).parents[1] / "support"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "PYTEST_", "COV_"))}
    environment |= {
        "HF_HOME": str(tmp_path / "hugging_face"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(support),
        "TORCH_HOME": str(tmp_path / "torch"),
    }
    words = ["-q", "-p", "no:cacheprovider", "-n", "0", "--basetemp", str(tmp_path / "cases"), *map(str, CASES)]
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
