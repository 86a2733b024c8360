"""Files below a folder of this machine, or below any URL that fsspec knows: S3, Google Cloud Storage, Azure, ...

Source of the interface: fsspec (filesystem_spec), whose backends are kept by those who run the stores.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from robustbench_eff.core.disk import atomic_write, nearest, store_errors
from robustbench_eff.core.errors import StoreError, StoreUnavailable, UsageError

OBJECT_STORES = {"s3", "gs", "abfs", "oci", "oss"}
"""Protocols without folders: a path that is not there has no bucket, which nobody wants to be made in passing."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files by their name below `root`, such as `cells/0123/cell.json`; what is written is there whole or not at all.

    Raises StoreError where the disk or the object store refuses.
    """

    place: str
    """As the user wrote it."""
    fs: fsspec.AbstractFileSystem
    root: str

    @classmethod
    def at(cls, place: Path | str) -> Files:
        """The files of a folder or URL, which need not be there; UsageError where nothing can read such a URL."""
        text = str(place)
        if "://" not in text:
            return cls(text, LocalFileSystem(), Path(text).absolute().as_posix())
        try:
            fs, root = fsspec.url_to_fs(text, use_listings_cache=False)
        except ImportError as error:
            protocol = text.partition("://")[0]
            extra = "'robustbench-eff[s3]'" if protocol in ("s3", "s3a") else "the package that is named above"
            raise UsageError(f"{text} cannot be read: {error}", f"Install it with: pip install {extra}") from error
        except ValueError as error:
            hint = "Give a folder or a URL such as s3://BUCKET/NAME."
            raise UsageError(f"{text} cannot be read: {error}.", hint) from error
        return cls(text, fs, root.rstrip("/"))

    @property
    def folder(self) -> Path | None:
        """Where they lie on this machine; None where they do not."""
        return Path(self.root) if isinstance(self.fs, LocalFileSystem) else None

    def path(self, name: str) -> str:
        """How a person finds a file."""
        return f"{self.place.rstrip('/')}/{name}"

    def exists(self, name: str = "") -> bool:
        """Whether the file, or anything at all, is there."""
        with self._reached():
            return bool(self.fs.exists(f"{self.root}/{name}".rstrip("/")))

    def matching(self, pattern: str) -> list[str]:
        """The names of which every part matches, sorted: `cells/*/cell.json`."""
        folder, _, last = pattern.rpartition("/")
        with self._reached():
            if "*" in folder:
                found = self.fs.glob(f"{_escaped(self.root)}/{pattern}")
            else:
                try:
                    found = self.fs.ls(f"{self.root}/{folder}", detail=False)
                except FileNotFoundError:
                    found = []
        names = [str(path).removeprefix(f"{self.root}/") for path in found]
        return sorted(name for name in names if PurePosixPath(name).match(last))

    def read(self, name: str) -> bytes:
        """What is in a file; FileNotFoundError if it is not there."""
        with self._reached():
            content: bytes = self.fs.cat_file(f"{self.root}/{name}")
            return content

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        """What is in each of these files, asked for side by side where they are far away."""
        if len(names) < 2 or self.folder is not None:
            return [self.read(name) for name in names]
        paths = [f"{self.root}/{name}" for name in names]
        with self._reached():
            found = self.fs.cat([_escaped(path) for path in paths])
        return [found[path] for path in paths]

    def write(self, name: str, content: bytes) -> None:
        """Write whole or not at all: on a disk to a temporary name first, then renamed over; objects are so."""
        folder = self.folder
        if folder is None:
            path = f"{self.root}/{name}"
            with self._reached():
                try:
                    self.fs.pipe_file(path, content)
                except FileNotFoundError:
                    protocols = self.fs.protocol
                    if OBJECT_STORES & ({protocols} if isinstance(protocols, str) else {*protocols}):
                        raise
                    self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                    self.fs.pipe_file(path, content)
            return
        with store_errors(folder):
            atomic_write(folder / name, content, synced=True)

    def remove(self, name: str) -> None:
        """Remove a file that is there."""
        with self._reached():
            self.fs.rm_file(f"{self.root}/{name}")

    def rename(self, name: str, other: str) -> None:
        """Give a file another name."""
        with self._reached():
            self.fs.mv(f"{self.root}/{name}", f"{self.root}/{other}")

    def check_writable(self) -> None:
        """Raise StoreUnavailable if nothing could be written now; leaves no trace."""
        if (folder := self.folder) is None:
            probe = f".probe-{secrets.token_hex(4)}"
            try:
                self.write(probe, b"")
                self.remove(probe)
            except (OSError, StoreError) as error:
                raise StoreUnavailable(f"Cannot write to {self.place}: {error}") from error
            return
        above = nearest(folder)
        if not (above.is_dir() and os.access(above, os.W_OK)):
            raise StoreUnavailable(f"Cannot write to {self.place}: {above} is not a folder one may write to.")

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What a backend raises becomes StoreError; that a file is not there stays as it is."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # every backend has errors of its own
            raise StoreError(
                f"{self.place} cannot be reached: {type(error).__name__}: {error}",
                "Check the address, the credentials and the network, and repeat the same command.",
            ) from error


def _escaped(path: str) -> str:
    """With what a pattern would read into it taken as it is."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)
