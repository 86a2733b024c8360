"""What to show: read from the query of a request, and offered as the options of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from robustbench_eff.core.errors import UsageError
from robustbench_eff.scores.build_score import protocol_over
from robustbench_eff.scores.headline import NORMS
from robustbench_eff.storage.stored_cell import StoredCell

from ..report.content import Images
from ..report.numbers import protocol_line
from ..report.wording import other_protocol

OUTCOMES = {
    "": "all",
    "right": "right",
    "fooled": "fooled: right when clean, wrong now",
    "wrong": "wrong when clean",
    "differ": "the two models differ",
}
ORDERS = {"": "position in the data set", "margin": "smallest margin first"}
NAMES = ("images", "model", "other", "perturbation", "class", "outcome", "order", "page", "live")
"""Fields of a query."""


class Option(NamedTuple):
    """An option of a field of the form."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The samples that a request asks for."""

    images: str
    """The images, as `protocol_line` writes them."""
    model: str
    other: str
    """A second model; empty for none."""
    perturbation: str
    label: int | None
    """The true class; None for all."""
    outcome: str
    order: str
    page: int
    """Counted from 1."""
    live: str
    """`no` for a page that is not loaded again while a run goes on; else empty."""

    def fields(self, page: int) -> dict[str, str]:
        """Return the fields of another page of the same samples.

        Args:
            page: Its number.
        """
        values = {name: str(getattr(self, name)) for name in ("images", "model", "other", "perturbation")}
        values |= {"class": "" if self.label is None else str(self.label), "outcome": self.outcome, "order": self.order}
        values["live"] = self.live
        return {**{name: value for name, value in values.items() if value}, "page": str(page)}


def images_text(cell: StoredCell) -> str:
    """Return which images a cell is about.

    Args:
        cell: The cell.
    """
    return protocol_line(Images(cell.benchmark, cell.protocol.of_images()))


def perturbation_text(cell: StoredCell) -> str:
    """Return what was done to the images of a cell, with its seed and all else that tells cells apart.

    Args:
        cell: The cell.
    """
    name = "clean images" if cell.perturbation == "none" else cell.perturbation
    return " · ".join(part for part in (name, other_protocol(protocol_over([cell]))) if part)


def read_choice(given: Mapping[str, str], cells: Mapping[str, StoredCell]) -> Choice:
    """Return what a request asks for; of what it does not say, the first that there is.

    Args:
        given: Fields of the request's query, by their names.
        cells: Cells of the store by their ids, at least one.

    Raises:
        UsageError: A field names something that is not there.
    """
    if unknown := sorted(given.keys() - {*NAMES}):
        raise UsageError(f"{unknown[0]} is not a field of this page.", "Start again from the first page.")
    images = _one("images", given.get("images"), [images_text(cell) for cell in cells.values()])
    here = [cell for cell in cells.values() if images_text(cell) == images]
    model = _one("model", given.get("model"), [cell.model for cell in here])
    of_model = [cell for cell in here if cell.model == model]
    texts = [perturbation_text(cell) for cell in of_model]
    other = given.get("other", "")
    outcome, order = given.get("outcome", ""), given.get("order", "")
    return Choice(
        images=images,
        model=model,
        other=_one("model", other, [cell.model for cell in here]) if other else "",
        perturbation=_one("perturbation", given.get("perturbation"), [*_last_attack(of_model), *texts]),
        label=_whole("class", given["class"], 0) if given.get("class") else None,
        outcome=_one("outcome", outcome, [*OUTCOMES]),
        order=_one("order", order, [*ORDERS]),
        page=_whole("page", given.get("page") or "1", 1),
        live=_one("live", given.get("live", ""), ["", "no"]),
    )


def options(choice: Choice, cells: Mapping[str, StoredCell]) -> dict[str, list[Option]]:
    """Return the options of every field but that of the classes, of which the outcomes tell.

    Args:
        choice: What was chosen.
        cells: Cells of the store by their ids.
    """
    here = [cell for cell in cells.values() if images_text(cell) == choice.images]
    models = dict.fromkeys(cell.model for cell in here)
    texts = dict.fromkeys(perturbation_text(cell) for cell in here if cell.model == choice.model)
    fields: dict[str, tuple[str, Mapping[str, str]]] = {
        "images": (choice.images, {text: text for text in map(images_text, cells.values())}),
        "model": (choice.model, {name: name for name in models}),
        "other": (choice.other, {"": "none", **{name: name for name in models if name != choice.model}}),
        "perturbation": (choice.perturbation, {text: text for text in texts}),
        "outcome": (choice.outcome, OUTCOMES),
        "order": (choice.order, ORDERS),
    }
    return {
        name: [Option(value, text, value == chosen) for value, text in offered.items()]
        for name, (chosen, offered) in fields.items()
    }


def _last_attack(cells: list[StoredCell]) -> list[str]:
    """The attack that was planned last, which in suites is the strongest, of the norm that comes first; or nothing."""
    attacks = sorted((cell for cell in cells if cell.kind == "attack"), key=lambda cell: cell.norm not in NORMS[:1])
    first = [cell for cell in attacks if cell.norm == attacks[0].norm]
    return [perturbation_text(cell) for cell in first[-1:]]


def _one(name: str, value: str | None, offered: list[str]) -> str:
    if value is None:
        return offered[0]
    if value not in offered:
        raise UsageError(f"There is no {name} {value} here.", "Start again from the first page.")
    return value


def _whole(name: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise UsageError(f"{name} is a whole number from {least}, got {text}.", "Start again from the first page.")
    return int(text)
