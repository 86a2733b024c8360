"""Names of files for models, whatever the models are called."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from .entry import plain_name

LONGEST = 100


def file_names(models: Sequence[str]) -> dict[str, str]:
    """Of every model a name that no other has, in either case; never a path.

    Names that would fall together, or are too long for a file system, end in a part of the hash of the model's name.
    """
    taken = Counter(plain_name(model).lower() for model in set(models))
    return {model: _name(model, alone=taken[plain_name(model).lower()] == 1) for model in models}


def _name(model: str, *, alone: bool) -> str:
    plain = plain_name(model)
    if alone and len(plain) <= LONGEST:
        return plain
    return f"{plain[:LONGEST]}-{hashlib.sha256(model.encode()).hexdigest()[:12]}"
