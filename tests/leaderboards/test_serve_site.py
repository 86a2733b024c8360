"""The server of a site answers requests that name this machine, for regular files of its folder, and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from robustbench_eff.cli import serve_site
from robustbench_eff.cli.serve_site import SiteServer, server
from robustbench_eff.core.errors import UsageError
from serving import start_serving

PAGE = b"<h1>models</h1>"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    folder = tmp_path_factory.mktemp("served")
    site = folder / "site"
    (site / "models").mkdir(parents=True)
    (site / "index.html").write_bytes(PAGE)
    (site / "models" / "a b.html").write_text("a b")
    (folder / "secret.html").write_text("secret")
    (site / "out.html").symlink_to(folder / "secret.html")
    (site / "up").symlink_to(folder)
    (site / "in.html").symlink_to("models/a b.html")
    (site / "loop.html").symlink_to("loop.html")
    os.mkfifo(site / "pipe.html")
    with server(site, 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(running: SiteServer, request: str, *, host: str = "localhost") -> bytes:
    """Everything that comes back for the lines of a request, `HOST` standing for a good header."""
    with socket.create_connection(running.server_address[:2], timeout=20) as connection:
        lines = request.replace("HOST", f"Host: {host}").split("|")
        connection.sendall("".join(f"{line}\r\n" for line in [*lines, "Connection: close", ""]).encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def status(answer: bytes) -> int:
    return int(answer.split()[1])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:1234", "[::1]:80"])
def test_own_names_are_answered(running: SiteServer, host: str) -> None:
    answer = ask(running, "GET / HTTP/1.1|HOST", host=host)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n" + PAGE)
    assert b"X-Content-Type-Options: nosniff" in answer and b"Cache-Control: no-cache" in answer


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "10.0.0.1",
        "[::2]",
        "user@localhost",
        "localhost/x",
        "localhost?x",
        "localhost:80:80",
        "localhost:x",
        "[::1",
        "localhost, evil.example",
        "",
    ],
)
def test_other_names_are_refused(running: SiteServer, host: str) -> None:
    answer = ask(running, "GET / HTTP/1.1|HOST", host=host)
    assert status(answer) == 421 and PAGE not in answer


@pytest.mark.parametrize(
    "request_",
    [
        "GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET / HTTP/1.1|HOST|HOST",
        "GET / HTTP/1.1|HOST|Host: evil.example",
        "GET http://localhost/ HTTP/1.1|HOST",
        "GET index.html HTTP/1.1|HOST",
        "GET / HTTP/1.1|HOST|Content-Length: 5",
        "GET / HTTP/1.1|HOST|Transfer-Encoding: chunked",
    ],
)
def test_malformed_requests_are_refused(running: SiteServer, request_: str) -> None:
    answer = ask(running, request_)
    assert status(answer) == 400 and PAGE not in answer


@pytest.mark.parametrize("request_", ["GET /", "GET / HTTP/x|HOST", "", "GET"])
def test_what_is_not_http_gets_no_page(running: SiteServer, request_: str) -> None:
    assert PAGE not in ask(running, request_)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/models/../../secret.html",
        "//etc/passwd",
        "/out.html",
        "/up/secret.html",
        "/up/",
        "/loop.html",
        "/pipe.html",
        "/models/",
        "/models",
        "/nothing.html",
        "/a%00b",
        "/%ff",
        "/" + "x" * 5000,
    ],
)
def test_nothing_else_is_served(running: SiteServer, path: str) -> None:
    answer = ask(running, f"GET {path} HTTP/1.1|HOST")
    assert status(answer) == 404 and b"secret</" not in answer and not answer.endswith(b"secret")


def test_files_of_the_folder_are_served(running: SiteServer) -> None:
    for path in ("/models/a%20b.html", "/in.html", "/models/../models/a%20b.html?query#part"):
        assert ask(running, f"GET {path} HTTP/1.1|HOST").endswith(b"\r\n\r\na b"), path


def test_head_has_no_body_and_a_range_gets_the_whole_file(running: SiteServer) -> None:
    answer = ask(running, "HEAD / HTTP/1.1|HOST")
    assert status(answer) == 200 and answer.endswith(b"\r\n\r\n") and b"Content-Length: 15\r\n" in answer
    answer = ask(running, "GET / HTTP/1.1|HOST|Range: bytes=1-2")
    assert status(answer) == 200 and answer.endswith(PAGE)


def test_other_methods_are_refused(running: SiteServer) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "CONNECT"):
        assert status(ask(running, f"{method} / HTTP/1.1|HOST")) == 501


def test_one_connection_carries_several_requests(running: SiteServer) -> None:
    with socket.create_connection(running.server_address[:2], timeout=20) as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(PAGE):
                answer += connection.recv(65536)


def test_a_slow_client_delays_nobody_and_is_dropped(running: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_site.OwnNamesHandler, "timeout", 0.3)
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(running.server_address[:2], timeout=20)) for _ in range(20)
        ]
        for connection in slow:
            connection.sendall(b"GET / HT")
        assert ask(running, "GET / HTTP/1.1|HOST").endswith(PAGE)
        assert [connection.recv(10) for connection in slow] == [b""] * 20


def test_a_client_that_goes_away_is_no_error(running: SiteServer, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        connection = socket.create_connection(running.server_address[:2], timeout=20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.close()
    assert ask(running, "GET / HTTP/1.1|HOST").endswith(PAGE)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("port", "host", "sentence"),
    [
        (0, "192.0.2.1", "--host 192.0.2.1 is not an address of this machine"),
        (0, "no such name", "--host no such name is not an address of this machine"),
        (0, "..", "is not an address of this machine"),
    ],
)
def test_places_that_cannot_be_listened_at(tmp_path: Path, port: int, host: str, sentence: str) -> None:
    (tmp_path / "index.html").touch()
    with pytest.raises(UsageError, match=sentence):
        server(tmp_path, port, host)


@pytest.mark.parametrize(
    ("error", "port", "sentence"),
    [
        (OSError(98, "Address already in use"), 8000, "Port 8000 is in use.\nChoose another --port, or --port 0"),
        (
            OSError(13, "Permission denied"),
            80,
            "Port 80 is only for the administrator.\nChoose another --port, from 1024",
        ),
        (OSError(99, "Cannot assign"), 8000, "--host here is not an address of this machine"),
        (OSError(5, "Input/output error"), 8000, "Port 8000 cannot be used: Input/output error"),
    ],
)
def test_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, port: int, sentence: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    (tmp_path / "index.html").touch()
    monkeypatch.setattr(serve_site, "SiteServer", refuse)
    monkeypatch.setattr(serve_site.socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", port))])
    with pytest.raises(UsageError, match=sentence):
        server(tmp_path, port, "here")


def test_only_other_addresses_are_open(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    with server(tmp_path, 0, "0.0.0.0") as made:
        assert made.is_open and made.url == f"http://127.0.0.1:{made.server_port}/"
        assert socket.gethostname().lower() in made.names
    with server(tmp_path, 0, "localhost") as made:
        assert not made.is_open and socket.gethostname().lower() not in made.names - {"localhost"}


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_ipv6_is_listened_at(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(PAGE)
    with server(tmp_path, 0, "::1") as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}).start()
        assert made.url == f"http://[::1]:{made.server_port}/"
        assert ask(made, "GET / HTTP/1.1|HOST", host=f"[::1]:{made.server_port}").endswith(PAGE)
        made.shutdown()


def test_ctrl_c_ends_at_once_with_a_client_connected(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(PAGE)
    process, address = start_serving(tmp_path)
    with socket.create_connection(("127.0.0.1", int(address.rstrip("/").rpartition(":")[2])), timeout=20) as client:
        client.sendall(b"GET / HT")
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=20)
    assert (process.returncode, said, complaint) == (0, "Stopped.\n", "")
