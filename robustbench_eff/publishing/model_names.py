"""One name per model across measured and published results."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from robustbench_eff.leaderboards import published as published_results
from robustbench_eff.leaderboards.entry import Entry
from robustbench_eff.models import aliases
from robustbench_eff.models.aliases import Alias


def merge_entries(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for every model, by the name it has here where it has one, in the order they come.

    Raises EntryError where two of one name were measured with different weights.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.provenance is None:
            alias = aliases.aliases().get(entry.model) or _of_timm(entry.model)
            name = alias.name if alias else entry.model
        else:
            name = measured_name(entry.model, entry.provenance.source)
            alias = aliases.aliases().get(name)
        said = {"model": name, "family": entry.family or (alias.family if alias else "")}
        named = entry.model_copy(update=said | {"defense": entry.defense or (alias.defense if alias else "")})
        found[name] = found[name].with_results_of(named) if name in found else named
    return list(found.values())


def measured_name(model: str, source: str) -> str:
    """What was measured is known by what built it, not by what a user called it: `timm:tf_efficientnet_b7.ap_in1k` is
    `effnet_b7_advprop`, and a network of one's own is no published one, whatever its name.
    """
    if " #" in model:  # one of several that only their weights or preprocessing tell apart
        return model
    alias = _by_source().get(source)
    if alias is not None:
        return alias.name
    return f"{model} (not the published one)" if model in {*aliases.aliases(), *_timm_names()} else model


def _of_timm(model: str) -> Alias | None:
    """Published tables name timm's models without saying so."""
    return _by_source().get(model if ":" in model else f"timm:{model}")


@cache
def _by_source() -> dict[str, Alias]:
    return {f"{alias.source}:{alias.target}": alias for alias in aliases.aliases().values()}


@cache
def _timm_names() -> frozenset[str]:
    """What published tables call models that have no alias."""
    return frozenset(published_results.published()["model"].to_pylist())
