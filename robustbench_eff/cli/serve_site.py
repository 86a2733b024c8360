"""A folder of pages shown on this machine."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import UsageError


class _Quiet(SimpleHTTPRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Of 127.0.0.1 alone; UsageError for a folder without pages, or a port that is taken."""
    if not (folder / "index.html").is_file():
        raise UsageError(f"{folder} has no index.html.", "Write a site with `robust-eval leaderboard site --out DIR`.")
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        raise UsageError(f"Port {port} cannot be used: {error.strerror}.", "Choose another --port.") from error
