"""A benchmark as a classifier sees it: which outputs stand for which classes, where names tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.class_names import MOSTLY_KNOWN, known_names, plain, unambiguous
from robustbench_eff.benchmarks.definitions.imagenet import IMAGENET
from robustbench_eff.benchmarks.imagenet_labels import with_imagenet_outputs
from robustbench_eff.benchmarks.labelled_images import SORTED_FOLDERS, LabelledImages, plain_labels
from robustbench_eff.core.errors import DataError, UsageError, first_few
from robustbench_eff.models.class_map import ClassMap, restricted
from robustbench_eff.models.classifier import Classifier

_SHOWN = 3
"""Number of names that a message lists."""


def seen_by(classifier: Classifier, benchmark: Benchmark, opened: LabelledImages | None) -> Benchmark:
    """Return a benchmark as a classifier is evaluated on it.

    Of the user's own images, the outputs that the user gave to each class count first, then an order that the user
    stated, then names: of ImageNet's classes for a classifier of ImageNet, else those that the classifier has for its
    outputs. Images of some of the outputs become a benchmark over these alone. On any other benchmark, a classifier
    that names its outputs and has them in another order is evaluated in the benchmark's.

    Args:
        classifier: The classifier.
        benchmark: The benchmark.
        opened: Its clean images; None where there are none.

    Raises:
        DataError: It is not clear which outputs the labels stand for.
        UsageError: An output that the user named does not exist.
    """
    is_own = benchmark.num_classes is None and benchmark.class_map is None
    if not is_own:
        return _in_own_order(classifier, benchmark)
    if opened is None:
        return benchmark
    if opened.outputs:
        _check_outputs(classifier, opened)
        return _over(benchmark, ClassMap(outputs=classifier.num_classes, members=opened.outputs), opened.class_names)
    if classifier.provenance.label_space == IMAGENET.label_space and not opened.order_is_stated:
        return with_imagenet_outputs(benchmark, opened)
    return _by_names(classifier, _with_assumed_order(benchmark, opened), opened)


def _check_outputs(classifier: Classifier, opened: LabelledImages) -> None:
    for name, outputs in zip(opened.class_names, opened.outputs, strict=True):
        if max(outputs) >= classifier.num_classes:
            raise UsageError(
                f"--class-map gives {name!r} the output {max(outputs)}, and {classifier.name} has 0 to "
                f"{classifier.num_classes - 1}.",
                "Outputs are counted from 0.",
            )


def _with_assumed_order(benchmark: Benchmark, opened: LabelledImages) -> Benchmark:
    """The benchmark with a line on an order of classes that nobody stated: that of the names of folders or labels."""
    names = opened.class_names or tuple(sorted({str(label) for label in plain_labels(opened)}))
    if opened.order_is_stated or opened.class_order not in ("", SORTED_FOLDERS) or all(map(str.isdecimal, names)):
        return benchmark
    shown = f"{', '.join(map(repr, names[:_SHOWN]))}{', ...' if len(names) > _SHOWN else ''}"
    line = f"assumed: the outputs stand for the classes of {benchmark.name} in this order: {shown} (--class-order)"
    return replace(benchmark, assumed=(line,))


def _over(benchmark: Benchmark, class_map: ClassMap, names: tuple[str, ...]) -> Benchmark:
    return replace(benchmark, class_map=lambda: class_map, class_names=names, assumed=())


def _by_names(classifier: Classifier, benchmark: Benchmark, opened: LabelledImages) -> Benchmark:
    """Match the names of the images' classes with those that the classifier has for its outputs."""
    labels = opened.class_names or tuple(sorted({str(label) for label in plain_labels(opened)}))
    if not classifier.class_names or all(name.isdecimal() for name in labels):
        return benchmark
    outputs = _positions(classifier.class_names)
    index_of = {name: outputs[plain(name)] for name in labels if plain(name) in outputs}
    if opened.order_is_stated:
        return replace(benchmark, flags=_contradictions(classifier, labels, index_of))
    if not index_of:
        own = ", ".join(map(repr, classifier.class_names[:_SHOWN]))
        flag = f"class names differ: the model names its outputs {own}, ...; none of these is a class of the images"
        return replace(benchmark, flags=(flag,))
    if unknown := [name for name in labels if name not in index_of]:
        raise _some_unknown(classifier, opened, unknown, len(labels))
    kept = tuple(sorted(set(index_of.values())))
    if 1 < len(kept) < classifier.num_classes:
        names = tuple(classifier.class_names[index] for index in kept)
        position_of = {name: kept.index(index) for name, index in index_of.items()}
        mapped = _over(benchmark, restricted(classifier.num_classes, kept), names)
        return replace(mapped, num_classes=len(kept), class_index=partial(dict, position_of))
    return replace(
        benchmark,
        num_classes=classifier.num_classes,
        class_index=partial(dict, index_of),
        class_names=classifier.class_names,
        class_order="in the order of the model's own class names",
        assumed=(),
    )


