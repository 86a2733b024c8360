"""Tiny-ImageNet: 10,000 validation images of 64x64 pixels, 200 of ImageNet's classes, numbered by sorted wnids.

A network that was trained with the order of `wnids.txt` has other numbers; torchvision's ImageFolder sorts.
"""

from __future__ import annotations

import dataclasses

from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from ..class_names import unambiguous
from ..layouts.published import TINY_FOLDERS
from .imagenet import class_index as imagenet_class_index
from .imagenet import facts


def class_index() -> dict[str, int]:
    """Return the index of every wnid and of the names of its class that are unambiguous."""
    of_imagenet = imagenet_class_index()
    number_of = {of_imagenet[wnid]: number for number, wnid in enumerate(facts("tiny_imagenet_classes")["wnids"])}
    return unambiguous((name, number_of[index]) for name, index in of_imagenet.items() if index in number_of)


TINY_IMAGENET = Benchmark(
    name="tiny-imagenet",
    title="Tiny-ImageNet validation (Stanford CS231n 2015)",
    label_space="tiny-imagenet",
    split="validation",
    licence="non-commercial research (unverified)",
    download_url="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    size="10,000 images, 0.2 GB (unverified)",
    num_classes=200,
    class_index=class_index,
)
TINY_IMAGENET_C = dataclasses.replace(
    TINY_IMAGENET,
    name="tiny-imagenet-c",
    title="Tiny-ImageNet-C, the published files (Hendrycks & Dietterich 2019)",
    licence="CC BY 4.0 (unverified)",
    download_url="https://zenodo.org/record/2536630",
    size="750,000 images (size unknown)",
    source_benchmark="tiny-imagenet",
    geometry=Geometry(size=64, mode="none"),
    layout=TINY_FOLDERS,
)
