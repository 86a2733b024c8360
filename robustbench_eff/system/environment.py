"""What a run ran on: versions, processor, state of the source tree."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "robustbench-eff",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pillow",
    "pyarrow",
    "datasets",
    "scikit-learn",
)


def describe() -> dict[str, Any]:
    """Versions, processor, command and git state, for the run manifest; needs no torch."""
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "versions": versions(),
        "git": git_state(Path(__file__).parents[1]),
    }


def versions() -> dict[str, str | None]:
    """Installed versions; None for a package that is not there."""
    return {name: installed(name) for name in PACKAGES}


def installed(package: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and whether the tree differs from it; None outside a checkout of this project."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top) != folder.parent:
        return None
    status = _git(folder, "status", "--porcelain")
    return {"commit": _git(folder, "rev-parse", "HEAD"), "dirty": bool(status)}


def _git(folder: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
