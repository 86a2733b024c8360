"""Load the models, decode the images, and pair them with perturbations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from robustbench_eff import catalog
from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.faster import Precision
from robustbench_eff.benchmarks.benchmark import Benchmark, LabelledImages, resolve_labels
from robustbench_eff.benchmarks.cache import prepare
from robustbench_eff.classifier import Classifier
from robustbench_eff.errors import UsageError
from robustbench_eff.imageset import ImageSet
from robustbench_eff.plan import CLEAN, Work, cell_of
from robustbench_eff.zoo import load as zoo
from robustbench_eff.zoo.request import ModelRequest

from . import hardware
from .preflight import Ready, Subject
from .settings import Settings

Preparing = Callable[[str, int, int], None]


def compose(ready: Ready, settings: Settings, device: str, preparing: Preparing) -> list[Work]:
    """Every cell of the run with its objects; the clean cell of a model and benchmark comes first.

    All models are loaded and matched with the classes of their benchmarks before the first image is decoded.
    """
    suite = catalog.suite(settings.suite)
    pairs = []
    for subject, benchmarks in ready.subjects:
        classifier = _loaded(subject, device)
        pairs += [(classifier, benchmark) for benchmark in benchmarks]
    for classifier, benchmark in pairs:
        _check_classes(classifier, benchmark, ready.opened[benchmark.name])
    prepared: dict[tuple[str, str], ImageSet] = {}
    surrogates: dict[tuple[str, int], Classifier] = {}
    queried: dict[Classifier, tuple[Oracle, Precision]] = {}
    works: dict[str, Work] = {}
    for classifier, benchmark in pairs:
        geometry = classifier.preprocessing.geometry
        key = (benchmark.name, str(geometry))
        if key not in prepared:
            prepared[key] = prepare(
                benchmark,
                ready.opened[benchmark.name],
                geometry,
                limit=settings.limit,
                tick=partial(preparing, benchmark.name),
            )
        for text in _perturbations(settings.attacks or suite.perturbations(benchmark.name)):
            attack = None if text == CLEAN else catalog.attack(text)
            surrogate = _surrogate(text, ready.surrogates, surrogates, classifier, device)
            source = surrogate or classifier
            if source not in queried:
                queried[source] = _oracle(source, settings, device)
            oracle, precision = queried[source]
            cell = cell_of(classifier, prepared[key], attack, text, settings.seed, precision, surrogate)
            work = Work(
                cell=cell,
                classifier=classifier,
                images=prepared[key],
                attack=attack,
                oracle=oracle,
                batch_size=_batch_size(classifier, settings, device),
                shard_size=settings.shard_size or hardware.shard_size(geometry.size, device),
            )
            works.setdefault(cell.id, work)  # the same model or benchmark may be named twice
    return list(works.values())


def _loaded(subject: Subject, device: str) -> Classifier:
    return subject if isinstance(subject, Classifier) else zoo.load(subject, device)


def _oracle(classifier: Classifier, settings: Settings, device: str) -> tuple[Oracle, Precision]:
    """How attacks query a classifier, and in which precision."""
    asked = settings.precision
    precision = hardware.precision(classifier, device) if asked == "auto" else asked
    batch_size = _batch_size(classifier, settings, device)
    return Oracle(classifier, batch_size=batch_size, twin=precision, compiled=settings.compile), precision


def _batch_size(classifier: Classifier, settings: Settings, device: str) -> int:
    return settings.batch_size or hardware.batch_size(classifier.preprocessing.geometry.size, device)


def _surrogate(
    text: str,
    requests: Mapping[str, ModelRequest],
    loaded: dict[tuple[str, int], Classifier],
    classifier: Classifier,
    device: str,
) -> Classifier | None:
    """The model that an attack is found on where it is another, at the size of the one that is judged."""
    _, name = catalog.surrogate(text)
    if name is None:
        return None
    size = classifier.preprocessing.geometry.size
    if (name, size) not in loaded:
        loaded[name, size] = zoo.load(replace(requests[name], input_size=size), device)
    surrogate = loaded[name, size]
    if surrogate.num_classes != classifier.num_classes:
        raise UsageError(
            f"{name} has {surrogate.num_classes} classes, {classifier.name} has {classifier.num_classes}.",
            "A surrogate must know the same classes.",
        )
    return surrogate


def _perturbations(texts: Sequence[str]) -> list[str]:
    """Canonical texts without repetition, clean first."""
    return list(dict.fromkeys([CLEAN, *(text if text == CLEAN else catalog.attack_text(text) for text in texts)]))


def _check_classes(classifier: Classifier, benchmark: Benchmark, opened: LabelledImages) -> None:
    """Raise UsageError where outputs and classes cannot be matched."""
    _, num_classes, all_known = resolve_labels(benchmark, opened)
    if classifier.num_classes < num_classes or (all_known and classifier.num_classes != num_classes):
        raise UsageError(
            f"{classifier.name} has {classifier.num_classes} outputs, but {benchmark.name} has {num_classes} classes.",
            "Choose a benchmark of the model's own label space with --benchmark, or set --num-classes.",
        )
