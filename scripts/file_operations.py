"""The operations of this process on the files below a folder, one after the other, as a file system sees them."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import mock

Kind = Literal["create", "sync", "rename", "remove", "make", "sync folder"]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; its paths are relative to the folder."""

    kind: Kind
    path: str
    target: str = ""
    """New path of a renamed file."""
    content: bytes = b""
    """What has been written to a file that is synchronized or renamed."""
    descriptor: int = -1
    """Of a file that is synchronized."""


def nothing(operation: Operation) -> None:
    """Do nothing."""


@contextlib.contextmanager
def watched(
    folder: Path, before: Callable[[Operation], None] = nothing, after: Callable[[Operation], None] = nothing
) -> Iterator[None]:
    """Call two functions around every operation on the files below a folder; what `before` raises is the answer.

    Lock files are left out: they hold nothing.
    """
    root, lock = folder.absolute(), threading.RLock()

    def relative(path: Any) -> str | None:
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        path = Path(os.fsdecode(path)).absolute()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) and path.name != ".lock" else None

    def noted(real: Callable[..., Any], described: Callable[..., Operation | None]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            operation = described(*arguments, **named)
            if operation is None:
                return real(*arguments, **named)
            with lock:
                before(operation)
                answer = real(*arguments, **named)
                after(operation)
                return answer

        return call

    def opened(file: Any, mode: str = "r", *_: Any, **__: Any) -> Operation | None:
        path = None if isinstance(file, int) or not {*mode} & {*"wx"} else relative(file)
        return None if path is None else Operation("create", path)

    def synchronized(descriptor: int) -> Operation | None:
        path = relative(descriptor)
        if path is None or not (root / path).exists():
            return None
        if (root / path).is_dir():
            return Operation("sync folder", path)
        return Operation("sync", path, content=(root / path).read_bytes(), descriptor=descriptor)

    def renamed(path: Any, target: Any, **_: Any) -> Operation | None:
        name, new_name = relative(path), relative(target)
        if name is None or new_name is None:
            return None
        return Operation("rename", name, new_name, (root / name).read_bytes())

    def one_path(kind: Kind) -> Callable[..., Operation | None]:
        return lambda path, *_, **__: None if relative(path) is None else Operation(kind, str(relative(path)))

    real_open = io.open
    described: dict[str, Callable[..., Operation | None]] = {
        "fsync": synchronized,
        "replace": renamed,
        "rename": renamed,
        "unlink": one_path("remove"),
        "remove": one_path("remove"),
        "mkdir": one_path("make"),
    }
    with contextlib.ExitStack() as patches:
        for module in (io, builtins):
            patches.enter_context(mock.patch.object(module, "open", noted(real_open, opened)))
        for name, description in described.items():
            patches.enter_context(mock.patch.object(os, name, noted(getattr(os, name), description)))
        yield


@contextlib.contextmanager
def recorded(folder: Path) -> Iterator[list[Operation]]:
    """Collect the operations that succeeded."""
    operations: list[Operation] = []
    with watched(folder, after=operations.append):
        yield operations
