"""Why scores of several models are not compared: what only some of them have, and what differs between them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .per_sample import KEY_FIELDS, SampleContributions


class _Name(NamedTuple):
    """What a reader sees of a score."""

    benchmark: str
    perturbation: str
    metric: str


def not_shared(models: Sequence[Mapping[str, SampleContributions]], names: Sequence[str]) -> list[str]:
    """Return a sentence for every score that not all models have on the same samples under the same settings.

    Args:
        models: Contributions of each model, by key.
        names: What the models are called.
    """
    shared = set.intersection(*(set(model) for model in models))
    shared_cells = {(models[0][key].benchmark, models[0][key].perturbation) for key in shared}
    by_name: dict[_Name, dict[int, list[str]]] = defaultdict(dict)
    for number, model in enumerate(models):
        for key, entry in model.items():
            name = _Name(entry.benchmark, entry.perturbation, entry.metric)
            by_name[name].setdefault(number, []).append(key)
    sentences = []
    for name, keys in by_name.items():
        if all(key in shared for of_model in keys.values() for key in of_model):
            continue
        score = ", ".join(name if name[:2] in shared_cells else name[:2])
        if len(keys) < len(models):
            sentences.append(f"{score}: only {', '.join(names[number] for number in keys)}")
        else:
            sentences.append(f"{score}: {_difference(models, keys, shared)}")
    return list(dict.fromkeys(sentences))


def _difference(
    models: Sequence[Mapping[str, SampleContributions]], keys: Mapping[int, Sequence[str]], shared: set[str]
) -> str:
    """Return what the first two models differ in that have a score of one name under different keys."""
    own = [next((key for key in of_model if key not in shared), of_model[0]) for of_model in keys.values()]
    second = next(number for number, key in enumerate(own) if key != own[0])
    counts = [len(models[number][own[number]].values) for number in (0, second)]
    if counts[0] != counts[1]:
        return f"{counts[0]} and {counts[1]} samples"
    fields = [dict(zip(KEY_FIELDS, json.loads(own[number]), strict=True)) for number in (0, second)]
    parts = [_of_field(field, fields[0][field], fields[1][field]) for field in KEY_FIELDS]
    return "; ".join(part for part in parts if part)


def _of_field(field: str, one: object, other: object) -> str:
    if one == other:
        return ""
    if isinstance(one, dict) and isinstance(other, dict):
        differing = [name for name in one | other if one.get(name) != other.get(name)]
        return "; ".join(f"{name} {one.get(name)} and {other.get(name)}" for name in differing)
    if field == "seeds":
        return f"seeds {_listed(one)} and {_listed(other)}"
    return f"other {field}"


def _listed(seeds: object) -> str:
    return ", ".join(map(str, seeds)) if isinstance(seeds, list) else str(seeds)
