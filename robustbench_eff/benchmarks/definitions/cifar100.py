"""CIFAR-100 test: 10,000 images of 32x32 pixels, 100 fine classes."""

from __future__ import annotations

import dataclasses

from robustbench_eff.core.errors import DataError

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages
from .cifar10 import CIFAR10, CIFAR10_C, CIFAR10_C_GENERATED

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
"""In the order of their indices, which is alphabetical."""


def class_index() -> dict[str, int]:
    """Names to indices; uoft-cs/cifar100 on the hub calls the crab `cra`."""
    return {name: index for index, name in enumerate(CLASSES)} | {"cra": CLASSES.index("crab")}


def _of_these(opened: LabelledImages) -> LabelledImages:
    """Files of CIFAR-10 have labels that would do, and mean something else."""
    if opened.split.endswith(" of CIFAR-10"):
        raise DataError(f"{opened.origin} is CIFAR-10.", "Give cifar-100-python or test.bin of CIFAR-100.")
    return opened


def _of_100(of: Benchmark) -> Benchmark:
    """What there is of CIFAR-10, of CIFAR-100."""
    return dataclasses.replace(
        of,
        name=of.name.replace("cifar10", "cifar100"),
        title=of.title.replace("CIFAR-10", "CIFAR-100"),
        label_space="cifar100",
        num_classes=len(CLASSES),
        class_index=class_index,
        select_images=_of_these,
        source_benchmark=None if of.source_benchmark is None else "cifar100",
    )


CIFAR100 = dataclasses.replace(
    _of_100(CIFAR10),
    download_url="https://www.cs.toronto.edu/~kriz/cifar.html or hf:uoft-cs/cifar100",
    size="10,000 images, 161 MB (unverified)",
)
CIFAR100_C_GENERATED = dataclasses.replace(
    _of_100(CIFAR10_C_GENERATED), download_url=CIFAR100.download_url, size=CIFAR100.size
)
CIFAR100_C = dataclasses.replace(
    _of_100(CIFAR10_C),
    download_url="https://zenodo.org/record/3555552 (unverified)",
    size="950,000 images (size unknown)",
)
