"""Answers of models to fixed images, by which the store tells models apart whose digests are equal.

A digest covers what can be reached from a module. Code and data that it reaches in other ways, such as an environment
variable that `forward` reads, show in its answers alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .remote_files import Files

NOISE = "noise"
"""Key of the answers to images of noise; those to images of a benchmark have a hash of these images as their key."""


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


def variant(files: Files, digest: str, preprocessing: str, answers: Answers) -> int:
    """Return which of the models with this digest the answers belong to, and store answers that are new.

    Args:
        files: Files of the store, locked for writing.
        digest: Digest of the model.
        preprocessing: How images are resized, cropped and normalized for it.
        answers: Its answers now.

    Returns:
        0 for the model that had this digest first, 1 for the second one, and so on.
    """
    key = hashlib.blake2b(f"{digest} {preprocessing}".encode(), digest_size=10).hexdigest()
    name = f"models/{key}.json"
    variants: list[dict[str, Any]] = json.loads(files.read(name))["answers"] if files.exists(name) else []
    index = next((index for index, stored in enumerate(variants) if answers.agrees(stored)), len(variants))
    known = variants[index] if index < len(variants) else {}
    added = {key: values.tolist() for key, values in answers.logits.items() if key not in known}
    if added:
        variants[index : index + 1] = [known | added]
        files.write(name, json.dumps({"digest": digest, "preprocessing": preprocessing, "answers": variants}).encode())
    return index
