"""Data as scripts that give them to a page: pages that are opened from a disk may not fetch a file."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple


class Piece(NamedTuple):
    """A script in data/, and what a page asks for to have it."""

    name: str
    """Ends in a hash of what it says: a page never takes what another writing of the site has left, or a cache."""
    script: str

    @property
    def file(self) -> tuple[str, bytes]:
        """Its name in the folder, and its bytes."""
        return f"data/{self.name}.js", self.script.encode()


def piece(kind: str, said: Any) -> Piece:
    """The piece that says it."""
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    name = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return Piece(name, f"take({json.dumps(name)},{text});\n")
