"""ObjectNet: photographs of 313 objects in unusual places, of which 113 are classes of ImageNet.

A border of 2 pixels is cut off, and the argmax is taken over the 125 outputs of the 113 objects; any output of the
object is correct. The argmax over all outputs gives another number: `objectnet-1000way`.

Source: Barbu et al. 2019, "ObjectNet: a large-scale bias-controlled dataset"; protocol as in the ImageNet testbed,
modestyachts/imagenet-testbed 0170eec.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from robustbench_eff.core.errors import DataError
from robustbench_eff.models.class_map import ClassMap

from ..benchmark import Benchmark
from ..class_names import known_names
from ..labelled_images import LabelledImages, plain_labels, select
from ..labels import resolve_labels
from .imagenet import IMAGENET, OUTPUTS, facts

OBJECTS = 113
"""Number of objects that are classes of ImageNet."""


def _mapping() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = facts("objectnet_to_imagenet")["mapping"]
    return rows


def _class_index() -> dict[str, int]:
    """Return the index of every object by its name and by the name of its folder."""
    return {row[key]: position for position, row in enumerate(_mapping()) for key in ("folder", "objectnet")}


def _class_map() -> ClassMap:
    return ClassMap(outputs=OUTPUTS, members=tuple(tuple(row["imagenet_indices"]) for row in _mapping()))


def _all_outputs() -> ClassMap:
    """Return the class map of the objects, followed by every other output as a class of its own."""
    objects = _class_map().members
    taken = {output for members in objects for output in members}
    others = tuple((output,) for output in range(OUTPUTS) if output not in taken)
    return ClassMap(outputs=OUTPUTS, members=objects + others)


def _published_images(opened: LabelledImages) -> LabelledImages:
    """Return the images of the 113 objects; numeric labels are refused, because their order is not documented."""
    labels = plain_labels(opened)
    if any(isinstance(label, int) for label in labels):
        raise DataError(
            f"{opened.origin} labels its objects by numbers.", "Label them by name, as the published folders do."
        )
    known = known_names(map(str, labels), _class_index())
    rows = [row for row, label in enumerate(labels) if label in known]
    return select(opened, rows, [labels[row] for row in rows])


def _imagenet_images(opened: LabelledImages) -> LabelledImages:
    """Return the images of the objects among those of ImageNet, labelled by object."""
    objects = {output: position for position, members in enumerate(_class_map().members) for output in members}
    labels = resolve_labels(IMAGENET, opened).labels.tolist()
    rows = [row for row, label in enumerate(labels) if label in objects]
    return select(opened, rows, [objects[labels[row]] for row in rows])


OBJECTNET = Benchmark(
    name="objectnet",
    title="ObjectNet, the 113 classes of ImageNet (Barbu et al. 2019)",
    label_space="imagenet",
    licence="for evaluation only, no training",
    download_url="https://objectnet.dev (the folder `images` of the archive)",
    size="18,514 of 50,000 images, 190 GB (unverified)",
    num_classes=OBJECTS,
    class_index=_class_index,
    class_map=_class_map,
    select_images=_published_images,
    crop_border=2,
)
OBJECTNET_1000WAY = dataclasses.replace(
    OBJECTNET,
    name="objectnet-1000way",
    title=f"{OBJECTNET.title}, argmax over all 1,000 outputs",
    source_benchmark="objectnet",
    num_classes=len(_all_outputs().members),
    class_map=_all_outputs,
)
OBJECTNET_CLEAN = dataclasses.replace(
    IMAGENET,
    name="objectnet-clean",
    title="ImageNet validation, the classes of ObjectNet",
    source_benchmark="imagenet",
    size="6,250 images of imagenet",
    num_classes=OBJECTS,
    class_index=_class_index,
    class_map=_class_map,
    select_images=_imagenet_images,
)
"""Clean images of the same classes, with which accuracy on ObjectNet is compared."""