def _in_own_order(classifier: Classifier, benchmark: Benchmark) -> Benchmark:
    """Return a benchmark that knows its classes, over the outputs that the classifier names as these classes."""
    names = classifier.class_names
    if not names:
        return benchmark
    base = IMAGENET if benchmark.label_space == IMAGENET.label_space else benchmark
    count = base.num_classes or 0
    class_of = known_names(names, base.class_index(), names)
    pairs = [(class_of[name], output) for output, name in enumerate(names) if name in class_of]
    output_of = _complete(pairs, count)
    if not pairs or (len(names) == count and all(index == output for index, output in pairs)):
        return benchmark
    if len(output_of) == count:
        own = ClassMap(outputs=count, members=tuple((index,) for index in range(count)))
        own = own if benchmark.class_map is None else benchmark.class_map()
        members = tuple(tuple(output_of[index] for index in group) for group in own.members)
        moved = ClassMap(outputs=classifier.num_classes, members=members, aggregation=own.aggregation)
        return replace(benchmark, class_map=lambda: moved, class_order="outputs by the model's own class names")
    differing = [(index, output) for index, output in pairs if index != output]
    if not differing:
        return benchmark
    index, output = differing[0]
    flag = f"class names differ: output {output} of the model is {names[output]!r}, class {index} of {benchmark.name}"
    return replace(benchmark, flags=(flag,))


def _complete(pairs: Sequence[tuple[int, int]], count: int) -> dict[int, int]:
    """The output of every class, from pairs of classes and outputs whose names agree.

    Names of two classes, such as ImageNet's two cranes, are not among the pairs. Where nearly all classes are, all at
    one distance, the others stand at the same: 0, or 1 behind an output for the background.
    """
    distances = {output - index for index, output in pairs}
    if len(distances) == 1 and distances <= {0, 1} and len(pairs) >= MOSTLY_KNOWN * count:
        (distance,) = distances
        return {index: index + distance for index in range(count)}
    return dict(pairs) if len(dict(pairs)) == len(pairs) else {}


def _contradictions(classifier: Classifier, labels: Sequence[str], index_of: dict[str, int]) -> tuple[str, ...]:
    """A flag for an order that the user stated and that differs from the model's own names."""
    for position, name in enumerate(labels):
        if index_of.get(name, position) != position:
            own = classifier.class_names[index_of[name]]
            return (
                f"class names differ: --class-order gives {name!r} the number {position}, and the model names its "
                f"output {index_of[name]} {own!r}",
            )
    return ()


def _some_unknown(classifier: Classifier, opened: LabelledImages, unknown: list[str], count: int) -> DataError:
    own = ", ".join(map(repr, classifier.class_names[:_SHOWN]))
    return DataError(
        f"{opened.origin}: {count - len(unknown)} of its {count} class names are names of {classifier.name}'s outputs, "
        f"and {first_few(unknown, _SHOWN)} {'is' if len(unknown) == 1 else 'are'} not.",
        f"The outputs are {own}, ... Say which output each class is with --class-map FILE, or name all classes in the "
        "order of the outputs with --class-order FILE.",
    )


def _positions(names: Sequence[str]) -> dict[str, int]:
    """The output of every name that only one output has: the whole name, or a part of it between commas."""
    whole = unambiguous((plain(name), index) for index, name in enumerate(names))
    parts = unambiguous((plain(part), index) for index, name in enumerate(names) for part in name.split(","))
    return parts | whole
