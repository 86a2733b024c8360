"""Load the models, decode the images, and pair them with perturbations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from robustbench_eff import catalog
from robustbench_eff.attacks import Oracle
from robustbench_eff.benchmarks.benchmark import Benchmark, LabelledImages, resolve_labels
from robustbench_eff.benchmarks.cache import prepare
from robustbench_eff.benchmarks.on_demand import prepare_published
from robustbench_eff.benchmarks.published import Published, PublishedFrames
from robustbench_eff.classifier import Classifier
from robustbench_eff.errors import UsageError
from robustbench_eff.imageset import ImageSet
from robustbench_eff.plan import CLEAN, Work, cell_of
from robustbench_eff.preprocessing import Geometry
from robustbench_eff.types import Attack, Corrupts, Films
from robustbench_eff.zoo import load as zoo
from robustbench_eff.zoo.request import ModelRequest

from . import hardware
from .preflight import Ready, Subject, perturbations
from .settings import Settings

Preparing = Callable[[str, int, int], None]


def compose(ready: Ready, settings: Settings, device: str, preparing: Preparing) -> list[Work]:
    """Every cell of the run with its objects; the clean cell of a model and benchmark comes first.

    All models, surrogates too, are loaded and matched with the classes of their benchmarks before the first image
    is decoded.
    """
    suite = catalog.suite(settings.suite)
    pairs = []
    for subject, benchmarks in ready.subjects:
        classifier = _loaded(subject, device)
        pairs += [(classifier, benchmark) for benchmark in benchmarks]
    for classifier, benchmark in pairs:
        for opened in _all_opened(ready, benchmark):
            _check_classes(classifier, benchmark, opened)
    surrogates: dict[tuple[str, int], Classifier] = {}
    jobs: list[tuple[Classifier, Benchmark, str, Classifier | None]] = []
    for classifier, benchmark in pairs:
        for text in perturbations(settings.chosen or suite.perturbations(benchmark.name)):
            if not _is_there(ready, benchmark, text):
                continue
            name = None if text == CLEAN else catalog.surrogate(text)[1]
            if name is None:
                jobs.append((classifier, benchmark, text, None))
            elif name in ready.surrogates:  # else it is missing, which was said
                source = _surrogate(ready.surrogates[name], surrogates, classifier, device)
                jobs.append((classifier, benchmark, text, source))
    prepared: dict[tuple[str, str, str], ImageSet] = {}
    read: dict[tuple[Classifier, str], Classifier] = {}
    queried: dict[Classifier, tuple[Oracle, str]] = {}
    works: dict[str, Work] = {}
    for classifier, benchmark, text, surrogate in jobs:
        geometry = classifier.preprocessing.geometry
        files = text if (benchmark.name, text) in ready.published else ""
        key = (benchmark.name, str(geometry), files)
        if key not in prepared:
            prepared[key] = _prepared(ready, benchmark, files, geometry, settings, preparing)
        if benchmark.class_map is not None:
            classifier = _through(classifier, benchmark, read)
            surrogate = None if surrogate is None else _through(surrogate, benchmark, read)
        source, asked = surrogate or classifier, None
        if text != CLEAN and catalog.kind(text) == "attack":
            asked = queried[source] if source in queried else _oracle(source, settings, device)
            queried[source] = asked
        work = _work(classifier, prepared[key], text, surrogate, asked, benchmark, settings, device)
        works.setdefault(work.cell.id, work)  # the same model or benchmark may be named twice
    if not works:
        raise UsageError(
            "There is nothing to evaluate: published files are corrupted, and no clean images were given.",
            "Add --data imagenet=PATH, or the clean set of the benchmark in question, for clean accuracy.",
        )
    return list(works.values())


def _work(
    classifier: Classifier,
    images: ImageSet,
    text: str,
    surrogate: Classifier | None,
    queried: tuple[Oracle, str] | None,
    benchmark: Benchmark,
    settings: Settings,
    device: str,
) -> Work:
    oracle, precision = queried or (None, "float32")
    attack: Attack | None = None
    corruption: Corrupts | None = None
    sequence: Films | None = None
    match "clean" if text == CLEAN else catalog.kind(text):
        case "corruption":
            corruption = catalog.corruption(text, benchmark.jpeg_quality)
            corruption = Published(corruption) if images.published else corruption
        case "sequence":
            sequence = catalog.sequence(text)
            sequence = PublishedFrames(sequence) if images.published else sequence
        case "attack":
            attack = catalog.attack(text)
            if catalog.is_adapted(text):
                precision = "float32"  # other libraries' attacks query the plain network
    return Work(
        cell=cell_of(
            classifier,
            images,
            attack or corruption or sequence,
            text,
            settings.seed,
            precision,
            surrogate,
            classes="" if benchmark.class_map is None else benchmark.class_map().digest,
        ),
        classifier=classifier,
        images=images,
        attack=attack,
        corruption=corruption,
        sequence=sequence,
        oracle=oracle,
        batch_size=_batch_size(classifier, settings, device),
        shard_size=settings.shard_size or hardware.shard_size(classifier.preprocessing.geometry.size, device),
    )


def _is_there(ready: Ready, benchmark: Benchmark, text: str) -> bool:
    """Whether the images of a perturbation are; only of published sets they may not be."""
    clean_or_made = text == CLEAN or benchmark.layout is None
    return benchmark.name in ready.opened if clean_or_made else (benchmark.name, text) in ready.published


def _all_opened(ready: Ready, benchmark: Benchmark) -> list[LabelledImages]:
    """Everything whose labels a model must know."""
    clean = [ready.opened[benchmark.name]] if benchmark.name in ready.opened else []
    return clean + [opened for (name, _), opened in ready.published.items() if name == benchmark.name]


def _prepared(
    ready: Ready, benchmark: Benchmark, files: str, geometry: Geometry, settings: Settings, preparing: Preparing
) -> ImageSet:
    """The clean images of a benchmark, or the published `files` of the perturbation of that text."""
    if not files:
        tick = partial(preparing, benchmark.name)
        return prepare(benchmark, ready.opened[benchmark.name], geometry, limit=settings.limit, tick=tick)
    opened, sequences = ready.published[benchmark.name, files], catalog.kind(files) == "sequence"
    tick = partial(preparing, f"{benchmark.name}, {files}")
    return prepare_published(benchmark, opened, geometry, sequences=sequences, limit=settings.limit, tick=tick)


def _loaded(subject: Subject, device: str) -> Classifier:
    return subject if isinstance(subject, Classifier) else zoo.load(subject, device)


def _through(
    classifier: Classifier, benchmark: Benchmark, read: dict[tuple[Classifier, str], Classifier]
) -> Classifier:
    """The classifier with the benchmark's classes for outputs; one for all perturbations."""
    if (classifier, benchmark.name) not in read:
        assert benchmark.class_map is not None
        read[classifier, benchmark.name] = classifier.through(benchmark.class_map())
    return read[classifier, benchmark.name]


