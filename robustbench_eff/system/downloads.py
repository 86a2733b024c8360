"""Files from the web, kept in the cache by their content and found there again by their address.

A file that is kept is never trusted blindly: its hash is computed each time it is used. An address without a stated
hash is asked once whether its file has changed; one with a hash is not asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robustbench_eff.core.disk import FULL, OTHER_CACHE, atomic_write, cache_folder, free_bytes
from robustbench_eff.core.errors import DownloadError, RobustEvalWarning, UsageError
from robustbench_eff.core.outside_files import read_json

from . import network
from .addresses import HUB_ADDRESS, Address, check_protected
from .locks import alone
from .transfers import Unreachable, transfer

MIRRORS = "ROBUST_EVAL_MIRRORS"
"""Environment variable with pairs PREFIX=PREFIX between spaces: where addresses that begin with the first are asked."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file of the cache that came from the web."""

    path: Path
    """The file."""
    address: Address
    """Where it came from, with the hash of its content."""


def fetch(address: Address) -> Download:
    """Return a file of the web from the cache, downloaded if it is not there or has changed.

    Args:
        address: Where it is, and the hash that it must have.

    Raises:
        DownloadError: It cannot be downloaded, has another hash, or cannot be kept.
        UsageError: A server or a mirror sends it unencrypted, and no hash is stated.
    """
    folder = cache_folder() / "downloads"
    forbidden = network.offline()
    kept = _kept(folder, address)
    if kept is not None and (address.sha256 or forbidden):
        return kept
    if forbidden:
        raise DownloadError(
            f"{address} is not in the cache, and {forbidden} forbids to download it.",
            f"Unset {forbidden}, or pass the file itself: {address.option}.",
        )
    with _disk_errors(folder), alone(_unfinished(folder, address.url).with_suffix(".lock"), f"downloads {address}"):
        kept = _kept(folder, address)  # another process may have finished it
        if kept is not None and address.sha256:
            return kept
        try:
            return _downloaded(folder, address, kept)
        except Unreachable as error:
            if kept is None:
                raise
            warnings.warn(f"{error.message} The file that was downloaded earlier is used.", RobustEvalWarning, 2)
            return kept


def is_kept(address: Address) -> bool:
    """Return whether a file can be had without the network.

    Args:
        address: Where it is, and the hash that it must have.
    """
    return _kept(cache_folder() / "downloads", address) is not None


def _downloaded(folder: Path, address: Address, kept: Download | None) -> Download:
    """Ask the mirrors, then the address itself; the file that is kept, where it has not changed."""
    last: Unreachable | None = None
    for url in _places(address):
        check_protected(address, url)
        part = _unfinished(folder, url)
        known = "" if kept is None else str(_record(folder, address.url).get(url, ""))
        try:
            answer = transfer(address, url, part, known)
        except Unreachable as error:
            last = error
            continue
        if answer is None and kept is not None:
            return kept
        download = _accepted(folder, address, part)
        record = {"sha256": download.address.sha256, "name": download.path.name, url: answer or ""}
        atomic_write(_record_path(folder, address.url), json.dumps(record).encode())
        return download
    assert last is not None
    raise last


def _accepted(folder: Path, address: Address, part: Path) -> Download:
    """Give a finished download its place, if it has the right hash."""
    found = _hash_of(part)
    if not found.startswith(address.sha256):
        part.unlink()
        raise DownloadError(
            f"{address} has another content than stated: its sha256 is {found}, not {address.sha256}.",
            "Check the hash. If it is right, the file on the server is damaged or was replaced: do not use it.",
        )
    path = folder / found / address.name
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)
    return Download(path, address.pinned(found))


def _kept(folder: Path, address: Address) -> Download | None:
    """The file of the cache, if it is there and whole; a damaged one is deleted, which is said."""
    sha256 = address.sha256 or str(_record(folder, address.url).get("sha256", ""))
    if not sha256:
        return None
    path = next((path for path in sorted(folder.glob(f"{sha256}*/*")) if path.is_file()), None)
    if path is None:
        return None
    with _disk_errors(folder):
        if (found := _hash_of(path)) == path.parent.name:
            return Download(path, address.pinned(found))
        warnings.warn(f"{path} of the cache is damaged; it is downloaded again.", RobustEvalWarning, 2)
        path.unlink(missing_ok=True)
    return None


def _places(address: Address) -> Iterator[str]:
    for pair in os.environ.get(MIRRORS, "").split():
        prefix, equals, mirror = pair.partition("=")
        if not (prefix and equals and mirror):
            raise UsageError(f"{MIRRORS} holds {pair!r}.", f"Set {MIRRORS}='https://HOST=https://MIRROR'.")
        if address.url.startswith(prefix):
            yield mirror + address.url.removeprefix(prefix)
    hub = network.hub_address()
    if hub != HUB_ADDRESS and address.url.startswith(f"{HUB_ADDRESS}/"):
        yield hub + address.url.removeprefix(HUB_ADDRESS)
    yield address.url


def _record(folder: Path, url: str) -> dict[str, object]:
    """What is known of an address: the hash of its file, and what each place called that version; empty if nothing."""
    path = _record_path(folder, url)
    try:
        record = read_json(path, DownloadError)
    except DownloadError:  # there is none, or a damaged one: the address is asked again
        return {}
    return record if isinstance(record, dict) else {}


def _record_path(folder: Path, url: str) -> Path:
    return folder / "addresses" / f"{_key(url)}.json"


def _unfinished(folder: Path, url: str) -> Path:
    path = folder / "unfinished" / _key(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _key(url: str) -> str:
    return hashlib.blake2b(url.encode(), digest_size=16).hexdigest()


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            free = free_bytes(folder) // 2**20
            raise DownloadError(
                f"The disk of {folder} is full ({free} MB free).", f"Free some space, or: {OTHER_CACHE}"
            ) from error
        raise DownloadError(f"Cannot write to {folder}: {error.strerror or error}.", OTHER_CACHE) from error
