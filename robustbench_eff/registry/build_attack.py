"""From a text to an attack."""

from __future__ import annotations

import dataclasses
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean

from .attacks import ADAPTERS, ATTACKS
from .corruptions import CORRUPTIONS
from .perturbation_sets import PERTURBATION_SETS
from .sequences import SEQUENCES

if TYPE_CHECKING:
    from robustbench_eff.core.types import Attack
from .perturbation_text import is_adapted, surrogate

ONE_STEP = 2
"""Passes of an attack that takes a single gradient."""


PLUGINS = "robustbench_eff.attacks"
"""Entry-point group of third-party attacks, named `vendor/name`."""


def attack(text: str) -> Attack:
    """The attack that `text` describes; SpecError for an unknown name or field.

    Of `ATTACK from MODEL` it is the attack, with all its steps: an image at the surrogate's boundary, where most
    attacks stop, transfers badly. SpecError for an attack that cannot go on.
    """
    words, model = surrogate(text)
    item = _attack(words)
    if model is None or item.max_passes <= ONE_STEP:
        return item
    if not hasattr(item, "early_stop"):
        raise SpecError(
            f"{words} stops at the surrogate's boundary, so its images say nothing about transfer.",
            "Use pgd, bim, mi_fgsm, fgsm or r_fgsm.",
        )
    return dataclasses.replace(item, early_stop=False)  # type: ignore[type-var]


def _attack(text: str) -> Attack:
    parsed = spec.parse(text)
    prefix, _, rest = parsed.name.partition(":")
    item: Attack
    if rest and prefix in ADAPTERS:
        item = _adapted(ADAPTERS[prefix].load(), rest, parsed)
    else:
        item = spec.build(_attack_class(parsed.name), parsed)
    return item


def attack_text(text: str) -> str:
    """The canonical spec text of an attack: the same for every way to write the same fields."""
    words, model = surrogate(text)
    name, tail = spec.parse(words).name, "" if model is None else f" from {model}"
    item: Any = attack(text)
    if not is_adapted(words):
        return spec.text_of(name, item) + tail
    norm = [] if item.norm is None else [("norm", item.norm)]
    arguments = [
        f"{key}={spec.literal(value)}" for key, value in [("eps", item.eps), *norm, *getattr(item, "options", ())]
    ]
    return f"{name}({', '.join(arguments)}){tail}"


def attack_names() -> dict[str, str]:
    """Every attack and its summary, plugins last."""
    own = {name: row.summary for name, row in ATTACKS.items()}
    own |= {f"{name}:NAME": row.summary for name, row in ADAPTERS.items()}
    return own | {point.name: f"plugin {point.value}" for point in _plugins()}


def _attack_class(name: str) -> type[Attack]:
    if name in ATTACKS:
        own: type[Attack] = ATTACKS[name].load()
        return own
    for point in _plugins():
        if point.name == name:
            plugin: type[Attack] = point.load()
            return plugin
    if name in PERTURBATION_SETS:
        raise SpecError(
            f"{name} stands for {len(PERTURBATION_SETS[name])} perturbations and takes no fields.", f"Write {name}."
        )
    known = attack_names()
    hint = did_you_mean(name, [*known, *CORRUPTIONS, *SEQUENCES, *PERTURBATION_SETS])
    raise SpecError(f"Unknown attack, corruption or sequence {name!r}.", hint or f"Attacks: {', '.join(known)}.")


def _adapted(kind: Any, name: str, parsed: spec.Spec) -> Attack:
    """An adapter for the attack `name`; arguments that are no field of it are options of that attack."""
    known = {field.name for field in dataclasses.fields(kind)} - {"name", "options"}
    own = {key: value for key, value in parsed.arguments.items() if key in known}
    built: Attack = spec.build(kind, spec.Spec(parsed.name, own | {"name": name}))
    options = tuple(sorted((key, value) for key, value in parsed.arguments.items() if key not in known))
    if not options:
        return built
    if not hasattr(kind, "options"):
        raise SpecError(f"{parsed.name} has no field {options[0][0]!r}.", f"Fields: {', '.join(sorted(known))}.")
    return dataclasses.replace(built, options=options)  # type: ignore[type-var]


def _plugins() -> list[Any]:
    """Entry points named `vendor/name`; a name without a vendor would be able to replace one of ours."""
    points = sorted(entry_points(group=PLUGINS), key=lambda point: point.name)
    for point in points:
        if "/" not in point.name:
            raise UsageError(f"Plugin {point.name!r} ({point.value}) must be named vendor/name.")
    return points
