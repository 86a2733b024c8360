"""File names for models, whatever the models are called."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from .entry import plain_name

LONGEST = 100
"""Maximum number of characters of a name without a hash."""
_HASHED = re.compile(r".*-[0-9a-f]{12}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
"""Names that Windows gives to devices, whatever their extension."""


def file_names(models: Sequence[str]) -> dict[str, str]:
    """Return a file name for every model, unique even if case is ignored, and never a path.

    Names that would collide, are too long for a file system, are reserved, or look like a name made here end in a part
    of the hash of the model's name.

    Args:
        models: Names of models.
    """
    counts = Counter(plain_name(model).lower() for model in set(models))
    return {model: _file_name(model, is_unique=counts[plain_name(model).lower()] == 1) for model in models}


def _file_name(model: str, *, is_unique: bool) -> str:
    plain = plain_name(model)
    is_special = _HASHED.fullmatch(plain.lower()) or _RESERVED.fullmatch(plain.lower())
    if is_unique and not is_special and len(plain) <= LONGEST:
        return plain
    plain = plain.replace(".", "_")  # Windows decides by the part before the first dot whether a name is a device
    return f"{plain[:LONGEST]}-{hashlib.sha256(model.encode()).hexdigest()[:12]}"
