"""The package as a user has it: a wheel that is installed somewhere else, and a folder of the user's own files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from wheel_command import RobustEval

ROOT = Path(__file__).parents[2]
PARTS = ("robustbench_eff", "attacks", "corruptions", "defenses", "leaderboards")
FILES = ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the package's wheel; one worker builds it for all."""
    own = tmp_path_factory.getbasetemp()
    out = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "installed"
    with FileLock(out.with_suffix(".lock")):
        if not out.is_dir():
            source, wheels = own / "source", own / "wheels"
            for part in PARTS:
                shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
            for file in FILES:
                shutil.copy(ROOT / file, source)
            build = f"from setuptools import build_meta; build_meta.build_wheel({str(wheels)!r})"
            subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
            (wheel,) = wheels.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(own / "unpacked")
            (own / "unpacked").rename(out)
    return out


@pytest.fixture
def robust_eval(installed: Path, tmp_path: Path) -> RobustEval:
    """The command of the wheel, which knows nothing of the repository."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    program = (
        "import robustbench_eff.cli as cli\n"
        f"assert cli.__file__.startswith({str(installed)!r}), cli.__file__\n"
        "cli.main()\n"
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-c", program, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done

    return run
