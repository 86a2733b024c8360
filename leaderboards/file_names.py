"""Names of files for models, whatever the models are called."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from .entry import plain_name

LONGEST = 100
_HASHED = re.compile(r".*-[0-9a-f]{12}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
"""Names that Windows gives to devices, whatever their ending."""


def file_names(models: Sequence[str]) -> dict[str, str]:
    """Of every model a name that no other has, in either case; never a path.

    Names that would fall together, are too long for a file system or reserved, or look like a name that was made so,
    end in a part of the hash of the model's name.
    """
    taken = Counter(plain_name(model).lower() for model in set(models))
    return {model: _name(model, alone=taken[plain_name(model).lower()] == 1) for model in models}


def _name(model: str, *, alone: bool) -> str:
    plain = plain_name(model)
    odd = _HASHED.fullmatch(plain.lower()) or _RESERVED.fullmatch(plain.lower())
    if alone and not odd and len(plain) <= LONGEST:
        return plain
    plain = plain.replace(".", "_")  # what stands before a dot is all that is looked at for a device
    return f"{plain[:LONGEST]}-{hashlib.sha256(model.encode()).hexdigest()[:12]}"
