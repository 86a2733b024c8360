"""Files below a local folder, or below any URL that fsspec supports: S3, Google Cloud Storage, Azure, ...

Source of the interface: fsspec (filesystem_spec), whose backends are maintained by the providers of the stores.
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
"""Protocols without folders. A missing path there means a missing bucket, which must not be created in passing."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files by their name below a root, such as `cells/0123/cell.json`; a write is atomic.

    All methods raise StoreError if the disk or the object store fails.
    """

    place: str
    """Folder or URL as the user wrote it."""
    fs: fsspec.AbstractFileSystem
    root: str
    """Path of the folder in the file system."""

    @classmethod
    def at(cls, place: Path | str) -> Files:
        """Return the files of a folder or URL, which need not exist.

        Args:
            place: Local folder, or URL such as `s3://BUCKET/NAME`.

        Raises:
            UsageError: If no backend for the URL is installed, or the URL is invalid.
        """
        address = str(place)
        if "://" not in address:
            return cls(address, LocalFileSystem(), Path(address).absolute().as_posix())
        try:
            fs, root = fsspec.url_to_fs(address, use_listings_cache=False)
        except ImportError as error:
            protocol = address.partition("://")[0]
            package = "'robustbench-eff[s3]'" if protocol in ("s3", "s3a") else "the package that is named above"
            raise UsageError(f"{address} cannot be read: {error}", f"Install it with: pip install {package}") from error
        except ValueError as error:
            hint = "Give a folder or a URL such as s3://BUCKET/NAME."
            raise UsageError(f"{address} cannot be read: {error}.", hint) from error
        return cls(address, fs, root.rstrip("/"))

    @property
    def folder(self) -> Path | None:
        """Folder on this machine; None for a remote store."""
        return Path(self.root) if isinstance(self.fs, LocalFileSystem) else None

    def path(self, name: str) -> str:
        """Return a file's path or URL for messages.

        Args:
            name: Name below the root.
        """
        return f"{self.place.rstrip('/')}/{name}"

    def exists(self, name: str = "") -> bool:
        """Return True if a file exists.

        Args:
            name: Name below the root; empty means the root itself.
        """
        with self._errors():
            return bool(self.fs.exists(f"{self.root}/{name}".rstrip("/")))

    def matching(self, pattern: str) -> list[str]:
        """Return the sorted names that match a pattern.

        Args:
            pattern: Name below the root in which `*` matches any part of a folder or file name, such as
                `cells/*/cell.json`.
        """
        folder, _, file_pattern = pattern.rpartition("/")
        with self._errors():
            if "*" in folder:
                paths = self.fs.glob(f"{_escaped(self.root)}/{pattern}")
            else:
                try:
                    paths = self.fs.ls(f"{self.root}/{folder}", detail=False)
                except FileNotFoundError:
                    paths = []
        names = [str(path).removeprefix(f"{self.root}/") for path in paths]
        return sorted(name for name in names if PurePosixPath(name).match(file_pattern))

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Args:
            name: Name below the root.

        Raises:
            FileNotFoundError: If the file does not exist.
        """
        with self._errors():
            content: bytes = self.fs.cat_file(f"{self.root}/{name}")
            return content

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        """Return the contents of several files, read concurrently from a remote store.

        Args:
            names: Names below the root.

        Returns:
            The contents in the order of `names`.

        Raises:
            FileNotFoundError: If a file does not exist.
        """
        if len(names) < 2 or self.folder is not None:
            return [self.read(name) for name in names]
        paths = [f"{self.root}/{name}" for name in names]
        with self._errors():
            contents = self.fs.cat([_escaped(path) for path in paths])
        return [contents[path] for path in paths]

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically: on a disk by renaming a temporary file, in an object store as a single object.

        Args:
            name: Name below the root; folders are created.
            content: Content of the file, which replaces an existing one.
        """
        if (folder := self.folder) is not None:
            with store_errors(folder):
                atomic_write(folder / name, content, synced=True)
            return
        path = f"{self.root}/{name}"
        with self._errors():
            try:
                self.fs.pipe_file(path, content)
            except FileNotFoundError:
                protocols = self.fs.protocol
                if OBJECT_STORES & ({protocols} if isinstance(protocols, str) else {*protocols}):
                    raise
                self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self.fs.pipe_file(path, content)

    def remove(self, name: str) -> None:
        """Remove a file.

        Args:
            name: Name of an existing file below the root.
        """
        with self._errors():
            self.fs.rm_file(f"{self.root}/{name}")

    def rename(self, name: str, other: str) -> None:
        """Rename a file.

        Args:
            name: Name of an existing file below the root.
            other: New name below the root.
        """
        with self._errors():
            self.fs.mv(f"{self.root}/{name}", f"{self.root}/{other}")

    def check_writable(self) -> None:
        """Check that files can be written, without leaving a trace.

        Raises:
            StoreUnavailable: If nothing can be written now.
        """
        if (folder := self.folder) is None:
            probe = f".probe-{secrets.token_hex(4)}"
            try:
                self.write(probe, b"")
                self.remove(probe)
            except (OSError, StoreError) as error:
                raise StoreUnavailable(f"Cannot write to {self.place}: {error}") from error
            return
        existing = nearest(folder)
        if not (existing.is_dir() and os.access(existing, os.W_OK)):
            raise StoreUnavailable(f"Cannot write to {self.place}: {existing} is not a writable folder.")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of a backend into StoreError; FileNotFoundError stays as it is."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # every backend raises errors of its own
            raise StoreError(
                f"{self.place} cannot be reached: {type(error).__name__}: {error}",
                "Check the address, the credentials and the network, and repeat the same command.",
            ) from error


def _escaped(path: str) -> str:
    """Return a glob pattern that matches only this path."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)