def _oracle(classifier: Classifier, settings: Settings, device: str) -> tuple[Oracle, str]:
    """How attacks query a classifier, and in which precision: what was asked for, where it can be had."""
    asked = settings.precision
    precision = hardware.precision(classifier, device) if asked == "auto" else asked
    batch_size = _batch_size(classifier, settings, device)
    oracle = Oracle(classifier, batch_size=batch_size, twin=precision, compiled=settings.compile)
    size = classifier.preprocessing.geometry.size
    oracle.make_twin(torch.Size((3, size, size)), classifier.mean.device)
    if not oracle.twinned:
        return oracle, "float32"
    return oracle, f"{precision}, compiled" if settings.compile else precision


def _batch_size(classifier: Classifier, settings: Settings, device: str) -> int:
    return settings.batch_size or hardware.batch_size(classifier.preprocessing.geometry.size, device)


def _surrogate(
    request: ModelRequest, loaded: dict[tuple[str, int], Classifier], classifier: Classifier, device: str
) -> Classifier:
    """The model that an attack is found on, at the size of the one that is judged."""
    size = classifier.preprocessing.geometry.size
    if (request.name, size) not in loaded:
        loaded[request.name, size] = zoo.load(replace(request, input_size=size), device)
    surrogate = loaded[request.name, size]
    if surrogate.num_classes != classifier.num_classes:
        raise UsageError(
            f"{request.name} has {surrogate.num_classes} classes, {classifier.name} has {classifier.num_classes}.",
            "A surrogate must know the same classes.",
        )
    return surrogate


def _check_classes(classifier: Classifier, benchmark: Benchmark, opened: LabelledImages) -> None:
    """Raise UsageError where outputs and classes cannot be matched."""
    resolved = resolve_labels(benchmark, opened)
    needed, exactly = resolved.num_classes, resolved.all_known
    if benchmark.class_map is not None:
        needed, exactly = benchmark.class_map().outputs, True
    if classifier.num_classes < needed or (exactly and classifier.num_classes != needed):
        raise UsageError(
            f"{classifier.name} has {classifier.num_classes} outputs, but {benchmark.name} has {needed} classes.",
            "Choose a benchmark of the model's own label space with --benchmark, or set --num-classes.",
        )
