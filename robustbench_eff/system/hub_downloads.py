"""Files of the Hugging Face hub, compared with its checksums; and why a download failed, in one sentence."""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlparse

from robustbench_eff.core.disk import FULL
from robustbench_eff.core.errors import Missing, RobustEvalError, reason

from . import network
from .network import LOG_IN

_AGAIN = "Repeat the command: a download goes on where it stopped."
_CLIENTS = ("aiohttp", "fsspec", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib3")
"""Packages whose errors are failures of a connection."""
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NAME = re.compile(r"(?=.{3,96}$)\w[\w-]*(\.[\w-]+)*/\w[\w-]*(\.[\w-]+)*", re.ASCII)
"""Names of repositories."""
_SUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""Names of files in the hub cache: the hash of git, or SHA-256 for large files."""


class Repository(NamedTuple):
    """A repository of the hub at a revision."""

    id: str
    """Such as `google/vit-base-patch16-224`."""
    revision: str | None = None
    """Branch, tag or commit; None for the main branch."""
    kind: Literal["model", "dataset"] = "model"
    """What it holds."""

    @property
    def page(self) -> str:
        """Its page on the hub."""
        return f"{network.hub_address()}/{'datasets/' if self.kind == 'dataset' else ''}{self.id}"

    @property
    def words(self) -> str:
        """The kind in words."""
        return "data set" if self.kind == "dataset" else "model"


class Failure(NamedTuple):
    """Why a download failed."""

    what: str
    """What happened, as a sentence."""
    remedy: str
    """What to do."""


def parse_repository(text: str, form: str, error: type[RobustEvalError]) -> Repository:
    """Return the model of the hub that a text names.

    Args:
        text: `ORG/NAME` or `ORG/NAME@REVISION`.
        form: What to write before it, such as `hf:`, for the message.
        error: Class of the error to raise.

    Raises:
        RobustEvalError: Of the class `error`, if the text has another form.
    """
    name, at, revision = text.partition("@")
    if _NAME.fullmatch(name) and bool(at) == bool(revision.strip()):
        return Repository(name, revision or None)
    in_address = re.match(r"(?:https?:/+)?[\w.-]+\.\w+(?::\d+)?/(?:models/)?([\w.-]+/[\w.-]+)", name)
    example = (
        f"Did you mean {form}{in_address[1]}?" if in_address else f"Write {form}ORG/NAME[@REVISION], as on its page."
    )
    raise error(f"{text!r} does not name a model of the hub.", example)


def missing(
    repository: Repository, files: Sequence[str], what: str, how: str, option: str = "--weights FILE"
) -> list[Missing]:
    """Return what keeps a repository from being downloaded; the cache is checked first, then the hub is asked.

    Args:
        repository: The repository.
        files: Names of files, one of which is enough if it is in the cache. The hub is asked about the first.
        what: What is needed, for the message, such as `weights of NAME`.
        how: What to do where the hub cannot be reached.
        option: Option that takes a file in place of the repository; empty if a file alone is not enough.
    """
    if repository.kind == "model" and network.cached_on_hugging_face(repository.id, tuple(files), repository.revision):
        return []
    if variable := network.offline():
        absent = f"{what}: {repository.id} is not in the cache, and {variable} is set"
        return [Missing(absent, repository.page, how, option)]
    if not network.reachable(network.hub_host()):
        return [Missing(f"{what} (the hub cannot be reached)", repository.page, how, option)]
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    try:
        url = hf_hub_url(repository.id, files[0], repo_type=repository.kind, revision=repository.revision)
        get_hf_file_metadata(url, timeout=network.TIMEOUT_SECONDS)
    except EntryNotFoundError:
        return []
    except Exception as error:
        if (failure := explain(error, repository)) is None:
            raise
        return [Missing(f"{what}: {failure.what.removesuffix('.')}", repository.page, failure.remedy, option)]
    return []


def snapshot(repository: Repository, patterns: Sequence[str], error: type[RobustEvalError]) -> Path:
    """Download files of one commit, or find them in the hub cache; return their folder, which the commit names.

    Args:
        repository: The repository.
        patterns: Names of files, with `*`; those that do not exist are left out.
        error: Class of the error to raise.

    Raises:
        RobustEvalError: Of the class `error`: they cannot be downloaded, or their checksums are not those of the hub.
    """
    from huggingface_hub import snapshot_download

    with download_errors(repository, error):
        folder = Path(
            snapshot_download(
                repository.id, repo_type=repository.kind, revision=repository.revision, allow_patterns=[*patterns]
            )
        )
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        _check_sum(file, repository, error)
    return folder


@contextmanager
def download_errors(place: Repository | str, error: type[RobustEvalError]) -> Iterator[None]:
    """Raise an error of ours for a download that fails, whichever library downloads; leave other errors alone.

    Args:
        place: The repository, or the address of a file.
        error: Class of the error to raise.
    """
    try:
        yield
    except RobustEvalError:
        raise
    except Exception as caught:
        if (failure := explain(caught, place)) is None:
            raise
        raise error(failure.what, failure.remedy) from caught


def explain(error: BaseException, place: Repository | str) -> Failure | None:
    """Return why a download failed; None for an error that has nothing to do with downloads.

    Args:
        error: What a library raised; the errors that caused it are looked at, too.
        place: The repository, or the address of a file.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for each in chain:
        if isinstance(each, LocalEntryNotFoundError | OfflineModeIsEnabled):
            continue
        found = _refusal(each, place) if isinstance(place, Repository) else None
        if (found := found or _transfer(each, place)) is not None:
            return found
    if any(isinstance(each, LocalEntryNotFoundError | OfflineModeIsEnabled) for each in chain):
        return _not_cached(place)
    return None


def _not_cached(place: Repository | str) -> Failure:
    name = place.id if isinstance(place, Repository) else place
    if variable := network.offline():
        return Failure(
            f"{name} is not completely in the cache, and {variable} is set.",
            f"Unset it, or download where there is a network: hf download {name}",
        )
    return Failure(f"{name} cannot be downloaded: {network.hub_address()} cannot be reached.", _AGAIN)


def _refusal(error: BaseException, repository: Repository) -> Failure | None:
    """What the hub answered."""
    from huggingface_hub import errors

    name, page = repository.id, repository.page
    match error:
        case errors.GatedRepoError():
            return Failure(
                f"{name} is gated: its authors give access to those who accept their terms.",
                f"Accept them at {page}, then {LOG_IN}.",
            )
        case errors.RepositoryNotFoundError():
            return _unknown(repository)
        case errors.RevisionNotFoundError():
            return Failure(
                f"{name} does not have a revision {repository.revision!r}.",
                f"Its branches and tags are listed at {page}/tree/main; without a revision the main branch is taken.",
            )
        case errors.DisabledRepoError():
            return Failure(f"{name} was disabled by the hub.", f"Its page may say why: {page}")
        case errors.EntryNotFoundError():
            return Failure(f"{name} lacks a file that is needed: {reason(error)}.", f"Look at {page}/tree/main.")
        case errors.HFValidationError():
            return Failure(f"{name!r} is not the name of a repository.", "Write ORG/NAME, as its page has it.")
        case errors.FileMetadataError():
            return Failure(
                f"{network.hub_address()} does not answer as a Hugging Face hub, when asked for {name}.",
                "Check HF_ENDPOINT, and whether a proxy or a login page of the network is in between.",
            )
        case errors.HfHubHTTPError() if error.response is not None:
            code, message = error.response.status_code, error.response.headers.get("X-Error-Message")
            if code == 401 and message != "Invalid credentials in Authorization header":
                return _unknown(repository)  # the client knows this answer from https addresses only
            return _status(code, name, network.hub_address())
    return None


def _unknown(repository: Repository) -> Failure:
    return Failure(
        f"{repository.id} is not a {repository.words} of {network.hub_address()}, or it is private.",
        f"Check the name at {repository.page}. For a private one: {LOG_IN}.",
    )


def _status(code: int, name: str, host: str) -> Failure:
    match code:
        case 401:
            return Failure(f"{host} refuses the access token (status 401) for {name}.", f"Correct the token: {LOG_IN}.")
        case 403:
            return Failure(
                f"{host} forbids the download of {name} (status 403).", f"Use an account that may read it: {LOG_IN}."
            )
        case 404:
            return Failure(f"{name} does not exist on {host} (status 404).", "Check the name.")
        case 429:
            return Failure(
                f"{host} refuses {name}: too many requests (status 429).",
                f"Wait some minutes; to be allowed more, {LOG_IN}.",
            )
    return Failure(f"{host} could not answer for {name} (status {code}).", f"Wait some minutes. {_AGAIN}")


def _transfer(error: BaseException, place: Repository | str) -> Failure | None:
    """What happened to the connection, the file or the disk."""
    from urllib.error import HTTPError

    on_hub = isinstance(place, Repository)
    name = place.id if isinstance(place, Repository) else place
    host = network.hub_host() if on_hub else urlparse(name).netloc
    text, variable = str(error), "HF_HOME" if on_hub else "TORCH_HOME"
    if isinstance(error, HTTPError):
        return _status(error.code, name, host)
    if "Consistency check failed" in text:
        return Failure(f"The download of {name} ended early.", _AGAIN)
    if "invalid hash value" in text:
        return Failure(f"The download of {name} is damaged: its checksum is another one.", "Repeat the command.")
    if isinstance(error, OSError) and error.errno in FULL:
        return Failure(
            f"The disk is full: {name} cannot be stored.", f"Free some space, or name another disk: {variable}=PATH"
        )
    if isinstance(error, OSError) and error.errno in _REFUSED and error.filename:
        return Failure(
            f"{name} cannot be stored: {error.filename} cannot be written.", f"Name another folder: {variable}=PATH"
        )
    of_client = type(error).__module__.partition(".")[0] in _CLIENTS
    if of_client or isinstance(error, ConnectionError | TimeoutError) or type(error).__module__ == "urllib.error":
        return Failure(f"The download of {name} from {host} failed: {reason(error)}.", _AGAIN)
    return None


def _check_sum(file: Path, repository: Repository, error: type[RobustEvalError]) -> None:
    """Refuse a file of the hub cache whose content does not have the checksum in its name."""
    blob = file.resolve()
    if not _SUM.fullmatch(blob.name):
        return  # a file system without links has copies
    is_large = len(blob.name) == hashlib.sha256().digest_size * 2
    with blob.open("rb") as content:
        start = b"" if is_large else b"blob %d\0" % blob.stat().st_size
        digest = hashlib.file_digest(content, lambda: hashlib.new("sha256" if is_large else "sha1", start))
    if digest.hexdigest() != blob.name:
        raise error(
            f"{file.name} of {repository.id} is damaged: its checksum is not that of the hub.",
            f"Delete it and repeat the command: rm {blob}",
        )
