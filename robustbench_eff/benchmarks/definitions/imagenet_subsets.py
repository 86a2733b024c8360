"""ImageNet-A and ImageNet-R, with images of 200 of the 1,000 classes each (86 classes are in both).

The authors' protocol takes the argmax over the 200 outputs. The argmax over all 1,000 gives another number, that of the
benchmarks whose names end in `-1000way`.

Source: Hendrycks et al. 2021, arXiv:1907.07174 (A) and arXiv:2006.16241 (R).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from robustbench_eff.core.errors import DataError
from robustbench_eff.models.class_map import ClassMap, restricted

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages, plain_labels, select
from ..labels import resolve_labels
from .imagenet import IMAGENET, OUTPUTS, class_index, facts

Subset = Literal["imagenet_a_classes", "imagenet_r_classes"]
"""Name of the file with the 200 classes."""
_SelectImages: TypeAlias = Callable[[Subset, LabelledImages], LabelledImages]


def _class_map(subset: Subset) -> ClassMap:
    return restricted(OUTPUTS, tuple(facts(subset)["indices"]))


def _class_index(subset: Subset) -> dict[str, int]:
    """Return the position among the 200 classes of each of their names."""
    position_of = {index: position for position, index in enumerate(facts(subset)["indices"])}
    return {name: position_of[index] for name, index in class_index().items() if index in position_of}


def _published_images(subset: Subset, opened: LabelledImages) -> LabelledImages:
    """Return the published images; numeric labels count the 200 classes."""
    wnids, labels = facts(subset)["wnids"], plain_labels(opened)
    invalid = [label for label in labels if isinstance(label, int) and not 0 <= label < len(wnids)]
    if invalid:
        raise DataError(
            f"{opened.origin} has label {invalid[0]}; numbers from 0 to {len(wnids) - 1} count the classes it has.",
            "Name classes by wnid: that is the same in every numbering.",
        )
    return dataclasses.replace(opened, labels=[wnids[label] if isinstance(label, int) else label for label in labels])


def _imagenet_images(subset: Subset, opened: LabelledImages) -> LabelledImages:
    """Return the images of the 200 classes among those of ImageNet."""
    wnids = dict(zip(facts(subset)["indices"], facts(subset)["wnids"], strict=True))
    labels = resolve_labels(IMAGENET, opened).labels.tolist()
    if max(labels) < len(wnids) and all(isinstance(label, int) for label in plain_labels(opened)):
        raise DataError(
            f"{opened.origin} has numbers up to {max(labels)}, which may count ImageNet's classes or these 200.",
            "Name classes by wnid.",
        )
    rows = [row for row, label in enumerate(labels) if label in wnids]
    return select(opened, rows, [wnids[labels[row]] for row in rows])


def _subset_benchmark(
    name: str, title: str, subset: Subset, select_images: _SelectImages, base: Benchmark
) -> Benchmark:
    """Return a benchmark whose argmax is taken over the outputs of the 200 classes."""
    return dataclasses.replace(
        base,
        name=name,
        title=title,
        num_classes=200,
        class_index=partial(_class_index, subset),
        class_map=partial(_class_map, subset),
        select_images=partial(select_images, subset),
    )


def _all_outputs(benchmark: Benchmark) -> Benchmark:
    """Return the benchmark with the same images and the argmax over all 1,000 outputs."""
    return dataclasses.replace(
        benchmark,
        name=f"{benchmark.name}-1000way",
        title=f"{benchmark.title}, argmax over all 1,000 outputs",
        source_benchmark=benchmark.name,
        num_classes=OUTPUTS,
        class_index=class_index,
        class_map=None,
    )


IMAGENET_A = dataclasses.replace(
    _subset_benchmark(
        "imagenet-a", "ImageNet-A (Hendrycks et al. 2021)", "imagenet_a_classes", _published_images, IMAGENET
    ),
    split="train",
    licence="MIT",
    download_url="https://github.com/hendrycks/natural-adv-examples or hf:barkermrl/imagenet-a",
    size="7,500 images, 0.7 GB (unverified)",
)
IMAGENET_R = dataclasses.replace(
    _subset_benchmark(
        "imagenet-r", "ImageNet-R (Hendrycks et al. 2021)", "imagenet_r_classes", _published_images, IMAGENET
    ),
    split="test",
    licence="MIT",
    download_url="https://github.com/hendrycks/imagenet-r or hf:axiong/imagenet-r",
    size="30,000 images, 2.19 GB",
)
IMAGENET_A_1000WAY, IMAGENET_R_1000WAY = _all_outputs(IMAGENET_A), _all_outputs(IMAGENET_R)

_FROM_IMAGENET = dataclasses.replace(IMAGENET, source_benchmark="imagenet", size="10,000 images of imagenet")
IMAGENET_A_CLEAN = _subset_benchmark(
    "imagenet-a-clean", "ImageNet validation, the classes of A", "imagenet_a_classes", _imagenet_images, _FROM_IMAGENET
)
IMAGENET_R_CLEAN = _subset_benchmark(
    "imagenet-r-clean", "ImageNet validation, the classes of R", "imagenet_r_classes", _imagenet_images, _FROM_IMAGENET
)
"""Clean images of the same classes, with which accuracy on A and R is compared."""
