"""Answers of models to fixed images, by which the store tells models apart whose digests are equal.

A digest covers what can be reached from a module. Code and data that it reaches in other ways, such as an environment
variable that `forward` reads, show in its answers alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import StoreError

from .record import REPAIR_HINT, check_sealed, sealed, unsealed
from .remote_files import Files

NOISE = "noise"
"""Key of the answers to images of noise; those to images of a benchmark have a hash of these images as their key."""
SEPARATOR = "+"
"""Between a digest and the number of the model, where several have the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Logits of one model for fixed images."""

    logits: Mapping[str, npt.NDArray[np.float32]]
    """Logits by what the images are; float32 (n, classes)."""
    tolerance: float
    """Largest difference that floating point explains, as a fraction of the standard deviation of the logits."""

    def agrees(self, stored: Mapping[str, Any]) -> bool:
        """Return whether all answers to the same images are the same up to rounding.

        Args:
            stored: Answers of a variant in the store, lists of lists by the same keys.
        """
        return all(self._agree(key, np.asarray(stored[key])) for key in self.logits if key in stored)

    def _agree(self, key: str, before: npt.NDArray[Any]) -> bool:
        both = min(len(before), len(self.logits[key]))
        now, before = self.logits[key][:both], before[:both]
        if before.shape != now.shape:
            return False
        allowed = self.tolerance * max(float(now.std()), float(before.std())) + 1e-30
        return bool(np.abs(now - before).max(initial=0) <= allowed)


def variant(files: Files, digest: str, preprocessing: str, answers: Answers, oldest: int) -> int:
    """Return which of the models with this digest the answers belong to, and store answers that are new.

    Args:
        files: Files of the store, locked for writing.
        digest: Digest of the model.
        preprocessing: How images are resized, cropped and normalized for it.
        answers: Its answers now.
        oldest: Format of the oldest files that the store may hold.

    Returns:
        0 for the model that had this digest first, 1 for the second one, and so on.

    Raises:
        StoreError: The stored answers are damaged.
    """
    name = f"models/{key_of(digest, preprocessing)}.json"
    try:
        lost, variants = read_answers(files, name, files.read(name), oldest)
    except FileNotFoundError:
        lost, variants = 0, []
    index = next((index for index, stored in enumerate(variants) if answers.agrees(stored)), len(variants))
    known = variants[index] if index < len(variants) else {}
    added = {key: values.tolist() for key, values in answers.logits.items() if key not in known}
    if added:
        variants[index : index + 1] = [known | added]
        model = {"digest": digest, "preprocessing": preprocessing}
        files.write(name, sealed(model | {"lost": lost, "answers": variants}, indent=None))
    return lost + index


def key_of(digest: str, preprocessing: str) -> str:
    """Return the name, without folder and ending, of the file with the answers of a model.

    Args:
        digest: Digest of the model.
        preprocessing: How images are resized, cropped and normalized for it.
    """
    return hashlib.blake2b(f"{digest} {preprocessing}".encode(), digest_size=10).hexdigest()


def read_answers(files: Files, name: str, content: bytes, oldest: int) -> tuple[int, list[dict[str, Any]]]:
    """Return the answers of the models with one digest.

    Args:
        files: Files of the store.
        name: Name of the file.
        content: Its content.
        oldest: Format of the oldest files that the store may hold.

    Returns:
        How many models with this digest had answers that were lost, and the answers of the others, one after the other.

    Raises:
        StoreError: They are damaged, or those of other models.
    """
    path = files.path(name)
    record, is_sealed = unsealed(content, path)
    check_sealed(is_sealed, path, oldest)
    lost: Any = record.get("lost", 0)
    variants: Any = record.get("answers")
    is_whole = type(lost) is int and isinstance(variants, list) and all(map(_are_logits, variants))
    if not is_whole or PurePosixPath(name).stem != key_of(str(record.get("digest")), str(record.get("preprocessing"))):
        raise StoreError(f"{path} does not hold the answers of the model that its name says.", REPAIR_HINT)
    return lost, variants


def _are_logits(answers: Any) -> bool:
    """Whether these are lists of as many numbers for every image, by what the images are."""
    if not isinstance(answers, dict):
        return False
    try:
        return all(np.asarray(logits, np.float64).ndim == 2 for logits in answers.values())
    except (TypeError, ValueError):
        return False
