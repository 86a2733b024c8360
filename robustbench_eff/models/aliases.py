"""Short names for published classifiers, including those whose weights cannot be downloaded automatically."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from robustbench_eff.core.preprocessing import Interpolation
from robustbench_eff.system import addresses
from robustbench_eff.system.addresses import Address

from .robustbench_table import robustbench_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """How a file that authors publish is loaded, and how its images are prepared."""

    architecture: str
    """Architecture that it fits, such as `torchvision:resnet50`."""
    layout: str = ""
    """How the file names its tensors; empty for the names of the architecture, with or without a prefix."""
    input_size: int
    """Side of the input, in pixels."""
    resize: int
    """Short side before the crop, in pixels."""
    interpolation: Interpolation
    """Filter of the resizing."""
    mean: tuple[float, ...]
    """Mean of each channel, for pixels in [0, 1]."""
    std: tuple[float, ...]
    """Standard deviation of each channel."""
    origin: str
    """Source of these values."""
    by_hand: str = ""
    """Where a user gets the file, if its host sends it unencrypted and states no hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """One row of the table: a name, the source of its weights, and facts about it."""

    name: str
    """Name that a user writes."""
    source: str
    """A model source (`timm`, `torchvision`, `open_clip`, `shipped`), or a kind of checkpoint that users download."""
    target: str
    """Name of the model within the source."""
    family: str
    """Architecture family, such as `EfficientNet`."""
    defense: str
    """Training method."""
    skeleton: str | None = None
    """timm architecture that the checkpoint fits."""
    hub_id: str | None = None
    """Hugging Face repository of the weights."""
    note: str = ""
    """Remark for readers of the list."""
    address: Address | None = None
    """Address of the weights file, if it can be downloaded directly, without a login or a click."""
    checkpoint: CheckpointFacts | None = None
    """How that file is loaded, where no library does it."""
    dataset: str = "imagenet"
    """Dataset of the classes."""
    parameters: int | None = None
    """Number of parameters."""
    input_size: int | None = None
    """Side of the input, in pixels."""
    accuracy: float | None = None
    """Published accuracy on the clean test images, a fraction."""
    licence: str = ""
    """Licence of the weights, where their source states it."""


@cache
def aliases() -> dict[str, Alias]:
    """Return all aliases by name, sorted."""
    table = [alias for rows in TABLES for alias in rows()]
    return {alias.name: alias for alias in sorted(table, key=lambda alias: alias.name)}


def matching(words: Iterable[str]) -> list[Alias]:
    """Return the aliases in whose name, family, defense, dataset or source every word is found.

    Args:
        words: Words in any order, upper or lower case; one with `*`, `?` or `[` is a glob for a whole value.
    """
    wanted = [word.lower() for text in words for word in text.split()]
    return [alias for alias in aliases().values() if all(_has(alias, word) for word in wanted)]


def _has(alias: Alias, word: str) -> bool:
    facts = (alias.name, alias.family, alias.defense, alias.dataset, f"{alias.source}:{alias.target}")
    values = [value.lower() for value in facts]
    if any(mark in word for mark in "*?["):
        return any(fnmatchcase(value, word) for value in values)
    return any(word in value or word in value.replace("_", " ") for value in values)


def checkpoints() -> Path:
    """Return the folder of the shipped weights and cards, without importing its package."""
    wing = find_spec("robustbench_eff.defenses")
    assert wing is not None and wing.submodule_search_locations is not None
    return Path(next(iter(wing.submodule_search_locations))) / "checkpoints"


def _shipped() -> list[Alias]:
    """One alias per card that is installed with the package."""
    paths = sorted(checkpoints().glob("*.json"))
    cards = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    return [
        Alias(
            name=name,
            source="shipped",
            target=name,
            family=card["architecture"].partition("(")[0],
            defense=card["defense"].partition("(")[0],
        )
        for name, card in cards.items()
    ]


def _of_robustbench() -> list[Alias]:
    """The names of RobustBench's models in the published results."""
    return [
        Alias(
            name=entry.alias,
            source="robustbench",
            target=entry.name,
            family=entry.family,
            defense=entry.defense,
            dataset=entry.dataset,
            parameters=entry.parameters or None,
            input_size=entry.geometry.shape[0],
        )
        for entry in robustbench_entries().values()
    ]


def _published() -> list[Alias]:
    """The table of published models."""
    rows = json.loads((files("robustbench_eff") / "facts" / "aliases.json").read_text(encoding="utf-8"))["aliases"]
    return [_alias(row) for row in rows]


TABLES: tuple[Callable[[], Iterable[Alias]], ...] = (_shipped, _of_robustbench, _published)
"""Functions that return aliases; none imports torch."""


def _alias(row: dict[str, Any]) -> Alias:
    return Alias(
        name=row["alias"],
        source=row["source"],
        target=row["name"],
        family=row["family"],
        defense=row["defense"],
        skeleton=row.get("timm_skeleton"),
        hub_id=row.get("hf_hub_id"),
        note=row.get("note", ""),
        address=addresses.parse(row["url"]) if "url" in row else None,
        checkpoint=_checkpoint(row["checkpoint"]) if "checkpoint" in row else None,
        dataset=row.get("dataset", "imagenet"),
        parameters=row.get("parameters"),
        input_size=row.get("test_input_size") or row.get("input_size"),
        accuracy=row.get("accuracy"),
        licence=row.get("license") or "",
    )


def _checkpoint(facts: dict[str, Any]) -> CheckpointFacts:
    return CheckpointFacts(**{**facts, "mean": tuple(facts["mean"]), "std": tuple(facts["std"])})
