"""ReaL accuracy: ImageNet's validation images with labels that were assessed anew, several where several are right.

Source: Beyer et al. 2020, arXiv:2006.07159; labels of google-research/reassessed-imagenet as timm carries them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.statistics import wilson
from robustbench_eff.storage.outcomes import as_numpy

from .build_score import score_of
from .score import Score

BENCHMARK = "imagenet-real"
IMAGES = 50_000
OFFICIAL_NAME = re.compile(r"ILSVRC2012_val_(\d{8})")


@cache
def real_labels() -> tuple[frozenset[int], ...]:
    """The classes that are right for each of the 50,000 validation images, by the number in its name."""
    package = find_spec("timm")  # timm itself is not imported: that takes seconds
    if package is None or package.origin is None:
        raise DataError("timm is not installed, so the ReaL labels are not here.", "pip install timm")
    path = Path(package.origin).parent / "data" / "_info" / "imagenet_real_labels.json"
    return tuple(frozenset(labels) for labels in json.loads(path.read_text()))


def real_scores(cell: dict[str, Any], outcomes: pa.Table, cell_id: str = "") -> list[Score]:
    """Accuracy on clean ImageNet by the ReaL labels; images that have none are left out, as the authors do.

    Needs the official names of the images. Where none has one there is no score, and where all 50,000 lack them it is
    said; a set of other images labelled as ImageNet has no ReaL labels.
    """
    if cell["benchmark"] != "imagenet" or cell["perturbation"] != "none":
        return []
    numbers = [OFFICIAL_NAME.search(name) for name in outcomes["sample_id"].to_pylist()]
    if not any(numbers):
        if outcomes.num_rows < IMAGES:
            return []
        return [_score(cell, outcomes, cell_id, [], ("the images have other names than ILSVRC2012_val_…",))]
    flags = () if all(numbers) else (f"{numbers.count(None)} images have other names than ILSVRC2012_val_…",)
    labels, predictions = real_labels(), as_numpy(outcomes["prediction"])
    known = [(labels[int(match[1]) - 1], guess) for match, guess in zip(numbers, predictions, strict=True) if match]
    return [_score(cell, outcomes, cell_id, [int(guess) in right for right, guess in known if right], flags)]


def _score(
    cell: dict[str, Any], outcomes: pa.Table, cell_id: str, right: Sequence[bool], flags: tuple[str, ...]
) -> Score:
    n = len(right)
    value, interval = (float(np.mean(right)), wilson(sum(right), n)) if n else (None, (None, None))
    score = score_of(cell, outcomes, cell_id, "accuracy", value, interval, n=n)
    protocol = f"{score.protocol} · ReaL labels, images without one left out"
    return replace(score, benchmark=BENCHMARK, protocol=protocol, flags=score.flags + flags)
