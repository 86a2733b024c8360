"""Load the models, decode the images, and pair them with perturbations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from robustbench_eff import catalog
from robustbench_eff.attacks import Oracle
from robustbench_eff.benchmarks import locations, sources
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.cache import prepare
from robustbench_eff.classifier import Classifier
from robustbench_eff.errors import UsageError
from robustbench_eff.imageset import ImageSet
from robustbench_eff.plan import CLEAN, Work, cell_of
from robustbench_eff.zoo import load as zoo

from . import hardware
from .preflight import Ready
from .settings import Settings

Preparing = Callable[[str, int, int], None]


def compose(ready: Ready, settings: Settings, device: str, preparing: Preparing) -> Iterator[Work]:
    """Every cell of the run with its objects; the clean cell of a model and benchmark comes first."""
    suite = catalog.suite(settings.suite)
    prepared: dict[tuple[str, str], ImageSet] = {}
    for subject, benchmarks in ready.subjects:
        classifier = subject if isinstance(subject, Classifier) else zoo.load(subject, device)
        geometry = classifier.preprocessing.geometry
        batch_size = settings.batch_size or hardware.batch_size(geometry.size, device)
        oracle = Oracle(classifier, batch_size=batch_size)
        for benchmark in benchmarks:
            key = (benchmark.name, str(geometry))
            if key not in prepared:
                prepared[key] = _images(benchmark, classifier, settings, preparing)
            images = prepared[key]
            _check_classes(classifier, images)
            for text in _perturbations(settings.attacks or suite.perturbations(benchmark.name)):
                attack = None if text == CLEAN else catalog.attack(text)
                yield Work(
                    cell=cell_of(classifier, images, attack, text, settings.seed),
                    classifier=classifier,
                    images=images,
                    attack=attack,
                    oracle=oracle,
                    batch_size=batch_size,
                    shard_size=settings.shard_size or hardware.shard_size(geometry.size, device),
                )


def _perturbations(texts: Sequence[str]) -> list[str]:
    """Canonical texts without repetition, clean first."""
    return list(dict.fromkeys([CLEAN, *(text if text == CLEAN else catalog.attack_text(text) for text in texts)]))


def _images(benchmark: Benchmark, classifier: Classifier, settings: Settings, preparing: Preparing) -> ImageSet:
    place = locations.location(benchmark.name, settings.data)
    if place is None:
        if benchmark.embedded is None:
            raise UsageError(f"No images for {benchmark.name}.", f"Pass --data {benchmark.name}=PATH.")
        opened = benchmark.embedded()
    else:
        opened = sources.open_location(place, benchmark.split)
    return prepare(
        benchmark,
        opened,
        classifier.preprocessing.geometry,
        limit=settings.limit,
        tick=lambda done, total: preparing(benchmark.name, done, total),
    )


def _check_classes(classifier: Classifier, images: ImageSet) -> None:
    """Raise UsageError where outputs and classes cannot be matched."""
    too_few = classifier.num_classes < images.num_classes
    if too_few or (images.all_classes_known and classifier.num_classes != images.num_classes):
        raise UsageError(
            f"{classifier.name} has {classifier.num_classes} outputs, "
            f"but {images.benchmark} has {images.num_classes} classes.",
            "Choose a benchmark of the model's own label space with --benchmark, or set --num-classes.",
        )
