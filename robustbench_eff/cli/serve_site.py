"""The web servers of `robust-eval leaderboard serve` and `view`, for requests that name this machine."""

from __future__ import annotations

import errno
import io
import ipaddress
import socket
import sys
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from robustbench_eff.core.errors import UsageError

from .common import error_console, output_console, print_line

LOOPBACK = ("localhost", "127.0.0.1", "::1")
FOUND, NOT_FOUND, FAULT = HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
"""What the pages that are made for a request may load."""
MOST_FIELDS = 50
"""Most fields of a query."""
SECONDS = 30
"""Time after which a client that sends or takes nothing is dropped."""


class SiteServer(ThreadingHTTPServer):
    """A server with a thread for every client; none of them keeps the process alive."""

    daemon_threads = True

    def __init__(
        self, handler: Callable[..., Any], address: tuple[Any, ...], family: socket.AddressFamily, host: str
    ) -> None:
        """Bind and listen.

        Args:
            handler: Class of what answers a request, or a function that makes one.
            address: Socket address to bind to.
            family: Its family.
            host: What the user called it.
        """
        self.address_family = family
        self.names = {*LOOPBACK, host.lower()}
        if not ipaddress.ip_address(address[0]).is_loopback:
            self.names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        super().__init__(address, handler)

    @property
    def url(self) -> str:
        """Address for a browser on this machine."""
        host = str(self.server_address[0])
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach the server."""
        return not ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def server_bind(self) -> None:
        """Bind without asking a name server for the name of the address."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class OwnNamesHandler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD for regular files below the folder, in requests that name this server."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    server: SiteServer

    def parse_request(self) -> bool:
        """Refuse requests for another server: a page elsewhere can have its own name lead to this machine."""
        if not super().parse_request():
            return False
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not self.path.startswith("/"):
            self.send_error(HTTPStatus.BAD_REQUEST, "A path and one Host are needed")
        elif self._host_name(hosts[0]) not in self._names():
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "This server has another name")
        elif self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.BAD_REQUEST, "A request has no body here")
        else:
            return True
        return False

    def send_head(self) -> Any:
        """Send the headers of a regular file inside the folder; 404 for everything else."""
        root, path = Path(self.directory).resolve(), self.translate_path(self.path)
        try:
            place = Path(path).resolve()
            place = place / "index.html" if place.is_dir() else place
            is_file = place.is_file() and place.resolve().is_relative_to(root)
        except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a null byte
            is_file = False
        if is_file:
            return super().send_head()
        self.send_error(HTTPStatus.NOT_FOUND, "File not found")
        return None

    def end_headers(self) -> None:
        """Add the headers of every answer: a browser asks again after the site was written anew."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _names(self) -> set[str]:
        """The names of the server, and the address that this client has reached it at."""
        reached = ipaddress.ip_address(self.connection.getsockname()[0].partition("%")[0])
        mapped = getattr(reached, "ipv4_mapped", None)
        return self.server.names | {str(mapped or reached)}

    @staticmethod
    def _host_name(host: str) -> str | None:
        """The name in a Host header, in lower case; None if it is none."""
        try:
            parts = urlsplit(f"//{host.strip()}")
            _ = parts.port
        except ValueError:
            return None
        is_plain = parts.netloc == host.strip() and "@" not in host and not (parts.path or parts.query)
        return (parts.hostname or "").removesuffix(".") if is_plain else None


class PagesHandler(OwnNamesHandler):
    """Answers GET and HEAD with pages that are made for each request."""

    def __init__(self, pages: Callable[[str, dict[str, str]], tuple[int, str]], *arguments: Any) -> None:
        """Answer a request.

        Args:
            pages: Returns the status and the page for a path and the fields of its query.
            *arguments: What the server passes on.
        """
        self.pages = pages
        super().__init__(*arguments)

    def send_head(self) -> Any:
        """Send the headers of a page, and return its content."""
        path, fields = path_and_fields(self.path)
        status, page = self.pages(path, fields)
        content = page.encode("utf-8", "backslashreplace")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        return io.BytesIO(content)


def server(folder: Path, port: int, host: str = "127.0.0.1") -> SiteServer:
    """Return a server of a folder's pages.

    Args:
        folder: Folder with `index.html`.
        port: Port to listen on; 0 chooses a free one.
        host: Address or name of this machine to listen at; by default only this machine can reach the server.

    Raises:
        UsageError: The folder does not contain `index.html`, or the address or the port cannot be used.
    """
    if not (folder / "index.html").is_file():
        raise UsageError(
            f"{folder} does not contain index.html.",
            "Write a site with `robust-eval leaderboard site --out FOLDER`, and serve that folder.",
        )
    return listening(partial(OwnNamesHandler, directory=str(folder)), port, host)


def listening(handler: Callable[..., Any], port: int, host: str) -> SiteServer:
    """Return a server that listens.

    Args:
        handler: Class of what answers a request, or a function that makes one.
        port: Port to listen on; 0 chooses a free one.
        host: Address or name of this machine to listen at.

    Raises:
        UsageError: The address or the port cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"--host {host} is not an address of this machine.", "For example 127.0.0.1 or ::1."
        ) from error
    try:
        return SiteServer(handler, address, family, host)
    except OSError as error:
        raise _refusal(host, port, error) from error


def path_and_fields(target: str) -> tuple[str, dict[str, str]]:
    """Return the path of a request, and the fields of its query, of repeated ones the last.

    Args:
        target: What a request asks for, such as `/?page=2`. One that cannot be read has no path and no fields.
    """
    try:
        place = urlsplit(target)
        fields = parse_qs(place.query, max_num_fields=MOST_FIELDS)
    except ValueError:
        return "", {}
    return place.path, {name: values[-1] for name, values in fields.items()}


def serve_until_stopped(running: SiteServer) -> None:
    """Say where a server is, and answer requests until Ctrl-C.

    Args:
        running: The server.
    """
    try:
        print_line(output_console(), f"{running.url} (stop with Ctrl-C)")
        if running.is_open:
            print_line(error_console(), "Other machines can reach this server, too.")
        running.serve_forever()
    except KeyboardInterrupt:
        print_line(output_console(), "Stopped.")


def _refusal(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"Port {port} is in use.", "Choose another --port, or --port 0 for a free one.")
    if error.errno in (errno.EACCES, errno.EPERM) and port < 1024:
        return UsageError(f"Port {port} is only for the administrator.", "Choose another --port, from 1024 to 65535.")
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return UsageError(f"--host {host} is not an address of this machine.", "For example 127.0.0.1 or ::1.")
    return UsageError(f"Port {port} cannot be used: {error.strerror}.", "Choose another --port.")
