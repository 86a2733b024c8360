"""The accuracy of every class, on clean images and under the strongest attack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from robustbench_eff.scores.cell_groups import CellOutcomes, columns_of
from robustbench_eff.scores.class_tables import accuracies_by_class
from robustbench_eff.scores.headline import ball_of, leading
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.worst_case import unions, votes_within, worst_case
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from .content import FEW, Content, Images, images_of
from .wording import ball_text, class_text, share


class ClassNumber(NamedTuple):
    """The accuracy of one class."""

    value: str
    interval: str
    fraction: float
    low: float
    high: float
    n: int


class ClassRow(NamedTuple):
    """A class with its accuracies; None where the class was not evaluated so."""

    name: str
    clean: ClassNumber | None
    robust: ClassNumber | None


class ClassTable(NamedTuple):
    """The classes of one model, those with the lowest accuracy first."""

    model: str
    images: Images
    ball: str
    """The ball of the attacks; empty where nothing is attacked."""
    rows: list[ClassRow]

    @property
    def is_level(self) -> bool:
        """Whether all classes have the same accuracies."""
        return all(len({of.fraction for _, of in known}) <= 1 for known in (self._under_attack(), self._clean()))

    @property
    def weakest(self) -> str:
        """The classes with the lowest accuracy, with that accuracy, in words."""
        attacked, clean = self._under_attack(), self._clean()
        lines = [*([("Under attack", attacked)] if attacked else []), *([("Clean", clean)] if clean else [])]
        first = _lowest(*lines[0])
        is_told = len({of.fraction for _, of in lines[0][1]}) > 1
        return first if is_told or len(lines) == 1 else f"{first}. {_lowest(*lines[1])}"

    def _under_attack(self) -> list[tuple[str, ClassNumber]]:
        return [(row.name, row.robust) for row in self.rows if row.robust is not None]

    def _clean(self) -> list[tuple[str, ClassNumber]]:
        return [(row.name, row.clean) for row in self.rows if row.clean is not None]


def _lowest(how: str, known: list[tuple[str, ClassNumber]]) -> str:
    """Which classes have the lowest accuracy of some."""
    worst = min(known, key=lambda item: item[1].fraction)[1]
    names = [name for name, of in known if of.fraction == worst.fraction]
    if len(names) == len(known):
        return f"{how}, all classes have {worst.value} %"
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return f"{how}, lowest: {', '.join(names[:FEW])}{more} with {worst.value} %"


def class_accuracy(store: Store, content: Content) -> list[ClassTable]:
    """Return a table of classes for every model on every set of images, unless the models are many.

    Args:
        store: The store.
        content: What it holds.
    """
    if len(content.models) > FEW:
        return []
    leads = {
        (score.model, images_of(score)): score for score in leading(content.scores) if not score.protocol.smoothing
    }
    clean = {
        (score.model, images_of(score)): score
        for score in content.scores
        if score.kind == "none" and score.metric == "accuracy" and score.value is not None
    }
    tables = [
        _table(model, images, clean.get((model, images)), leads.get((model, images)), store, content)
        for model, images in dict.fromkeys([*clean, *leads])
    ]
    return [table for table in tables if len(table.rows) > 1]


def _table(
    model: str, images: Images, clean: Score | None, lead: Score | None, store: Store, content: Content
) -> ClassTable:
    ball = None if lead is None else ball_of(lead)
    without = {} if clean is None else _clean(clean, store, content)
    under = {} if lead is None else _attacked(lead, store, content)
    names = {**{key: row["name"] for key, row in under.items()}, **{key: row["name"] for key, row in without.items()}}
    rows = [
        ClassRow(class_text(key, names), _number(without.get(key)), _number(under.get(key))) for key in sorted(names)
    ]

    def lowest_first(row: ClassRow) -> tuple[float, float]:
        return tuple(1.0 if of is None else of.fraction for of in (row.robust, row.clean))  # type: ignore[return-value]

    return ClassTable(model, images, "" if ball is None else ball_text(ball), sorted(rows, key=lowest_first))


def _clean(score: Score, store: Store, content: Content) -> dict[int, Mapping[str, Any]]:
    item = _read(store, content.cells[score.cell])
    return _by_class(accuracies_by_class(score, item, item.right_shares))


def _attacked(score: Score, store: Store, content: Content) -> dict[int, Mapping[str, Any]]:
    """The classes under the attacks of a headline."""
    ball = ball_of(score)
    assert ball is not None
    if score.cell:
        item = _read(store, content.cells[score.cell])
        return _by_class(accuracies_by_class(score, item, worst_case([votes_within(item, ball.eps)])))
    cells = [
        cell
        for cell in content.cells.values()
        if cell.kind == "attack" and cell.smoothing is None and cell.norm == ball.norm and cell.model == score.model
    ]
    for union in unions([_read(store, cell) for cell in cells if cell.benchmark == score.benchmark]):
        if union.ball == ball and union.attacks[0].cell.protocol.of_images() == score.protocol.of_images():
            return _by_class(accuracies_by_class(score, union.attacks[0], union.shares))
    return {}


def _read(store: Store, cell: StoredCell) -> CellOutcomes:
    return CellOutcomes(cell, store.outcomes(cell.id, columns_of(cell, ())))


def _by_class(rows: Iterator[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    return {int(row["class"]): row for row in rows}


def _number(row: Mapping[str, Any] | None) -> ClassNumber | None:
    if row is None:
        return None
    value, low, high = (float(row[name]) for name in ("accuracy", "low", "high"))
    return ClassNumber(share(value), f"[{share(low)}, {share(high)}]", value, low, high, int(row["n"]))
