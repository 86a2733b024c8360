"""Cue conflict: images with the shape of one of 16 categories and the texture of another.

The probability of a category is the mean over its ImageNet classes (207 in all). Taking the highest of them instead
gives another number: `cue-conflict-max`.

Source: Geirhos et al. 2019, arXiv:1811.12231, section 2.3; stimuli of rgeirhos/texture-vs-shape; mean over classes as
in bethgelab/model-vs-human 79ed7cd.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.models.class_map import ClassMap

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages
from .imagenet import OUTPUTS, facts

STIMULUS = re.compile(r"(?:^|_)([a-z]+)\d+-([a-z]+)\d+$")
"""`cat4-truck3` has the shape of a cat and the texture of a truck; names in model-vs-human have a prefix."""


def categories() -> tuple[str, ...]:
    """Return the names of the 16 categories, in alphabetical order."""
    return tuple(sorted(facts("cue_conflict_16")["categories"]))


def class_name(benchmark: str, index: int) -> str:
    """Return the name of a class of shapes or textures; its number for a set with other classes.

    Args:
        benchmark: Name of the benchmark.
        index: Class index.
    """
    return categories()[index] if benchmark in ("cue-conflict", "cue-conflict-max") else str(index)


def shape_and_texture(name: str) -> tuple[str, str] | None:
    """Return shape and texture of a stimulus, or None for a name of another form.

    Args:
        name: Name of the stimulus, with or without folder and suffix.
    """
    match = STIMULUS.search(Path(name).stem)
    return None if match is None else (match[1], match[2])


def stimulus(name: str) -> str:
    """Return the part of a name that identifies a stimulus, such as `cat4-truck3`; the whole name of any other image.

    Args:
        name: Name of the stimulus, with or without folder and suffix.
    """
    match = STIMULUS.search(Path(name).stem)
    return name if match is None else match[0].removeprefix("_")


def _with_textures(opened: LabelledImages) -> LabelledImages:
    """Add the shapes and textures that the names of the images tell, unless the source has columns for them."""
    if opened.textures is not None:
        return opened
    shapes, textures = [], []
    for name in opened.ids:
        if (cues := shape_and_texture(name)) is None:
            raise DataError(
                f"{opened.origin}: the name {name} does not contain a shape and a texture.",
                "Stimuli are named as cat4-truck3.png; a table needs the columns shape and texture.",
            )
        shapes.append(cues[0])
        textures.append(cues[1])
    return dataclasses.replace(opened, labels=shapes, textures=textures)


def _class_map() -> ClassMap:
    facts_of = facts("cue_conflict_16")["categories"]
    members = tuple(tuple(facts_of[name]["indices"]) for name in categories())
    return ClassMap(outputs=OUTPUTS, members=members, aggregation="mean")


CUE_CONFLICT = Benchmark(
    name="cue-conflict",
    title="shape-texture cue conflict (Geirhos et al. 2019)",
    label_space="imagenet",
    licence="CC BY 4.0",
    download_url="https://github.com/rgeirhos/texture-vs-shape (stimuli/style-transfer-preprocessed-512)",
    size="1,280 images, 0.1 GB (unverified)",
    num_classes=16,
    class_index=lambda: {name: index for index, name in enumerate(categories())},
    class_map=_class_map,
    select_images=_with_textures,
    geometry=Geometry(size=224, mode="none"),
)
CUE_CONFLICT_MAX = dataclasses.replace(
    CUE_CONFLICT,
    name="cue-conflict-max",
    title=f"{CUE_CONFLICT.title}, a category by its best class",
    source_benchmark="cue-conflict",
    class_map=lambda: dataclasses.replace(_class_map(), aggregation="max"),
)
