"""One file over HTTP into one file on disk: continued where it stopped, tried again, and refused in one sentence.

`requests` speaks HTTP: proxies, certificates, redirects and passwords in ~/.netrc are its part.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from robustbench_eff.core import progress
from robustbench_eff.core.disk import OTHER_CACHE, free_bytes
from robustbench_eff.core.errors import DownloadError, reason
from robustbench_eff.core.file_kinds import placeholder_in

from .addresses import Address, check_protected
from .network import LOG_IN, hub_login, is_on_hub

if TYPE_CHECKING:
    import requests

TRIES = 3
"""Number of times that a server is asked."""
TIMEOUT_SECONDS = (10.0, 60.0)
"""Longest wait for a connection, and for the next bytes."""
PAUSE_SECONDS = 1.0
"""Wait before the second try; it doubles before each further one."""
LONGEST_PAUSE_SECONDS = 60.0
"""Longest wait that a server may ask for."""
MAX_REDIRECTS = 10
CHUNK_BYTES = 2**20


class Unreachable(DownloadError):
    """No server answered, or one that cannot at the moment."""

    pause_seconds: float | None = None
    """How long the server asks to wait; None where it does not say."""


def transfer(address: Address, url: str, part: Path, known_version: str) -> str | None:
    """Download a file, and return what the server calls its version; None where that is the known one.

    Args:
        address: What the user wants, for messages.
        url: Where it is read.
        part: File to write, which may hold the beginning of an earlier try.
        known_version: Version that is not downloaded again; empty to download any.

    Raises:
        Unreachable: No server answered, or one that cannot at the moment.
        DownloadError: The server refuses the file, or sends something else.
        UsageError: The server sends it unencrypted, and no hash is stated.
        OSError: The file cannot be written.
    """
    for left in reversed(range(TRIES)):
        try:
            return _try(address, url, part, known_version)
        except Unreachable as error:
            pause = PAUSE_SECONDS * 2 ** (TRIES - 1 - left) if error.pause_seconds is None else error.pause_seconds
            if not left or pause > LONGEST_PAUSE_SECONDS:
                raise
            time.sleep(pause)
    raise AssertionError


def _try(address: Address, url: str, part: Path, known_version: str) -> str | None:
    import requests

    started = _version_of(part)
    headers = {"Accept-Encoding": "identity", "User-Agent": "robustbench-eff", **hub_login(url)}
    if known_version:
        is_tag = known_version.startswith(('"', "W/"))
        headers["If-None-Match" if is_tag else "If-Modified-Since"] = known_version
    elif started and part.exists():
        headers |= {"Range": f"bytes={part.stat().st_size}-", "If-Range": started}
    with requests.Session() as session:
        session.max_redirects = MAX_REDIRECTS
        session.hooks["response"].append(partial(_check_redirect, address))
        try:
            with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
                if answer.status_code == 304 and known_version:
                    return None
                _check_status(address, answer, part)
                return _receive(address, answer, part)
        except requests.RequestException as error:
            raise _explained(address, url, error, part) from error


def _check_redirect(address: Address, answer: requests.Response, **_: object) -> None:
    """Refuse to follow a server to where the file is sent unencrypted."""
    if answer.is_redirect:
        check_protected(address, urljoin(answer.url, answer.headers["location"]))


def _receive(address: Address, answer: requests.Response, part: Path) -> str:
    """Write the body behind what is there already, or in its place."""
    version = answer.headers.get("ETag") or answer.headers.get("Last-Modified", "")
    done = part.stat().st_size if answer.status_code == 206 and part.exists() else 0
    length = answer.headers.get("Content-Length", "")
    total = done + (int(length) if length.isdigit() else 0)
    if total - done > (free := free_bytes(part.parent)):
        raise DownloadError(
            f"{address} has {total / 2**20:,.0f} MiB, and the disk of {part.parent} only {free / 2**20:,.0f} MiB free.",
            f"Free some space, or: {OTHER_CACHE}",
        )
    # Only an exact version of unencoded bytes can be continued.
    is_exact = not version.startswith("W/") and answer.headers.get("Content-Encoding", "identity") == "identity"
    _version_path(part).write_text(version if is_exact else "")
    with part.open("ab" if done else "wb") as file:
        for chunk in answer.iter_content(CHUNK_BYTES):
            if not done:
                _check_beginning(address, answer, chunk)
            file.write(chunk)
            done += len(chunk)
            progress.report(f"downloading {address.name}", done, max(total, done))
    if not done:
        _check_beginning(address, answer, b"")
    _version_path(part).unlink()
    return version


def _check_beginning(address: Address, answer: requests.Response, chunk: bytes) -> None:
    """Refuse what servers send in place of a file: a page that asks for a login, a pointer, nothing."""
    placeholder = placeholder_in(chunk)
    is_page = answer.headers.get("Content-Type", "").startswith("text/html")
    if placeholder is None and not is_page:
        return
    if is_page or (placeholder is not None and "page" in placeholder.what):
        title = re.search(rb"<title[^>]*>\s*([^<]{1,80})", chunk[:CHUNK_BYTES], re.IGNORECASE)
        named = f" ({' '.join(title[1].decode(errors='replace').split())!r})" if title else ""
        raise DownloadError(f"{address} is a web page{named}, not a {address.what}.", instead(address))
    assert placeholder is not None
    raise DownloadError(f"{address} {placeholder.what}.", instead(address))


def by_hand(address: Address) -> str:
    """Return how to do without this download.

    Args:
        address: The address that a user gave.
    """
    return f"Download it with a browser, and pass the file: {address.option}."


def instead(address: Address) -> str:
    """Return what to do about an address whose file is behind a page.

    Args:
        address: The address that a user gave.
    """
    host, url = address.host, str(address)
    if host.endswith(("google.com", "sharepoint.com", "live.com", "1drv.ms", "mega.nz", "baidu.com")):
        return f"This site asks for a click or a login, which no program can give. {by_hand(address)}"
    if host.endswith("dropbox.com"):
        return f"Use its direct form: {re.sub(r'[?&]dl=0', '', url)}{'&' if '?rlkey' in url else '?'}dl=1"
    if host in ("github.com", "huggingface.co", "gitlab.com") and "/blob/" in url:
        return f"Use its direct form: {url.replace('/blob/', '/resolve/' if 'huggingface' in host else '/raw/')}"
    if host == "raw.githubusercontent.com":
        return f"Use the address of the file itself: {url.replace(host, 'media.githubusercontent.com/media')}"
    return f"Use the address of the file itself, where there is one. Else: {by_hand(address)}"


def _check_status(address: Address, answer: requests.Response, part: Path) -> None:
    code = answer.status_code
    starts = f"bytes {part.stat().st_size}-" if part.exists() else ""
    if code == 200 or (code == 206 and starts and answer.headers.get("Content-Range", "").startswith(starts)):
        return
    if code in (206, 416):  # another part than asked for: begin anew
        part.unlink(missing_ok=True)
        raise Unreachable(f"{address.host} sends another part of the file than it was asked for.", by_hand(address))
    said = f"{address} cannot be downloaded: {answer.url.split('/')[2].rpartition('@')[2]} answers {code}"
    if code in _REFUSALS:
        what, remedy = _REFUSALS[code]
        if code in (401, 403) and is_on_hub(answer.url):
            remedy = f"Accept the terms of the model on its page where it has any, then {LOG_IN}."
        raise DownloadError(f"{said}, {what}.", remedy.format(by_hand=by_hand(address)))
    if code == 429 or code >= 500:
        raise _later(address, said, code, answer.headers)
    raise DownloadError(f"{said} ({answer.reason}).", by_hand(address))


_REFUSALS: Mapping[int, tuple[str, str]] = {
    401: ("it wants a login", "Put name and password of the host into ~/.netrc. Or: {by_hand}"),
    403: ("it forbids the download", "A link may have expired, or be for members only. {by_hand}"),
    404: ("there is no such file", "Check the address; a private file is hidden in this way, too."),
    407: (
        "the proxy wants a login",
        "Put it into the environment variable HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT.",
    ),
    410: ("the file was removed", "Ask its authors for another address."),
}
"""What refusals mean, and what to do."""


def _later(address: Address, said: str, code: int, headers: Mapping[str, str]) -> Unreachable:
    asked = headers.get("Retry-After", "")
    what = "too many requests" if code == 429 else "the server has failed"
    wait = f"Repeat the command in {asked} seconds." if asked.isdigit() else "Repeat the command later."
    error = Unreachable(f"{said}, {what}.", f"{wait} Or: {by_hand(address)}")
    error.pause_seconds = float(asked) if asked.isdigit() else None
    return error


def _explained(address: Address, url: str, error: Exception, part: Path) -> DownloadError:
    """The error of `requests` as a sentence."""
    import requests
    from urllib3.exceptions import NameResolutionError, ReadTimeoutError

    host = Address(url).host
    inner = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, requests.TooManyRedirects):
        return DownloadError(f"{address} is redirected more than {MAX_REDIRECTS} times, in a circle.", by_hand(address))
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return DownloadError(f"{address} is redirected to what is no web address: {reason(error)}.", by_hand(address))
    if isinstance(error, requests.exceptions.ProxyError):
        return Unreachable(f"The proxy of {host} cannot be used: {reason(inner or error)}.", "Check HTTPS_PROXY.")
    if isinstance(error, requests.exceptions.SSLError):
        return DownloadError(
            f"{host} cannot prove that it is {host}: {reason(inner or error)}.",
            "Check the clock; name the certificates of your company's proxy in REQUESTS_CA_BUNDLE. "
            f"Or: {by_hand(address)}",
        )
    if isinstance(inner, NameResolutionError):
        return Unreachable(f"The name {host} is not known.", "Check the address, and that this machine has a network.")
    if isinstance(error, requests.Timeout) or isinstance(inner, ReadTimeoutError) or "timed out" in str(error):
        return Unreachable(f"{host} does not answer.", "Check the network, and repeat the command: it continues.")
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        came = part.stat().st_size if part.exists() else 0
        return Unreachable(
            f"{host} ended the download of {address} too early, after {came:,} bytes.",
            f"Repeat the command: it continues there, if the server can. Or: {by_hand(address)}",
        )
    return Unreachable(f"{host} cannot be reached: {reason(inner or error)}.", "Check the network and the address.")


def _version_path(part: Path) -> Path:
    return part.with_suffix(".version")


def _version_of(part: Path) -> str:
    """What the server called the version that has begun; empty where it cannot be continued."""
    path = _version_path(part)
    return path.read_text() if path.is_file() else ""
