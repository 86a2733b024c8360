"""CIFAR-100 test: 10,000 images of 32x32 pixels, 100 fine classes."""

from __future__ import annotations

import dataclasses
import re

from robustbench_eff.core.errors import DataError

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages
from .cifar10 import CIFAR10, CIFAR10_C, CIFAR10_C_GENERATED, CIFAR10_P

_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""
CLASSES = tuple(_NAMES.split())
"""Names in the order of their indices, which is alphabetical."""


# The hash is that of Keras and of torchvision's data sets.
_FILES = (
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    "#sha256=85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)


def class_index() -> dict[str, int]:
    """Return the index of every class name; uoft-cs/cifar100 on the hub calls the crab `cra`."""
    return {name: index for index, name in enumerate(CLASSES)} | {"cra": CLASSES.index("crab")}


def _refuse_cifar10(opened: LabelledImages) -> LabelledImages:
    """Refuse files of CIFAR-10, whose labels are valid here but mean other classes."""
    if re.search(r"CIFAR-10\b", opened.split):
        raise DataError(f"{opened.origin} is CIFAR-10.", "Pass cifar-100-python or test.bin of CIFAR-100.")
    return opened


def _cifar100(cifar10: Benchmark) -> Benchmark:
    """Return the benchmark of CIFAR-100 that corresponds to one of CIFAR-10."""
    return dataclasses.replace(
        cifar10,
        name=cifar10.name.replace("cifar10", "cifar100"),
        title=cifar10.title.replace("CIFAR-10", "CIFAR-100"),
        label_space="cifar100",
        num_classes=len(CLASSES),
        class_index=class_index,
        select_images=_refuse_cifar10,
        source_benchmark=None if cifar10.source_benchmark is None else "cifar100",
        files=_FILES if cifar10.files else (),
    )


CIFAR100 = dataclasses.replace(
    _cifar100(CIFAR10),
    download_url="https://www.cs.toronto.edu/~kriz/cifar.html or hf:uoft-cs/cifar100",
    size="10,000 images, 161 MB (unverified)",
)
CIFAR100_C_GENERATED = dataclasses.replace(
    _cifar100(CIFAR10_C_GENERATED), download_url=CIFAR100.download_url, size=CIFAR100.size
)
CIFAR100_C = dataclasses.replace(
    _cifar100(CIFAR10_C),
    download_url="https://zenodo.org/record/3555552 (unverified)",
    size="950,000 images (size unknown)",
)
CIFAR100_P = _cifar100(CIFAR10_P)
