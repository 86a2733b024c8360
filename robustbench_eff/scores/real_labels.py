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

import numpy as np

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.statistics import proportion_interval

from .build_score import score_of
from .cell_groups import CellOutcomes
from .score import Score
from .score_function import CellScores

BENCHMARK = "imagenet-real"
IMAGES = 50_000
OFFICIAL_NAME = re.compile(r"ILSVRC2012_val_(\d{8})")


@cache
def real_labels() -> tuple[frozenset[int], ...]:
    """Return the correct classes of each of the 50,000 validation images, in the order of the numbers in their names.

    Raises:
        DataError: timm, which carries the labels, is not installed.
    """
    package = find_spec("timm")  # timm itself is not imported: that takes seconds
    if package is None or package.origin is None:
        raise DataError("timm is not installed, so the ReaL labels are not here.", "pip install timm")
    path = Path(package.origin).parent / "data" / "_info" / "imagenet_real_labels.json"
    return tuple(frozenset(labels) for labels in json.loads(path.read_text()))


def real_scores(item: CellOutcomes) -> list[Score]:
    """Return the accuracy on clean ImageNet by the ReaL labels; images without a label are left out, as by the authors.

    Needs the official names of the images. There is no score if no image has one; if all 50,000 lack them, the score
    has no value and a flag says why. Another set of images that is labelled as ImageNet has no ReaL labels.

    Args:
        item: A clean cell with its outcomes.
    """
    if item.cell.benchmark != "imagenet":
        return []
    numbers = [OFFICIAL_NAME.search(name) for name in item.outcomes["sample_id"].to_pylist()]
    if not any(numbers):
        if len(item) < IMAGES:
            return []
        return [_score(item, [], ("the images have other names than ILSVRC2012_val_…",))]
    flags = () if all(numbers) else (f"{numbers.count(None)} images have other names than ILSVRC2012_val_…",)
    labels, predictions = real_labels(), item.column("prediction")
    judged = [(labels[int(match[1]) - 1], guess) for match, guess in zip(numbers, predictions, strict=True) if match]
    return [_score(item, [int(guess) in right for right, guess in judged if right], flags)]


def _score(item: CellOutcomes, correct: Sequence[bool], flags: tuple[str, ...]) -> Score:
    n = len(correct)
    value, interval = (float(np.mean(correct)), proportion_interval(sum(correct), n)) if n else (None, (None, None))
    score = score_of(item, "accuracy", value, interval, n=n)
    protocol = replace(score.protocol, labels="ReaL labels, images without one left out")
    return replace(score, benchmark=BENCHMARK, protocol=protocol, flags=score.flags + flags)


REAL_LABELS = CellScores(compute=real_scores, kinds=("clean",), columns=("sample_id", "prediction"))
