"""Layouts of people's own images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from datasets import ClassLabel, Dataset, Features
from datasets import Image as ImageFeature

from world_layouts import WorldLayout, encoded, folders, shown

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
FORMATS = {
    ".jpg": "JPEG",
    ".JPEG": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".pgm": "PPM",
    ".ppm": "PPM",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".webp": "WEBP",
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
    ".tga": "TGA",
    "": "PNG",
}


def _class_label_out_of_alphabetical_order(folder: Path) -> Path:
    rows = {"image": [{"bytes": encoded(label), "path": None} for label in range(10)], "label": list(range(10))}
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=list(FASHION))})
    Dataset.from_dict(rows, features=features).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def _unlabelled_rows(folder: Path) -> Path:
    rows = {"image": [{"bytes": encoded(0), "path": None}] * 2, "label": [0, -1]}
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=["a", "b"])})
    Dataset.from_dict(rows, features=features).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def _every_format(folder: Path) -> Path:
    for label in range(2):
        (folder / f"c{label}").mkdir()
        for suffix, form in FORMATS.items():
            gray = "L" if suffix == ".pgm" else "RGB"
            picture = encoded(0, form=form, mode=gray) if gray == "L" else encoded(label, 32, form)
            if gray == "RGB":
                (folder / f"c{label}" / f"image{suffix}").write_bytes(picture)
    return folder


def _linked_folders(folder: Path) -> Path:
    store = folders(folder / "store", {"one": 0, "two": 1}, each=3)
    tree = folders(folder / "tree", {"a": 0, "b": 1}, each=3)
    (tree / "a" / "more").symlink_to(store / "one")
    (tree / "b" / "more").symlink_to(store / "two")
    (tree / "b" / "loop").symlink_to(tree / "b")
    return tree


def _hidden_and_foreign_files(folder: Path) -> Path:
    tree = folders(folder / "tree", {"a": 0, "b": 1})
    for name in (".ipynb_checkpoints/1.png", "a/.hidden/2.png", "a/._1.png", "__MACOSX/a/1.png", "beside.png"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(encoded(9))
    for name in ("a/Thumbs.db", "b/labels.txt", "README.md"):
        (tree / name).write_bytes(b"text")
    return tree


def _splits(folder: Path) -> Path:
    folders(folder / "train", {"a": 5, "b": 6})
    folders(folder / "valid", {"a": 5, "b": 6})
    return folders(folder / "test", {"a": 0, "b": 1}).parent


def _only_training_images(folder: Path) -> Path:
    return folders(folder / "train", {"a": 0, "b": 1}).parent


def _empty_class(folder: Path) -> Path:
    (folder / "b").mkdir()
    return folders(folder, {"a": 0, "c": 2})


def _labels_from_minus_one(folder: Path) -> Path:
    np.savez(folder / "set.npz", x=np.stack([shown(0)] * 3), y=[-1, -1, -1])
    return folder / "set.npz"


OWN_LAYOUTS = (
    WorldLayout(name="class_label_of_fashion_mnist", make=_class_label_out_of_alphabetical_order, count=10),
    WorldLayout(name="class_label_without_label", make=_unlabelled_rows, refusal="label -1, which marks an image"),
    WorldLayout(name="archive_without_labels", make=_labels_from_minus_one, refusal="label -1, which marks an image"),
    WorldLayout(name="every_image_format", make=_every_format, count=2 * (len(FORMATS) - 1)),
    WorldLayout(name="linked_folders", make=_linked_folders, count=12),
    WorldLayout(name="hidden_and_foreign_files", make=_hidden_and_foreign_files, count=4),
    WorldLayout(name="folders_of_splits", make=_splits, count=4),
    WorldLayout(
        name="training_images_only",
        make=_only_training_images,
        refusal=r"has only the split 'train', where 'test' is wanted.\nPass the folder of one split, such as .*train",
    ),
    WorldLayout(name="class_without_images", make=_empty_class, count=4),
    WorldLayout(
        name="folders_of_numbers",
        make=lambda folder: folders(folder, {str(number): number for number in range(12)}),
        count=24,
    ),
    WorldLayout(
        name="nested_folders",
        make=lambda folder: folders(folder, {"animal/cat": 0, "animal/dog": 0, "plant/tree": 1}),
        count=6,
    ),
    WorldLayout(
        name="names_in_other_alphabets",
        make=lambda folder: folders(folder, {"Ärzte": 1, "猫": 2, "Zebra": 0}),
        count=6,
    ),
)
