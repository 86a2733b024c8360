"""One name per model across measured and published results."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from robustbench_eff.leaderboards import published as published_results
from robustbench_eff.leaderboards.about import About
from robustbench_eff.leaderboards.entry import Entry
from robustbench_eff.models import aliases
from robustbench_eff.models.aliases import Alias


def merge_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Return one entry per model, named by its alias if it has one, in the order of first appearance.

    Args:
        entries: Entries of which several may belong to one model.

    Raises:
        EntryError: Two entries of one name were measured with different weights or preprocessing.
    """
    merged: dict[str, Entry] = {}
    for entry in entries:
        if entry.provenance is None:
            alias = aliases.aliases().get(entry.model) or _alias_of_timm(entry.model)
            name = alias.name if alias else entry.model
        else:
            name = measured_name(entry.model, entry.provenance.source)
            alias = aliases.aliases().get(name)
        names = {
            "model": name,
            "family": entry.family or (alias.family if alias else ""),
            "defense": entry.defense or (alias.defense if alias else ""),
            "about": entry.about.filled_from(About(licence=alias.licence if alias else "")),
        }
        named = entry.model_copy(update=names)
        merged[name] = merged[name].with_results_of(named) if name in merged else named
    return list(merged.values())


def measured_name(model: str, source: str) -> str:
    """Return the name of a measured model, which follows from the source that built it.

    `timm:tf_efficientnet_b7.ap_in1k` is `effnet_b7_advprop`, whatever the user called it; a user's own network is
    never taken for a published one of the same name.

    Args:
        model: Name of the model in the store.
        source: Text of the model source that built it.
    """
    if " #" in model:  # one of several models that differ only in weights or preprocessing
        return model
    alias = _by_source().get(source)
    if alias is not None:
        return alias.name
    return f"{model} (not the published one)" if model in {*aliases.aliases(), *_timm_names()} else model


def _alias_of_timm(model: str) -> Alias | None:
    """Return the alias of a name in a published table, where timm's models do not have the prefix `timm:`."""
    return _by_source().get(model if ":" in model else f"timm:{model}")


@cache
def _by_source() -> dict[str, Alias]:
    return {f"{alias.source}:{alias.target}": alias for alias in aliases.aliases().values()}


@cache
def _timm_names() -> frozenset[str]:
    """Return the names that published tables give to models."""
    return frozenset(published_results.published()["model"].to_pylist())
