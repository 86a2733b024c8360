"""ImageNet-1k validation: 50,000 images, 1,000 classes in the order of their sorted wnids."""

from __future__ import annotations

import dataclasses
import json
from importlib.resources import files

from robustbench_eff.preprocessing import Geometry

from .benchmark import Benchmark, unambiguous
from .layouts import IMAGE_FOLDERS, VIDEO_FOLDERS


def class_index() -> dict[str, int]:
    """wnid, full lemma string, single lemma and torchvision name to index."""
    classes = json.loads((files("robustbench_eff") / "facts" / "imagenet_classes.json").read_text())["classes"]
    pairs = []
    for row in classes:
        names = {row["wnid"], row["lemmas"], row["torchvision_name"], *row["lemmas"].split(", ")}
        pairs += [(name, row["index"]) for name in sorted(names)]
    return unambiguous(pairs)


IMAGENET = Benchmark(
    name="imagenet",
    title="ImageNet-1k validation (ILSVRC 2012)",
    label_space="imagenet",
    split="validation",
    licence="non-commercial research (unverified)",
    where="https://image-net.org (ILSVRC2012_img_val.tar) or hf:ILSVRC/imagenet-1k (gated)",
    num_classes=1000,
    class_index=class_index,
)

IMAGENET_C_GENERATED = dataclasses.replace(
    IMAGENET,
    name="imagenet-c-generated",
    title="ImageNet-C made from the validation images (Hendrycks & Dietterich 2019)",
    images_of="imagenet",
    geometry=Geometry(size=224, resize=256, interpolation="bilinear"),
    jpeg_quality=85,
)
"""Made as the published files were, which are 224 x 224 JPEGs whatever the model."""

IMAGENET_P_GENERATED = dataclasses.replace(
    IMAGENET_C_GENERATED,
    name="imagenet-p-generated",
    title="ImageNet-P made from the validation images (Hendrycks & Dietterich 2019)",
    jpeg_quality=None,
)
"""As the published frames are before they become videos."""

IMAGENET_C = dataclasses.replace(
    IMAGENET_C_GENERATED,
    name="imagenet-c",
    title="ImageNet-C, the published files (Hendrycks & Dietterich 2019)",
    licence="CC BY 4.0 (unverified)",
    where="https://zenodo.org/record/2235448",
    layout=IMAGE_FOLDERS,
)
IMAGENET_P = dataclasses.replace(
    IMAGENET_P_GENERATED,
    name="imagenet-p",
    title="ImageNet-P, the published videos (Hendrycks & Dietterich 2019)",
    licence="CC BY 4.0 (unverified)",
    where="https://zenodo.org/record/3565846",
    layout=VIDEO_FOLDERS,
)
