"""The only place where a name becomes an object: the tables, and entry points of plugins."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from robustbench_eff import spec
from robustbench_eff.benchmark_table import BENCHMARKS, SCORED_WITH, SUITES, Row
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.errors import SpecError, UsageError, did_you_mean
from robustbench_eff.suite import Suite
from robustbench_eff.tables import ADAPTERS, ATTACKS, CORRUPTIONS, DEFENSES, SEQUENCES, SETS, STYLISERS

if TYPE_CHECKING:
    from robustbench_eff.corruptions.stylise import Styliser
    from robustbench_eff.defenses.recipe import Recipe
    from robustbench_eff.types import Attack, Corrupts, Films


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


def corruption(text: str, jpeg_quality: int | None = None) -> Corrupts:
    """The corruption that `text` describes, saved as JPEG files where a quality is given; SpecError as `attack`."""
    parsed = spec.parse(text)
    if parsed.name not in CORRUPTIONS:
        hint = did_you_mean(parsed.name, [*CORRUPTIONS, *SETS]) or f"Known: {', '.join([*CORRUPTIONS, *SETS])}."
        raise SpecError(f"Unknown corruption {parsed.name!r}.", hint)
    from robustbench_eff.corruptions import Corruption, Saved

    made = spec.build(Corruption, parsed, kernel=CORRUPTIONS[parsed.name].load())
    return made if jpeg_quality is None else Saved(made, jpeg_quality)


def styliser(text: str) -> Styliser:
    """The styliser that `text` describes; SpecError for an unknown name or field."""
    made: Styliser = _built("styliser", STYLISERS, text)
    return made


def defense(text: str) -> Recipe:
    """The training recipe that `text` describes; SpecError for an unknown name or field."""
    made: Recipe = _built("defense", DEFENSES, text)
    return made


def defense_text(text: str) -> str:
    """The canonical spec text of a recipe."""
    return spec.text_of(spec.parse(text).name, defense(text))


def sequence(text: str) -> Films:
    """The sequence of frames that `text` describes; SpecError as `attack`."""
    from robustbench_eff.corruptions.sequence import FrameSequence

    parsed = spec.parse(text)
    return spec.build(FrameSequence, parsed, kernel=SEQUENCES[parsed.name].load())


def kind(text: str) -> Literal["attack", "corruption", "sequence"]:
    """What the text describes, by its name; SpecError for what cannot be read."""
    name = spec.parse(surrogate(text)[0]).name
    return "corruption" if name in CORRUPTIONS else "sequence" if name in SEQUENCES else "attack"


def expanded(texts: Iterable[str]) -> list[str]:
    """Perturbations with every word for many of them replaced by those."""
    return [single for text in texts for single in SETS.get(text, (text,))]


def is_adapted(text: str) -> bool:
    """Whether the attack is another library's, which queries the plain network."""
    prefix, colon, _ = spec.parse(surrogate(text)[0]).name.partition(":")
    return bool(colon) and prefix in ADAPTERS


def surrogate(text: str) -> tuple[str, str | None]:
    """The attack's text, and the model it is found on where that is not the one that is judged."""
    words, _, model = text.partition(" from ")
    return words, model.strip() or None


def _attack(text: str) -> Attack:
    parsed = spec.parse(text)
    prefix, _, rest = parsed.name.partition(":")
    item: Attack
    if rest and prefix in ADAPTERS:
        item = _adapted(ADAPTERS[prefix].load(), rest, parsed)
    else:
        item = spec.build(_attack_class(parsed.name), parsed)
    return item


def perturbation_text(text: str) -> str:
    """The canonical spec text of an attack, a corruption or a sequence."""
    match kind(text):
        case "attack":
            return attack_text(text)
        case "corruption":
            return spec.text_of(spec.parse(text).name, corruption(text))
        case "sequence":
            return spec.text_of(spec.parse(text).name, sequence(text))


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


def benchmark(name: str, place: str | None = None) -> Benchmark:
    """A row of the table, or the user's own set of that name when `place` says where it is; UsageError for no name."""
    if name in SCORED_WITH:
        raise UsageError(
            f"{name} is no benchmark of its own: it is scored with {SCORED_WITH[name]}.",
            f"Run --benchmark {SCORED_WITH[name]}.",
        )
    if name in BENCHMARKS:
        row: Benchmark = BENCHMARKS[name].load()
        return row
    if place is not None:
        return Benchmark(
            name=name,
            title="the user's own images",
            label_space=f"custom:{name}",
            licence="the user's",
            where=place,
            size="",
            num_classes=None,
        )
    known = f"Known: {', '.join(BENCHMARKS)}; for images of yours add --data {name}=PATH."
    raise UsageError(f"Unknown benchmark {name!r}.", f"{did_you_mean(name, BENCHMARKS)}\n{known}".strip())


def alternatives(benchmark: Benchmark) -> list[str]:
    """The rows that read the same images otherwise: by other outputs of the model, as another number."""
    others = (row.load() for name, row in BENCHMARKS.items() if name != benchmark.name)
    return [
        other.name
        for other in others
        if benchmark.name == other.images_of or other.name == benchmark.images_of
        if all(getattr(other, field) == getattr(benchmark, field) for field in _SEEN)
    ]


_SEEN = ("label_space", "keep", "border", "geometry", "layout", "conflict_by", "jpeg_quality")
"""Fields that say which images are seen, and how."""


def suite(name: str) -> Suite:
    """A shipped suite by name, or a user's YAML file by path."""
    if name in SUITES:
        return Suite.parse((files("robustbench_eff") / "suites" / f"{name}.yaml").read_text(), name)
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return Suite.parse(path.read_text(), name)
    hint = did_you_mean(name, SUITES) or f"Known: {', '.join(SUITES)}; or the path of a YAML file."
    raise UsageError(f"Unknown suite {name!r}.", hint)


def attack_names() -> dict[str, str]:
    """Every attack and its summary, plugins last."""
    own = {name: row.summary for name, row in ATTACKS.items()}
    own |= {f"{name}:NAME": row.summary for name, row in ADAPTERS.items()}
    return own | {point.name: f"plugin {point.value}" for point in _plugins()}


def _built(kind: str, rows: Mapping[str, Row], text: str) -> Any:
    """What a row of a table gives with the fields of `text`."""
    parsed = spec.parse(text)
    if parsed.name not in rows:
        hint = did_you_mean(parsed.name, rows) or f"Known: {', '.join(rows)}."
        raise SpecError(f"Unknown {kind} {parsed.name!r}.", hint)
    return spec.build(rows[parsed.name].load(), parsed)


def _attack_class(name: str) -> type[Attack]:
    if name in ATTACKS:
        own: type[Attack] = ATTACKS[name].load()
        return own
    for point in _plugins():
        if point.name == name:
            plugin: type[Attack] = point.load()
            return plugin
    if name in SETS:
        raise SpecError(f"{name} stands for {len(SETS[name])} perturbations and takes no fields.", f"Write {name}.")
    known = attack_names()
    hint = did_you_mean(name, [*known, *CORRUPTIONS, *SEQUENCES, *SETS])
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
