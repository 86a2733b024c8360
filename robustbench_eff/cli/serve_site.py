"""The local web server of `robust-eval leaderboard serve`."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import UsageError


class _QuietHandler(SimpleHTTPRequestHandler):
    """A handler that does not log requests."""

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a folder's pages that only this machine can reach.

    Args:
        folder: Folder with `index.html`.
        port: Port to listen on; 0 chooses a free one.

    Raises:
        UsageError: The folder does not contain `index.html`, or the port cannot be used.
    """
    if not (folder / "index.html").is_file():
        raise UsageError(
            f"{folder} does not contain index.html.",
            "Write a site with `robust-eval leaderboard site --out FOLDER`, and serve that folder.",
        )
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_QuietHandler, directory=str(folder)))
    except OSError as error:
        raise UsageError(f"Port {port} cannot be used: {error.strerror}.", "Choose another --port.") from error
