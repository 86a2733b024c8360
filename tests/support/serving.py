"""The command that serves a site, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


def start_serving(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Serve a folder; return the process, which Ctrl-C ends, and the address that it has printed."""
    words = ["leaderboard", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", "from robustbench_eff import cli; cli.main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A background job of a shell ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    return process, process.stdout.readline().split()[0]
