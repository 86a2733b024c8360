"""CIFAR-10 test: 10,000 images of 32x32 pixels, 10 classes."""

from __future__ import annotations

import dataclasses

from robustbench_eff.preprocessing import Geometry

from .benchmark import Benchmark

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CIFAR10 = Benchmark(
    name="cifar10",
    title="CIFAR-10 test (Krizhevsky 2009)",
    label_space="cifar10",
    split="test",
    licence="none stated (unverified)",
    where="https://www.cs.toronto.edu/~kriz/cifar.html or hf:uoft-cs/cifar10",
    num_classes=10,
    class_index=lambda: {name: index for index, name in enumerate(CLASSES)},
)

CIFAR10_C_GENERATED = dataclasses.replace(
    CIFAR10,
    name="cifar10-c-generated",
    title="CIFAR-10-C made from the test images (Hendrycks & Dietterich 2019)",
    images_of="cifar10",
    geometry=Geometry(size=32, mode="none"),
)

CIFAR10_P_GENERATED = dataclasses.replace(
    CIFAR10_C_GENERATED,
    name="cifar10-p-generated",
    title="CIFAR-10-P made from the test images (Hendrycks & Dietterich 2019)",
)
