"""Files below a local folder, or below any URL that fsspec supports: S3, Google Cloud Storage, Azure, ...

Source of the interface: fsspec (filesystem_spec), whose backends are maintained by the providers of the stores.
"""

from __future__ import annotations

import glob
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from robustbench_eff.core.disk import atomic_write, nearest, store_errors
from robustbench_eff.core.errors import StoreError, StoreUnavailable, UsageError, reason
from robustbench_eff.core.outside_files import check_file

OBJECT_STORES = {"s3", "gs", "abfs", "oci", "oss"}
"""Protocols without folders. A missing path there means a missing bucket, which must not be created in passing."""
_FILES = (".json", ".parquet", ".png")
"""Endings of the files of a store."""


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
    before_change: Callable[[], None] = lambda: None
    """Called before every change of a file; raises StoreError if this process may not write any more."""

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
        except Exception as error:  # a backend opens what the URL names, such as an archive, and raises its own errors
            raise UsageError(f"{address} cannot be opened: {reason(error)}.", "Check the URL.") from error
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
            return bool(self.fs.exists(self._at(name).rstrip("/")))

    def matching(self, pattern: str) -> list[str]:
        """Return the sorted names that match a pattern.

        Args:
            pattern: Name below the root in which `*` matches any part of a folder or file name, such as
                `cells/*/cell.json`.
        """
        folder, _, file_pattern = pattern.rpartition("/")
        with self._errors():
            if self.folder is not None and "*" in folder:
                found = glob.iglob(pattern, root_dir=self.root, include_hidden=True)  # noqa: PTH207 - relative names
                return sorted(found)
            if "*" in folder:
                paths = self.fs.glob(f"{_escaped(self.root)}/{pattern}")
            else:
                try:
                    paths = self.fs.ls(self._at(folder), detail=False)
                except (FileNotFoundError, NotADirectoryError):
                    paths = []
        names = [str(path).removeprefix(f"{self.root}/") for path in paths]
        return sorted(name for name in names if PurePosixPath(name).match(file_pattern))

    def all(self) -> list[str]:
        """Return the sorted names of all files, and of links to folders and folders that are named as files."""
        with self._errors():
            if self.folder is None:
                return sorted(str(path).removeprefix(f"{self.root}/") for path in self.fs.find(self.root))
            names = []
            for top, folders, files in os.walk(self.root, onerror=_raise):
                odd = [name for name in folders if Path(top, name).is_symlink() or Path(name).suffix in _FILES]
                folders[:] = [name for name in folders if name not in odd]
                names += [Path(top, name).relative_to(self.root).as_posix() for name in (*files, *odd)]
            return sorted(names)

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Args:
            name: Name below the root.

        Raises:
            FileNotFoundError: If the file does not exist.
        """
        path = self._at(name)
        with self._errors(name):
            if self.folder is None:
                content: bytes = self.fs.cat_file(path)
                return content
            local = Path(path)
            if not stat.S_ISREG(local.stat().st_mode):
                check_file(local, StoreError)
            return local.read_bytes()

    def read_existing(self, names: Sequence[str]) -> list[bytes]:
        """Return the contents of files that were listed.

        Args:
            names: Names below the root.

        Raises:
            StoreError: A file cannot be found any more, or is a link to nothing.
        """
        try:
            return self.read_all(names)
        except FileNotFoundError as error:
            what = error.filename or self.place
            message = f"{what} is a link that leads nowhere, or another process has just removed it."
            raise StoreError(message, "Repeat the command, or remove the link.") from error

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
        paths = [self._at(name) for name in names]
        with self._errors():
            contents = self.fs.cat([_escaped(path) for path in paths])
        by_path = {path.lstrip("/"): content for path, content in contents.items()}  # archives leave the slash out
        return [by_path[path.lstrip("/")] for path in paths]

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically: on a disk by renaming a temporary file, in an object store as a single object.

        Args:
            name: Name below the root; folders are created.
            content: Content of the file, which replaces an existing one.
        """
        self.before_change()
        if (folder := self.folder) is not None:
            with store_errors(folder):
                atomic_write(folder / name, content, synced=True)
            return
        path = self._at(name)
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
        self.before_change()
        with self._errors(name):
            self.fs.rm_file(self._at(name))

    def rename(self, name: str, other: str) -> None:
        """Rename a file.

        Args:
            name: Name of an existing file below the root.
            other: New name below the root; folders are created.
        """
        self.before_change()
        with self._errors(name):
            if (folder := self.folder) is not None:
                (folder / other).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).rename(folder / other)  # a link itself, not what it leads to
            else:
                self.fs.mv(self._at(name), self._at(other))

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
        try:
            tempfile.TemporaryDirectory(prefix=".probe-", dir=existing).cleanup()
        except OSError as error:
            cause = f"{existing} is not a writable folder ({error.strerror})"
            raise StoreUnavailable(f"Cannot write to {self.place}: {cause}.", "Choose another --store.") from error

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that does not exist; of two processes that try it at once, one succeeds.

        Args:
            name: Name below the root.
            content: Content of the file.

        Returns:
            Whether it was written. A backend that cannot write only what does not exist replaces the file.
        """
        try:
            self.fs.pipe_file(self._at(name), content, mode="create")
        except FileExistsError:
            return False
        except Exception:  # noqa: BLE001 - such as an unknown mode or no folder; `write` raises what is really wrong
            self.write(name, content)
        return True

    def _at(self, name: str) -> str:
        """The path of a file; paths in an archive do not begin with a slash."""
        return f"{self.root}/{name}" if self.root else name

    @contextmanager
    def _errors(self, name: str = "") -> Iterator[None]:
        """Turn the errors of a backend into StoreError; FileNotFoundError stays as it is."""
        try:
            yield
        except (FileNotFoundError, StoreError):
            raise
        except Exception as error:  # every backend raises errors of its own
            if self.folder is not None and isinstance(error, OSError):
                path = self.path(name) if name else self.place
                hint = "Check its permissions, and what it is."
                raise StoreError(f"{path} cannot be read or changed: {error.strerror or error}.", hint) from error
            raise StoreError(
                f"{self.place} cannot be reached: {type(error).__name__}: {error}",
                "Check the address, the credentials and the network, and repeat the same command.",
            ) from error


def _escaped(path: str) -> str:
    """Return a glob pattern that matches only this path."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _raise(error: OSError) -> None:
    raise error
