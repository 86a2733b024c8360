"""Cue conflict: images with the shape of one of 16 categories and the texture of another.

Source: Geirhos et al. 2019, arXiv:1811.12231, section 2.3; stimuli of rgeirhos/texture-vs-shape. A category's
probability is the mean over its ImageNet classes (207 in all), as bethgelab/model-vs-human 79ed7cd has it; by the
highest of them it is another number: `cue-conflict-max`.
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
"""cat4-truck3: the shape of a cat, the texture of a truck; trials of model-vs-human have more before it."""


def categories() -> tuple[str, ...]:
    """The 16 names, in alphabetical order."""
    return tuple(sorted(facts("cue_conflict_16")["categories"]))


def class_name(benchmark: str, index: int) -> str:
    """What a class of shapes or textures is called: of a set of other images its number."""
    return categories()[index] if benchmark in ("cue-conflict", "cue-conflict-max") else str(index)


def shape_and_texture(name: str) -> tuple[str, str] | None:
    """What the name of a stimulus says, with or without folder and suffix; None where it says nothing."""
    match = STIMULUS.search(Path(name).stem)
    return None if match is None else (match[1], match[2])


def stimulus(name: str) -> str:
    """What a stimulus is known by, whoever named the file: cat4-truck3; another image by all of its name."""
    match = STIMULUS.search(Path(name).stem)
    return name if match is None else match[0].removeprefix("_")


def _named(opened: LabelledImages) -> LabelledImages:
    """Shapes and textures as the names of the images say, unless the source has a column for them."""
    if opened.textures is not None:
        return opened
    found = [shape_and_texture(name) for name in opened.ids]
    unnamed = [name for name, cues in zip(opened.ids, found, strict=True) if cues is None]
    if unnamed:
        raise DataError(
            f"{opened.origin}: {unnamed[0]} does not say which texture it has.",
            "Stimuli are named as cat4-truck3.png; a table needs the columns shape and texture.",
        )
    cues = [cue for cue in found if cue is not None]
    return dataclasses.replace(opened, labels=[shape for shape, _ in cues], textures=[texture for _, texture in cues])


def _class_map() -> ClassMap:
    known = facts("cue_conflict_16")["categories"]
    members = tuple(tuple(known[name]["indices"]) for name in categories())
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
    select_images=_named,
    geometry=Geometry(size=224, mode="none"),
)
CUE_CONFLICT_MAX = dataclasses.replace(
    CUE_CONFLICT,
    name="cue-conflict-max",
    title=f"{CUE_CONFLICT.title}, a category by its best class",
    source_benchmark="cue-conflict",
    class_map=lambda: dataclasses.replace(_class_map(), aggregation="max"),
)
