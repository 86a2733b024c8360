"""CIFAR-10 test: 10,000 images of 32x32 pixels, 10 classes."""

from __future__ import annotations

import dataclasses

from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from ..layouts.published import ARRAYS, VIDEO_ARRAYS

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Names in the order of their indices."""

CIFAR10 = Benchmark(
    name="cifar10",
    title="CIFAR-10 test (Krizhevsky 2009)",
    label_space="cifar10",
    split="test",
    licence="none stated (unverified)",
    download_url="https://www.cs.toronto.edu/~kriz/cifar.html or hf:uoft-cs/cifar10",
    size="10,000 images, 163 MB",
    num_classes=10,
    class_index=lambda: {name: index for index, name in enumerate(CLASSES)},
    # The hash is that of Keras and of torchvision's data sets.
    files=(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
        "#sha256=6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    usual_radii={"linf": 8 / 255, "l2": 0.5},  # those of RobustBench's leaderboards, arXiv:2010.09670, section 3
)

CIFAR10_C_GENERATED = dataclasses.replace(
    CIFAR10,
    name="cifar10-c-generated",
    title="CIFAR-10-C made from the test images (Hendrycks & Dietterich 2019)",
    source_benchmark="cifar10",
    geometry=Geometry(size=32, mode="none"),
)

CIFAR10_P_GENERATED = dataclasses.replace(
    CIFAR10_C_GENERATED,
    name="cifar10-p-generated",
    title="CIFAR-10-P made from the test images (Hendrycks & Dietterich 2019)",
)

CIFAR10_C = dataclasses.replace(
    CIFAR10_C_GENERATED,
    name="cifar10-c",
    title="CIFAR-10-C, the published arrays (Hendrycks & Dietterich 2019)",
    licence="CC BY 4.0 (unverified)",
    download_url="https://zenodo.org/record/2535967",
    size="950,000 images, 2.9 GB (unverified)",
    layout=ARRAYS,
    files=(),
)
CIFAR10_P = dataclasses.replace(
    CIFAR10_C,
    name="cifar10-p",
    title="CIFAR-10-P, the published arrays (Hendrycks & Dietterich 2019)",
    licence="none stated (unverified)",
    download_url="https://github.com/hendrycks/robustness, which links to them",
    size="10,000 sequences of each perturbation (size unknown)",
    layout=VIDEO_ARRAYS,
)
CIFAR10_C_BAR = dataclasses.replace(
    CIFAR10_C,
    name="cifar10-c-bar",
    title="CIFAR-10-C-bar, made by its authors' script (Mintun et al. 2021)",
    licence="none stated (unverified)",
    download_url="made with https://github.com/facebookresearch/augmentation-corruption (make_cifar10_c_bar.py)",
    size="500,000 images (size unknown)",
)
