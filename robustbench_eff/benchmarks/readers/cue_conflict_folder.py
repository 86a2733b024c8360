"""Reader of cue-conflict stimuli in a folder without class folders: their names tell the shape and the texture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..definitions.cue_conflict import shape_and_texture
from ..labelled_images import LabelledImages
from ..reader import DocumentedLayout, Reader
from .image_files import SUFFIXES, from_paths


def _stimuli(path: Path) -> list[Path]:
    """The images of a folder without sub-folders; empty for any other path."""
    if not path.is_dir():
        return []
    children = [child for child in sorted(path.iterdir()) if not child.name.startswith(".")]
    if any(child.is_dir() for child in children):
        return []
    return [child for child in children if child.suffix.lower() in SUFFIXES]


def _understands(path: Path) -> bool:
    return any(shape_and_texture(image.name) is not None for image in _stimuli(path))


def _open(path: Path, split: str) -> LabelledImages:
    del split  # there is one
    images, shapes, textures = _stimuli(path), [], []
    for image in images:
        if (cues := shape_and_texture(image.name)) is None:
            raise DataError(
                f"{path}: the name {image.name} does not contain a shape and a texture.",
                "Stimuli are named as cat4-truck3.png. Move other images elsewhere.",
            )
        shapes.append(cues[0])
        textures.append(cues[1])
    return replace(from_paths(path, images, shapes), textures=textures)


CUE_CONFLICT_FOLDER = Reader(
    understands=_understands,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="cue-conflict stimuli without class folders: `cat4-truck3.png`, or model-vs-human's names, "
            "which have a prefix",
            labels="the shape and the texture in the name",
            class_order="sorted names",
        ),
    ),
)
