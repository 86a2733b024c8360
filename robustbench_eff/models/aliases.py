"""Short names for published classifiers, including those whose weights cannot be downloaded automatically."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from robustbench_eff.system import addresses
from robustbench_eff.system.addresses import Address


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
    """Where the file of weights is on the web, if it can be downloaded without a login or a click."""


@cache
def aliases() -> dict[str, Alias]:
    """Return all aliases by name, sorted."""
    rows = json.loads((files("robustbench_eff") / "facts" / "aliases.json").read_text())["aliases"]
    table = [*_shipped(), *(_alias(row) for row in rows)]
    return {alias.name: alias for alias in sorted(table, key=lambda alias: alias.name)}


def matching(pattern: str | None) -> list[Alias]:
    """Return the aliases whose name, family or defense contains a pattern, or matches it as a glob.

    Args:
        pattern: Text, case-insensitive; a glob if it contains `*`, `?` or `[`. None matches all.
    """
    if pattern is None:
        return list(aliases().values())
    glob = pattern if any(mark in pattern for mark in "*?[") else f"*{pattern}*"
    return [
        alias
        for alias in aliases().values()
        if any(fnmatch(value.lower(), glob.lower()) for value in (alias.name, alias.family, alias.defense))
    ]


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
    )
