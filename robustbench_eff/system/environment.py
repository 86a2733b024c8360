"""The environment of a run: versions, processor, state of the source tree."""

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


RUNTIMES = ("onnxruntime", "ai-edge-litert")
"""Optional packages that compute networks in torch's place."""


def describe() -> dict[str, Any]:
    """Return versions, processor, command line and git state for the run manifest; torch is not imported."""
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "versions": versions() | {name: found for name in RUNTIMES if (found := installed(name))},
        "git": git_state(Path(__file__).parents[1]),
    }


def versions() -> dict[str, str | None]:
    """Return the installed versions of `PACKAGES`; None for a package that is not installed."""
    return {name: installed(name) for name in PACKAGES}


def installed(package: str) -> str | None:
    """Return the installed version of a distribution, or None.

    Args:
        package: Name of the distribution.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Return the model name of the processor, or its architecture if the system does not report a name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the `commit`, and as `dirty` whether the tree differs from it; None outside a checkout of this project.

    Args:
        folder: Folder of the package.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top) != folder.parent:
        return None
    status = _git(folder, "status", "--porcelain")
    return {"commit": _git(folder, "rev-parse", "HEAD"), "dirty": bool(status)}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return completed.stdout.strip() if completed.returncode == 0 else None
