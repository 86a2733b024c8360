"""ImageNet-A and ImageNet-R, which have images of 200 of the 1,000 classes each (86 of them the same).

Source: Hendrycks et al. 2021, arXiv:1907.07174 (A) and arXiv:2006.16241 (R); by the authors' protocol the argmax is
taken over the 200 outputs. Over all 1,000 it is another number, that of the alternatives ending in `-1000way`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Literal

from robustbench_eff.core.errors import DataError
from robustbench_eff.models.class_map import ClassMap, restricted

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages, plain_labels, select
from ..labels import resolve_labels
from .imagenet import IMAGENET, OUTPUTS, class_index, facts

Subset = Literal["imagenet_a_classes", "imagenet_r_classes"]


def _class_map(subset: Subset) -> ClassMap:
    return restricted(OUTPUTS, tuple(facts(subset)["indices"]))


def _positions(subset: Subset) -> dict[str, int]:
    """Names of the 200 classes, and where among them they stand."""
    place = {index: position for position, index in enumerate(facts(subset)["indices"])}
    return {name: place[index] for name, index in class_index().items() if index in place}


def _own(subset: Subset, opened: LabelledImages) -> LabelledImages:
    """Published images: where they are labelled by numbers, these count the 200 classes."""
    wnids, labels = facts(subset)["wnids"], plain_labels(opened)
    beyond = [label for label in labels if isinstance(label, int) and not 0 <= label < len(wnids)]
    if beyond:
        raise DataError(
            f"{opened.origin} has label {beyond[0]}; numbers from 0 to {len(wnids) - 1} count the classes it has.",
            "Name classes by wnid: that is the same in every numbering.",
        )
    return dataclasses.replace(opened, labels=[wnids[label] if isinstance(label, int) else label for label in labels])


def _of_imagenet(subset: Subset, opened: LabelledImages) -> LabelledImages:
    """The images of the 200 classes among those of ImageNet."""
    wnids = dict(zip(facts(subset)["indices"], facts(subset)["wnids"], strict=True))
    labels = resolve_labels(IMAGENET, opened).labels.tolist()
    if max(labels) < len(wnids) and all(isinstance(label, int) for label in plain_labels(opened)):
        raise DataError(
            f"{opened.origin} has numbers up to {max(labels)}, which may count ImageNet's classes or these 200.",
            "Name classes by wnid.",
        )
    rows = [row for row, label in enumerate(labels) if label in wnids]
    return select(opened, rows, [wnids[labels[row]] for row in rows])


def _masked(
    name: str, title: str, subset: Subset, keep: Callable[[Subset, LabelledImages], LabelledImages], of: Benchmark
) -> Benchmark:
    return dataclasses.replace(
        of,
        name=name,
        title=title,
        num_classes=200,
        class_index=partial(_positions, subset),
        class_map=partial(_class_map, subset),
        select_images=partial(keep, subset),
    )


def _all_outputs(of: Benchmark) -> Benchmark:
    """The same images, argmax over all outputs."""
    return dataclasses.replace(
        of,
        name=f"{of.name}-1000way",
        title=f"{of.title}, argmax over all 1,000 outputs",
        source_benchmark=of.name,
        num_classes=OUTPUTS,
        class_index=class_index,
        class_map=None,
    )


IMAGENET_A = dataclasses.replace(
    _masked("imagenet-a", "ImageNet-A (Hendrycks et al. 2021)", "imagenet_a_classes", _own, IMAGENET),
    split="train",
    licence="MIT",
    download_url="https://github.com/hendrycks/natural-adv-examples or hf:barkermrl/imagenet-a",
    size="7,500 images, 0.7 GB (unverified)",
)
IMAGENET_R = dataclasses.replace(
    _masked("imagenet-r", "ImageNet-R (Hendrycks et al. 2021)", "imagenet_r_classes", _own, IMAGENET),
    split="test",
    licence="MIT",
    download_url="https://github.com/hendrycks/imagenet-r or hf:axiong/imagenet-r",
    size="30,000 images, 2.19 GB",
)
IMAGENET_A_1000WAY, IMAGENET_R_1000WAY = _all_outputs(IMAGENET_A), _all_outputs(IMAGENET_R)

_FROM_IMAGENET = dataclasses.replace(IMAGENET, source_benchmark="imagenet", size="10,000 images of imagenet")
IMAGENET_A_CLEAN = _masked(
    "imagenet-a-clean", "ImageNet validation, the classes of A", "imagenet_a_classes", _of_imagenet, _FROM_IMAGENET
)
IMAGENET_R_CLEAN = _masked(
    "imagenet-r-clean", "ImageNet validation, the classes of R", "imagenet_r_classes", _of_imagenet, _FROM_IMAGENET
)
"""What accuracy on A and R is compared with: clean images, the same choice."""
