"""Address of a file on the web, with the hash that its content must have: `https://HOST/FILE#sha256=HEX`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from robustbench_eff.core.errors import UsageError

HASH = re.compile(r"sha256[=:-]([0-9a-fA-F]{8,64})")
HUB = re.compile(r"hf://([\w.-]+/[\w.-]+?)(?:@([^@/]+))?/([^@]+?)(?:@([^@]+))?")
HUB_ADDRESS = "https://huggingface.co"
DIGITS = 64
"""Number of digits of a whole hash; fewer tell a damaged file, but not one that somebody made to fit."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that are this machine: what they send has passed no network."""
SEVERAL_FILES = (".index", ".index.json")
"""Ends of the names of files that list others."""
_SECRET = re.compile(r"sig|token|secret|password|credential|key|expires|policy|auth|amz-", re.IGNORECASE)
_FORM = "Write https://HOST/FILE, or https://HOST/FILE#sha256=HEX."


@dataclass(frozen=True, slots=True)
class Address:
    """A file on the web."""

    url: str
    """Address without the part after `#`."""
    sha256: str = ""
    """Hash that the content must have, 64 hexadecimal digits or the first 8 or more; empty for any content."""
    what: str = "file of weights"
    """What the file is, for messages."""
    option: str = "--weights FILE"
    """How a user passes the file instead of its address."""

    def __str__(self) -> str:
        """Return the address for messages and records: without passwords, tokens and signatures."""
        parts = urlsplit(self.url)
        query = [(key, "***" if _SECRET.search(key) else value) for key, value in parse_qsl(parts.query, True)]
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query=urlencode(query, safe="*/:")).geturl()

    @property
    def recorded(self) -> str:
        """Return the address and the hash, as records have them."""
        return f"{self}#sha256={self.sha256}" if self.sha256 else str(self)

    @property
    def host(self) -> str:
        """Return the name of the host."""
        return urlsplit(self.url).hostname or ""

    @property
    def name(self) -> str:
        """Return the name of the file, of letters, digits and `.-_` only."""
        last = unquote(urlsplit(self.url).path.rstrip("/").rpartition("/")[2])
        return re.sub(r"[^\w.-]", "_", last).lstrip(".")[-100:] or "weights"

    def pinned(self, sha256: str) -> Address:
        """Return the same address with the hash that its content must have.

        Args:
            sha256: 64 hexadecimal digits.
        """
        return replace(self, sha256=sha256)


def is_address(text: str) -> bool:
    """Return whether a text is meant as an address and not as a path.

    Args:
        text: What a user wrote for a file.
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text) is not None


def parse(text: str) -> Address:
    """Return the address that a text states.

    Args:
        text: `https://HOST/FILE`, `hf://ORG/NAME/FILE@REVISION`, or with a hash `http://HOST/FILE#sha256=HEX`.

    Raises:
        UsageError: It is no such address, its hash is not valid, or nothing protects the content on its way.
    """
    place, _, fragment = text.strip().partition("#")
    if re.match(r"https?:/[^/]", place):  # as pathlib shortens it
        place = place.replace(":/", "://", 1)
    if place.startswith("hf://"):
        place = _on_the_hub(place)
    try:
        parts = urlsplit(place)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{place} is not an address: {error}.", _FORM) from error
    address = Address(place, _hash(fragment, place))
    if parts.scheme not in ("http", "https") or not host or not parts.path.strip("/"):
        raise UsageError(f"{address} is not the address of a file that can be downloaded.", _FORM)
    if parts.scheme == "http":
        check_protected(address, place)
    if parts.path.endswith(SEVERAL_FILES):
        raise UsageError(
            f"{address} only lists the files of the weights, or is one of several.",
            "Download all of them into one folder, and pass this one in it with --weights FILE.",
        )
    return address


def check_protected(address: Address, url: str) -> None:
    """Raise an error if a content that anybody on the way could replace would be trusted.

    Args:
        address: What the user wants.
        url: Where it is read: the address itself, or one that a server or a mirror names in its place.

    Raises:
        UsageError: It is read over http from another machine, and no hash is stated.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or len(address.sha256) == DIGITS or parts.hostname in LOOPBACK:
        return
    raise UsageError(
        f"{Address(url)} is sent unencrypted, so anybody on the way could replace the file.",
        f"Use https, or state the hash of the right file: {address}#sha256=HEX, where `sha256sum FILE` prints HEX.",
    )


def _on_the_hub(text: str) -> str:
    matched = HUB.fullmatch(text)
    if matched is None:
        raise UsageError(
            f"{text} does not name a file on the Hugging Face hub.",
            "Write hf://ORG/NAME/FILE or hf://ORG/NAME/FILE@REVISION.",
        )
    repository, early, file, late = matched.groups()
    return f"{HUB_ADDRESS}/{repository}/resolve/{late or early or 'main'}/{file}"


def _hash(fragment: str, place: str) -> str:
    if not fragment:
        return ""
    matched = HASH.fullmatch(fragment)
    if matched is None:
        raise UsageError(
            f"#{fragment} is not the hash of a file.",
            f"Write {Address(place)}#sha256=HEX with the 64 digits that `sha256sum FILE` prints.",
        )
    return matched[1].lower()
