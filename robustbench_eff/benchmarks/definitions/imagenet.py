"""ImageNet-1k validation, and other images of its 1,000 classes, which are numbered in the order of sorted wnids."""

from __future__ import annotations

import dataclasses
import json
from importlib.resources import files
from typing import Any

from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from ..class_names import unambiguous
from ..layouts.published import FOLDERS_3DCC, IMAGE_FOLDERS, VIDEO_FOLDERS

OUTPUTS = 1000
"""Number of outputs of an ImageNet model."""


def facts(name: str) -> dict[str, Any]:
    """Return the content of a packaged JSON file about ImageNet and related sets.

    Args:
        name: Name of the file, without suffix.
    """
    content: dict[str, Any] = json.loads((files("robustbench_eff") / "facts" / f"{name}.json").read_text())
    return content


def class_index() -> dict[str, int]:
    """Return the index of every wnid, of every name that public lists give to one class only, and of every synonym.

    Synonyms are the lemmas of WordNet. A synonym of several classes is left out, unless it is the whole name of one:
    `harp` is class 594, although it is also a synonym of class 593, the harmonica.
    """
    whole = _whole_names()
    taken = {name for name, _ in whole}
    lemmas = [(name, row["index"]) for row in facts("imagenet_classes")["classes"] for name in _lemmas(row)]
    return unambiguous(whole + [(name, index) for name, index in lemmas if name not in taken])


def names_of_several_classes() -> set[str]:
    """Return the names and lemmas that `class_index` leaves out."""
    lemmas = {name for row in facts("imagenet_classes")["classes"] for name in _lemmas(row)}
    return ({name for name, _ in _whole_names()} | lemmas) - class_index().keys()


def _whole_names() -> list[tuple[str, int]]:
    """Every name that a public list gives to a class, with the index of the class."""
    rows = facts("imagenet_classes")["classes"]
    index_of = {row["wnid"]: row["index"] for row in rows}
    given = [
        (name, row["index"])
        for row in rows
        for name in (row["wnid"], row["lemmas"], _lemmas(row)[0], row["torchvision_name"])
    ]
    for names in (listed["names"] for listed in facts("imagenet_names")["lists"]):
        given += [(name, index_of[wnid]) for wnid, spellings in names.items() for name in spellings]
    return given


def _lemmas(row: dict[str, Any]) -> list[str]:
    lemmas: list[str] = row["lemmas"].split(", ")
    return lemmas


IMAGENET = Benchmark(
    name="imagenet",
    title="ImageNet-1k validation (ILSVRC 2012)",
    label_space="imagenet",
    split="validation",
    licence="non-commercial research (unverified)",
    download_url="https://image-net.org (ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz) or "
    "hf:ILSVRC/imagenet-1k (gated)",
    size="50,000 images, 6.3 GB (unverified)",
    num_classes=OUTPUTS,
    class_index=class_index,
    labels_from_one="Labels from 1 to 1000 may be the devkit's ILSVRC2012_ID, which has an order of its own: replace "
    "each by the WNID that the devkit's meta.mat gives it. Or they may be TensorFlow's numbers, in which 0 is the "
    "background: subtract 1.",
    usual_radii={"linf": 4 / 255, "l2": 3.0},  # RobustBench's and those of MadryLab's robust networks
)

IMAGENET_SKETCH = dataclasses.replace(
    IMAGENET,
    name="imagenet-sketch",
    title="ImageNet-Sketch (Wang et al. 2019)",
    split="train",
    licence="MIT (unverified)",
    download_url="https://github.com/HaohanWang/ImageNet-Sketch or hf:nateraw/imagenet-sketch#refs/convert/parquet",
    size="50,889 images, 7.6 GB (unverified)",
)
STYLIZED_IMAGENET = dataclasses.replace(
    IMAGENET,
    name="stylized-imagenet",
    title="Stylized-ImageNet (Geirhos et al. 2019)",
    licence="as ImageNet (unverified)",
    download_url="made with https://github.com/rgeirhos/Stylized-ImageNet; other stylisations give other numbers",
    size="50,000 images",
)


def _imagenetv2(variant: str, selection: str, gigabytes: str) -> Benchmark:
    return dataclasses.replace(
        IMAGENET,
        name=f"imagenetv2-{variant}",
        title=f"ImageNet-V2, {selection} (Recht et al. 2019)",
        split="test",
        licence="MIT",
        download_url="https://huggingface.co/datasets/vaishaal/ImageNetV2 (unpack the .tar.gz)",
        size=f"10,000 images, {gigabytes} GB",
    )


IMAGENETV2_MATCHED_FREQUENCY = _imagenetv2("matched-frequency", "selected as often as the originals", "1.26")
IMAGENETV2_THRESHOLD = _imagenetv2("threshold-0.7", "selected by at least 70 %", "1.25")
IMAGENETV2_TOP_IMAGES = _imagenetv2("top-images", "selected most often", "1.25")

IMAGENET_C_GENERATED = dataclasses.replace(
    IMAGENET,
    name="imagenet-c-generated",
    title="ImageNet-C made from the validation images (Hendrycks & Dietterich 2019)",
    source_benchmark="imagenet",
    geometry=Geometry(size=224, resize=256, interpolation="bilinear"),
    jpeg_quality=85,
)
"""Made as the published files were: 224 x 224 JPEGs, whatever the model."""

IMAGENET_P_GENERATED = dataclasses.replace(
    IMAGENET_C_GENERATED,
    name="imagenet-p-generated",
    title="ImageNet-P made from the validation images (Hendrycks & Dietterich 2019)",
    jpeg_quality=None,
)
"""Made as the published frames were before they became videos."""

IMAGENET_C = dataclasses.replace(
    IMAGENET_C_GENERATED,
    name="imagenet-c",
    title="ImageNet-C, the published files (Hendrycks & Dietterich 2019)",
    licence="CC BY 4.0 (unverified)",
    download_url="https://zenodo.org/record/2235448",
    size="4,750,000 images, 71 GB (unverified)",
    layout=IMAGE_FOLDERS,
)
IMAGENET_P = dataclasses.replace(
    IMAGENET_P_GENERATED,
    name="imagenet-p",
    title="ImageNet-P, the published videos (Hendrycks & Dietterich 2019)",
    licence="CC BY 4.0 (unverified)",
    download_url="https://zenodo.org/record/3565846",
    size="50,000 sequences of each perturbation (size unknown)",
    layout=VIDEO_FOLDERS,
)
IMAGENET_C_BAR = dataclasses.replace(
    IMAGENET_C,
    name="imagenet-c-bar",
    title="ImageNet-C-bar, the published files (Mintun et al. 2021)",
    licence="none stated (unverified)",
    download_url="https://github.com/facebookresearch/augmentation-corruption, which links to them and makes them",
    size="2,500,000 images (size unknown)",
)
IMAGENET_3DCC = dataclasses.replace(
    IMAGENET_C,
    name="imagenet-3dcc",
    title="ImageNet-3DCC, the published files (Kar et al. 2022)",
    licence="CC BY-NC 4.0 (unverified)",
    download_url="https://github.com/EPFL-VILAB/3DCommonCorruptions (tools/download_imagenet_3dcc.sh)",
    size="3,000,000 images (size unknown)",
    layout=FOLDERS_3DCC,
)
