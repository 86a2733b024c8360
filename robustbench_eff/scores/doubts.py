"""Which numbers a suspicion of gradient masking puts in doubt: not only those that were compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from robustbench_eff.storage.stored_cell import StoredCell

from .cell_groups import CellOutcomes

ZERO_GRADIENT_FRACTION = 0.5
"""A sample with at least this fraction of zero gradients was not attacked."""


def follows_gradients(cell: StoredCell) -> bool:
    """Return whether an attack follows the model's own gradients for many steps, which masking hinders.

    Args:
        cell: Cell of an attack.
    """
    return cell.uses == "gradients" and cell.attack != "transfer"


def is_black_box(cell: StoredCell) -> bool:
    """Return whether an attack does not use gradients of the model, so that masking does not hinder it.

    Args:
        cell: Cell of an attack.
    """
    return cell.uses in ("logits", "decisions") or cell.attack == "transfer"


def stalled(item: CellOutcomes) -> npt.NDArray[np.bool_]:
    """Return which samples an attack could still have broken and met with mostly zero gradients, bool, shape (n,).

    Args:
        item: Cell of an attack with its outcomes.
    """
    backwards, zeros = item.column("num_backwards"), item.column("zero_gradients")
    found: npt.NDArray[np.bool_] = _unbroken(item) & (backwards > 0) & (zeros >= ZERO_GRADIENT_FRACTION * backwards)
    return found


def by_zero_gradients(compared: Sequence[CellOutcomes], attacked: Sequence[CellOutcomes]) -> list[CellOutcomes]:
    """Return the attacks that met zero gradients themselves, or whose gradients on unbroken samples were not counted.

    Args:
        compared: Cells on which the suspicion rests.
        attacked: All attacks on the same model and benchmark.
    """
    del compared
    own = [item for item in attacked if not is_black_box(item.cell)]
    return [item for item in own if (stalled(item) | (_unbroken(item) & (item.column("num_backwards") < 0))).any()]


def in_the_same_norm(compared: Sequence[CellOutcomes], attacked: Sequence[CellOutcomes]) -> list[CellOutcomes]:
    """Return the attacks with gradients in the norms of those that were compared, unless they broke every sample.

    Args:
        compared: Cells on which the suspicion rests.
        attacked: All attacks on the same model and benchmark.
    """
    norms = {item.cell.norm for item in compared}
    return [
        item for item in attacked if item.cell.norm in norms and not is_black_box(item.cell) and _unbroken(item).any()
    ]


def in_the_same_ball(compared: Sequence[CellOutcomes], attacked: Sequence[CellOutcomes]) -> list[CellOutcomes]:
    """Return the attacks with gradients in the balls of those that were compared, unless they broke every sample.

    Args:
        compared: Cells on which the suspicion rests.
        attacked: All attacks on the same model and benchmark.
    """
    balls = {(item.cell.norm, item.cell.eps) for item in compared}
    return [item for item in in_the_same_norm(compared, attacked) if (item.cell.norm, item.cell.eps) in balls]


def everything(compared: Sequence[CellOutcomes], attacked: Sequence[CellOutcomes]) -> list[CellOutcomes]:
    """Return all attacks, and the cells that were compared.

    Args:
        compared: Cells on which the suspicion rests.
        attacked: All attacks on the same model and benchmark.
    """
    return [*compared, *attacked]


DOUBTED: Mapping[str, Callable[[Sequence[CellOutcomes], Sequence[CellOutcomes]], list[CellOutcomes]]] = {
    "zero_gradients": by_zero_gradients,
    "large_epsilon": in_the_same_norm,
    "more_steps": in_the_same_ball,
    "black_box": in_the_same_norm,
    "random_outputs": everything,
}
"""The cells that a check puts in doubt, by its name, given those it compared and all attacks on the model."""


def _unbroken(item: CellOutcomes) -> npt.NDArray[np.bool_]:
    """Return the samples whose outcome a stronger attack could change, bool, shape (n,).

    Of a search for the closest image these are all that are correct when clean: a closer image may exist.
    """
    if not item.cell.is_minimum_norm:
        return item.correct
    unbroken: npt.NDArray[np.bool_] = item.column("clean_prediction") == item.column("label")
    return unbroken
