"""Data as scripts that hand them to a page: a page opened from a disk must not fetch files."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple


class Piece(NamedTuple):
    """A script in data/, and the name by which pages request it."""

    name: str
    """Ends in a hash of the content, so that a page never reads the data of another version of the site."""
    script: str

    @property
    def file(self) -> tuple[str, bytes]:
        """Its name in the site's folder, and its bytes."""
        return f"data/{self.name}.js", self.script.encode()


def piece(kind: str, content: Any) -> Piece:
    """Return a script that hands the content to a page.

    Args:
        kind: Start of the name.
        content: Anything that JSON can express, without NaN or infinity.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    name = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return Piece(name, f"take({json.dumps(name)},{text});\n")
