"""Stand-in until merged."""

from collections.abc import Iterable


def code_digest(kinds: Iterable[type]) -> str:
    return ""
