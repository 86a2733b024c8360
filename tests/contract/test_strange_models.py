"""Every kind of module that people bring ends in a right number, in a flag on the row, or in one sentence."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from plain_digits import images_and_labels, predictions, robust_under_pgd
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.core.flags import AT_CHANCE
from robustbench_eff.evaluation.result import Result
from robustbench_eff.storage.store import Store
from strange_models import STRANGE_MODELS, Checkers, Flagged, Refused, Right, Strange


@cache
def samples(images: str) -> tuple[Tensor, Tensor]:
    """The images and labels of a row, of the independent loop."""
    pixels, labels = images_and_labels()
    if images == "narrow":
        return pixels[..., 4:-4].contiguous(), labels
    return pixels, labels % 2 if images == "parity" else labels


def run(row: Strange, folder: Path) -> Result:
    """Evaluate the module of a row; its images are the bundled ones, or a file of the user's own."""
    data = {}
    if row.images != "digits":
        pixels, labels = samples(row.images)
        images = (pixels * 255).round().byte().permute(0, 2, 3, 1).numpy()
        np.savez(folder / "images.npz", x=images, y=labels.numpy())
        data = {row.images: str(folder / "images.npz")}
    with torch.enable_grad():  # and whatever the module does to it is undone
        model = load_classifier(row.build(), device="cpu", **row.options)
        return evaluate(
            model,
            benchmarks=[row.images],
            data=data,
            attacks=[row.attack],
            limit=64,
            device="cpu",
            adapt=row.adapt,
            store=folder / "store",
        )


def expected(row: Strange, end: Right) -> tuple[Tensor, Tensor]:
    """Clean predictions, and which samples the attack leaves right, of the independent loop."""
    module, (images, labels) = row.build(), samples(row.images)

    def forward(images: Tensor) -> Tensor:
        return end.run(module, images)

    clean = predictions(forward, images.clone())
    if isinstance(row.attack, Checkers):
        attacked = row.attack(None, images, labels)
        return clean, (clean == labels) & (predictions(forward, attacked) == labels)
    return clean, robust_under_pgd(forward, images, labels)


def check_numbers(row: Strange, end: Right, result: Result) -> None:
    clean, robust = expected(row, end)
    store = Store(result.store)
    cells = {cell.kind: store.outcomes(cell_id) for cell_id, cell in store.cells().items()}
    assert cells["none"]["prediction"].to_pylist() == clean.tolist()
    survived = np.array(cells["attack"]["correct"].to_pylist())
    assert (survived != robust.numpy()).sum() <= end.differing, (survived.sum(), robust.sum())
    rows = [score for score in result.scores if score.metric in ("accuracy", "robust_accuracy")]
    for score in rows:
        flags = [flag for flag in score.flags if not flag.startswith(AT_CHANCE)]  # some know the digits no better
        assert len(flags) == bool(end.flag), score.flags
        assert end.flag in "".join(flags)
    labels = samples(row.images)[1]
    assert [score.value for score in rows] == [(clean == labels).float().mean(), survived.mean()]


def outcome(row: Strange, folder: Path) -> Result | RobustEvalError:
    """The result of a row, or the error in its place: that of the run, or that of its attack."""
    try:
        result = run(row, folder)
    except RobustEvalError as error:
        return error
    return result.failed[0].error if result.failed else result


def check_refusal(error: RobustEvalError, text: str) -> None:
    """One line without a traceback, in the words that are expected."""
    assert re.search(text, error.message), error.message
    assert "Traceback" not in str(error)
    assert len(error.message.splitlines()) == 1, error.message


SLOW = {
    "every second call",
    "noise of NumPy",
    "noise of NumPy's global state",
    "noise of its own generator",
    "noise on the weights",
    "random member",
    "random resizing and padding",
}
"""Networks that draw: each is asked many times for every sample."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in STRANGE_MODELS]
)
def test_a_strange_model_ends_as_it_must(name: str, tmp_path: Path) -> None:
    row = STRANGE_MODELS[name]
    ended = outcome(row, tmp_path)
    if isinstance(ended, RobustEvalError):
        text = row.end.text if isinstance(row.end, Refused) else row.end.or_refused
        assert text, f"refused: {ended}"
        check_refusal(ended, text)
    elif isinstance(row.end, Right):
        check_numbers(row, row.end, ended)
    else:
        assert isinstance(row.end, Flagged), f"not refused: {[(score.metric, score.value) for score in ended.scores]}"
        rows = [score for score in ended.scores if score.kind == "attack"]
        assert rows
        for score in rows:
            assert any(re.search(row.end.text, flag) for flag in score.flags), (score.metric, score.flags)


def test_every_end_occurs_often_and_the_battery_is_large() -> None:
    ends = [type(row.end) for row in STRANGE_MODELS.values()]
    assert min(ends.count(kind) for kind in (Right, Flagged, Refused)) >= 10
    assert len(ends) >= 40


@pytest.mark.parametrize("name", ["rounding", "killed gradients", "signs"])
def test_the_comparison_with_the_independent_loop_can_fail(name: str, tmp_path: Path) -> None:
    """Gradients that mislead give another number than those of the plain network."""
    straight = STRANGE_MODELS["straight-through rounding"]
    result = run(straight, tmp_path)
    with pytest.raises(AssertionError):
        check_numbers(STRANGE_MODELS[name], Right(), result)
