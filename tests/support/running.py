"""Short runs of the main job, and what they stored, for tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
import pyarrow as pa

from robustbench_eff import evaluate
from robustbench_eff.evaluation.engines.store_writer import Progress
from robustbench_eff.evaluation.evaluate import NullListener
from robustbench_eff.storage.store import Store

ATTACKS = ("fgsm(eps=8/255)", "pgd(eps=8/255, restarts=2)", "pgd(eps=1, norm=l2)")


COUNT = 96


def run(store: Path, *models, attacks=ATTACKS, limit: int = COUNT, **options):
    return evaluate(*(models or ("digits_standard",)), attacks=attacks, limit=limit, store=store, **options)


def accuracies(scores) -> list:
    """The scores that say how many are right in a cell: clean, or under one attack."""
    kinds = ("accuracy", "robust_accuracy", "robust_accuracy_8bit")
    return [score for score in scores if score.metric in kinds and score.kind != "several"]


def outcomes(store: Path) -> dict[str, pa.Table]:
    opened = Store(store)
    return {cell.perturbation: opened.outcomes(cell_id) for cell_id, cell in opened.cells().items()}


def by_cell(store: Path) -> dict[str, pa.Table]:
    opened = Store(store)
    return {cell_id: opened.outcomes(cell_id) for cell_id in opened.cells()}


FLOATS = ("confidence", "margin", "distance_linf", "distance_l2", "excess")


EXACT = ("index", "sample_id", "label", "clean_prediction", "flag")


def assert_same(left: dict[str, pa.Table], right: dict[str, pa.Table], *, exactly: bool = False) -> None:
    """Equal rows; with other batches, floats may differ a little and predictions where the margin is below 1e-4."""
    assert left.keys() == right.keys()
    for name in left:
        one, two = left[name].to_pandas(), right[name].to_pandas()
        if exactly:
            assert one.equals(two), name
            continue
        decided = np.minimum(one["margin"].abs(), two["margin"].abs()) >= 1e-4
        for column in EXACT:
            assert one[column].equals(two[column]), (name, column)
        for column in ("prediction", "correct"):
            assert (one[column][decided] == two[column][decided]).all(), (name, column)
        # Whether rounding undoes a perturbation may hang on the last bit of a pixel.
        assert (one["correct_8bit"] != two["correct_8bit"]).sum() <= 1, name
        for column in FLOATS:
            assert ((one[column] - two[column]).abs() < 1e-3).mean() > 0.97, (name, column)


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Poll a condition; the time limit is generous, since a busy machine is slow."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.05)


class Ears(NullListener):
    """Counts what is computed, and does something after the first shard of an attack."""

    def __init__(self, disturbing: Callable[[], None]) -> None:
        self.computed, self.disturbed, self._disturbing = 0, False, disturbing

    def progressed(self, progress: Progress) -> None:
        if progress.resumed:
            return
        self.computed += progress.samples
        if progress.samples and progress.cell.perturbation != "none" and not self.disturbed:
            self.disturbed = True
            self._disturbing()


class AtOnce(Executor):
    """In the place of the thread of a store: does what it is asked for before it answers, however busy the machine."""

    def __init__(self, *words: object) -> None:
        """As a pool of threads."""

    def submit(self, function, /, *arguments, **named) -> Future:
        future = Future()
        future.set_result(function(*arguments, **named))
        return future
