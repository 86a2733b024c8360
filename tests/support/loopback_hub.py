"""A Hugging Face hub on loopback: models and data sets of local folders, over as much of its HTTP API as clients use.

Small files are answered at once, large ones by a redirection to another path, as the real hub does. It can be told to
fail. It reads folders when they are added: to change a repository is to add it again.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlparse

Failure = Literal[
    "unauthorized", "gated", "forbidden", "bad_token", "too_many", "broken", "truncated", "slow", "corrupt", "cut"
]
"""How a repository fails: by a status, or in the middle of its large files."""
LARGE = (".safetensors", ".bin", ".parquet", ".pth", ".h5")
"""Ends of the names of files that are stored as large ones, whatever their size."""
_STATUS: dict[str, tuple[int, dict[str, str]]] = {
    "unauthorized": (401, {}),
    "gated": (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."}),
    "forbidden": (403, {"X-Error-Message": "Your token lacks the permission."}),
    "bad_token": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
    "too_many": (429, {}),
    "broken": (500, {}),
}
_RESOLVE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(/.*)?")


@dataclass
class _File:
    content: bytes
    is_large: bool

    @property
    def blob(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def etag(self) -> str:
        return hashlib.sha256(self.content).hexdigest() if self.is_large else self.blob


@dataclass
class _Repository:
    commits: dict[str, dict[str, _File]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)


@dataclass
class LoopbackHub:
    """The repositories, and what went over the line."""

    address: str = ""
    storage: str = ""
    """Address of large files: another host, because clients take the headers of the first answer only then."""
    failures: dict[str, Failure] = field(default_factory=dict)
    """How a repository fails, by its id."""
    requests: list[str] = field(default_factory=list)
    """Method and path of every request."""
    _repositories: dict[tuple[str, str], _Repository] = field(default_factory=dict)

    def add(self, name: str, folder: Path, *, kind: str = "models", revision: str = "main") -> str:
        """Publish the files of a folder as the newest commit of a branch or tag; return the commit."""
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): _File(path.read_bytes(), path.suffix in LARGE) for path in paths}
        texts = "".join(f"{path}{file.blob}" for path, file in files.items())
        commit = hashlib.sha1(f"{name}{texts}".encode()).hexdigest()
        repository = self._repositories.setdefault((kind, name), _Repository())
        repository.commits[commit] = files
        repository.revisions[revision] = commit
        return commit

    def find(self, kind: str, name: str, revision: str) -> tuple[str, dict[str, _File]] | None:
        """Commit and files; None for an unknown repository or revision."""
        repository = self._repositories.get((kind, name))
        if repository is None:
            return None
        commit = repository.revisions.get(revision, revision)
        return (commit, repository.commits[commit]) if commit in repository.commits else None

    def has(self, kind: str, name: str) -> bool:
        return (kind, name) in self._repositories


current: LoopbackHub
"""The hub of this process, in processes that are started with one."""


@contextmanager
def serving_hub() -> Iterator[LoopbackHub]:
    """Serve a hub without repositories until the block ends."""
    hub = LoopbackHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    hub.storage = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlparse(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if match := re.fullmatch(r"/large/(models|datasets)/([^/]+/[^/]+)/([^/]+)/(.+)", path):
            self._large(*match.groups())
        elif match := _RESOLVE.fullmatch(path):
            kind = "datasets" if match[1] else "models"
            if (found := self._found(kind, match[2], match[3])) is not None:
                self._file(kind, match[2], *found, match[4])
        elif match := _API.fullmatch(path):
            self._api(match[1], match[2], match[3] or "")
        else:
            self._status(404, {})

    def _found(self, kind: str, name: str, revision: str) -> tuple[str, dict[str, _File]] | None:
        """The files of a revision; None after an error was answered."""
        failure = self.hub.failures.get(name, "")
        if failure in _STATUS:
            self._status(*_STATUS[failure])
        elif not self.hub.has(kind, name):
            self._status(401, {"X-Error-Message": "Invalid username or password."})
        elif (found := self.hub.find(kind, name, revision)) is None:
            self._status(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return found
        return None

    def _file(self, kind: str, name: str, commit: str, files: dict[str, _File], path: str) -> None:
        file, headers = files.get(path), {"X-Repo-Commit": commit}
        if file is None:
            self._status(404, headers | {"X-Error-Code": "EntryNotFound"})
        elif file.is_large:
            place = f"{self.hub.storage}/large/{kind}/{name}/{commit}/{path}"
            linked = {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
            self._send(302, b"", headers | linked | {"Location": place})
        else:
            self._send(200, file.content, headers | {"ETag": f'"{file.etag}"'})

    def _large(self, kind: str, name: str, commit: str, path: str) -> None:
        found = self.hub.find(kind, name, commit)
        assert found is not None
        file, failure = found[1][path], self.hub.failures.get(name, "")
        content, status, headers = file.content, 200, {"ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
        if failure == "corrupt":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(match[1]), int(match[2] or len(content) - 1)
            headers["Content-Range"], status = f"bytes {start}-{end}/{len(content)}", 206
            content = content[start : end + 1]
        if failure in ("truncated", "cut") and self.command == "GET":
            half = content[: len(content) // 2]
            if failure == "truncated":
                self._send(status, half, headers)
                return
            self._send(status, half, headers | {"Content-Length": str(len(content))})
            self.close_connection = True
            return
        if failure == "slow" and self.command == "GET":
            time.sleep(0.2)
        self._send(status, content, headers)

    def _api(self, kind: str, name: str, rest: str) -> None:
        match = re.fullmatch(r"/(revision|tree|paths-info)/([^/]+)/?(.*)", rest)
        if (found := self._found(kind, name, match[2] if match else "main")) is None:
            return
        commit, files = found
        if match is None or match[1] == "revision":
            siblings = [{"rfilename": path} for path in files]
            facts = {"id": name, "sha": commit, "private": False, "gated": False, "disabled": False, "tags": []}
            self._json(facts | {"downloads": 0, "likes": 0, "siblings": siblings})
        elif match[1] == "tree":
            query = parse_qs(urlparse(self.path).query)
            recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
            self._json(_tree(files, match[3].strip("/"), recursive))
        else:
            wanted = _paths(self._body)
            self._json([entry for entry in _tree(files, "", True) if entry["path"] in wanted])

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _status(self, code: int, headers: dict[str, str]) -> None:
        self._send(code, b"{}", headers | {"Content-Type": "application/json"})

    def _send(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for key, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _tree(files: dict[str, _File], folder: str, recursive: bool) -> list[dict[str, object]]:
    entries: dict[str, dict[str, object]] = {}
    start = f"{folder}/" if folder else ""
    for path, file in files.items():
        if not path.startswith(start):
            continue
        parts = path.removeprefix(start).split("/")
        for depth in range(1, len(parts)) if recursive else range(1, min(2, len(parts))):
            above = start + "/".join(parts[:depth])
            entries[above] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": above}
        if recursive or len(parts) == 1:
            entry: dict[str, object] = {"type": "file", "oid": file.blob, "size": len(file.content), "path": path}
            if file.is_large:
                entry["lfs"] = {"oid": file.etag, "size": len(file.content), "pointerSize": 127}
            entries[path] = entry
    return list(entries.values())


def _paths(body: bytes) -> list[str]:
    """The paths of a request, which clients send as JSON or as a form."""
    if body.startswith(b"{"):
        return json.loads(body)["paths"]
    return parse_qs(body.decode()).get("paths", [])
