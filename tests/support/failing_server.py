"""A server of files on loopback that fails in the ways that servers do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

Reply: TypeAlias = Callable[["Handler"], None]


@dataclass
class FailingServer:
    """What the server sends, and what it was asked."""

    port: int = 0
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    """Replies by path, in order; the last one is repeated."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of every request, names in small letters."""

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def on(self, path: str, *replies: Reply) -> str:
        """Have a path answered; returns its address."""
        self.replies[path] = list(replies)
        return self.url(path)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    served: FailingServer

    def do_GET(self) -> None:
        """Give the next reply."""
        self.served.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        replies = self.served.replies.get(self.path) or [status(404)]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self.close_connection = True
        reply(self)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def send(self, code: int, body: bytes, **headers: object) -> None:
        """Send a reply; underscores stand for hyphens."""
        self.send_response(code)
        for name, value in ({"Content_Length": len(body)} | headers).items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")  # else the client may use it again just before it is closed
        self.end_headers()
        self.wfile.write(body)


def status(code: int, **headers: object) -> Reply:
    """A reply without content."""
    return lambda handler: handler.send(code, b"no", **headers)


def body(content: bytes, **headers: object) -> Reply:
    """A file without a version, which cannot be continued."""
    return lambda handler: handler.send(200, content, **headers)


def cut(content: bytes, sent: int, **headers: object) -> Reply:
    """A file of which only the beginning arrives."""
    return lambda handler: handler.send(200, content[:sent], **({"Content_Length": len(content)} | headers))


def tag_of(content: bytes) -> str:
    """A strong ETag."""
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def file(content: bytes) -> Reply:
    """A file as a good server sends it: with an ETag, conditions and ranges."""

    def reply(handler: Handler) -> None:
        tag = tag_of(content)
        if handler.headers.get("If-None-Match") == tag:
            handler.send(304, b"", Content_Length=None)
        elif handler.headers.get("Range") and handler.headers.get("If-Range") == tag:
            start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                handler.send(416, b"", ETag=tag)
                return
            where = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.send(206, content[start:], ETag=tag, Content_Range=where)
        else:
            handler.send(200, content, ETag=tag)

    return reply


@contextmanager
def failing_server() -> Iterator[FailingServer]:
    """Serve on a free port of this machine."""
    served = FailingServer()
    kind = type("BoundHandler", (Handler,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
