"""Benchmarks as they lie on disk after the usual download."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from layouts_arrays import ARRAY_LAYOUTS, LABELS, colored, mnist_root
from layouts_tables import TABLE_LAYOUTS, pictures
from robustbench_eff.benchmarks.definitions import cifar10, cifar100
from world_layouts import WorldLayout, encoded

FINE = np.array([99, 0, 26, 5, 42])
WNIDS = ("n02124075", "n01443537", "n04067472", "n03255030")
"""The order of wnids.txt, which is not sorted."""
TINY_LABELS = (2, 0, 3, 1, 1, 2)
"""Classes of the validation images, numbered by sorted wnid."""


def write_cifar(folder: Path, hundred: bool, binary: bool) -> Path:
    """The unpacked folder of one version."""
    kind = {(False, False): "10-batches-py", (False, True): "10-batches-bin", (True, False): "100-python"}
    place = folder / f"cifar-{kind.get((hundred, binary), '100-binary')}"
    place.mkdir(parents=True)
    labels, names = (FINE, cifar100.CLASSES) if hundred else (LABELS, cifar10.CLASSES)
    flat = colored(labels, 32).transpose(0, 3, 1, 2).reshape(len(labels), -1)
    if binary:
        columns = [np.zeros_like(labels), labels] if hundred else [labels]
        records = np.hstack([np.stack(columns, axis=1).astype(np.uint8), flat])
        (place / ("test.bin" if hundred else "test_batch.bin")).write_bytes(records.tobytes())
        text = "\n".join(names) + "\n\n"
        (place / ("fine_label_names.txt" if hundred else "batches.meta.txt")).write_text(text)
        return place
    key, meta_key = ("fine_labels", "fine_label_names") if hundred else ("labels", "label_names")
    batch = {"data": flat, key: labels.tolist()}
    (place / ("test" if hundred else "test_batch")).write_bytes(pickle.dumps(batch, protocol=2))
    (place / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps({meta_key: list(names)}, protocol=2))
    return place


def cifar_root(folder: Path, hundred: bool = False, binary: bool = False, keep: bool = True) -> Path:
    """The archive, and beside it the unpacked folder where it is kept."""
    place = write_cifar(folder, hundred, binary)
    name = f"cifar-{100 if hundred else 10}-{'binary' if binary else 'python'}.tar.gz"
    with tarfile.open(folder / name, "w:gz") as archive:
        archive.add(place, place.name)
    if not keep:
        shutil.rmtree(place)
    return folder


def two_cifars(folder: Path) -> Path:
    write_cifar(folder, hundred=False, binary=False)
    write_cifar(folder, hundred=True, binary=False)
    return mnist_root(folder)


def archive_of_something_else(folder: Path) -> Path:
    (folder / "readme").write_text("nothing")
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(folder / "readme", "readme")
    return folder / "cifar-10-python.tar.gz"


def classes_named_wrong(folder: Path) -> Path:
    place = write_cifar(folder, hundred=True, binary=False)
    (place / "meta").write_bytes(pickle.dumps({"fine_label_names": ["apple"]}))
    return place


def gtsrb(folder: Path, with_labels: bool = True) -> Path:
    """What torchvision unpacks: the images, and the labels from an archive of their own."""
    images = folder / "gtsrb" / "GTSRB" / "Final_Test" / "Images"
    images.mkdir(parents=True)
    lines = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for row, label in enumerate((16, 1, 38, 33)):
        (images / f"{row:05d}.ppm").write_bytes(encoded(label, form="PPM"))
        lines.append(f"{row:05d}.ppm;8;8;1;1;7;7;{label}")
    (images / "GT-final_test.test.csv").write_text("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2\n")
    if with_labels:
        (folder / "gtsrb" / "GT-final_test.csv").write_text("\n".join(lines) + "\n")
    return folder


def gtsrb_official(folder: Path) -> Path:
    root = gtsrb(folder) / "gtsrb"
    (root / "GT-final_test.csv").rename(root / "GTSRB" / "Final_Test" / "Images" / "GT-final_test.csv")
    return root / "GTSRB"


def gtsrb_of_kaggle(folder: Path) -> Path:
    for name in ("Train/16", "Test", "Meta"):
        (folder / name).mkdir(parents=True)
    with (folder / "Test.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId", "Path"])
        for row, label in enumerate((16, 1, 38, 33)):
            (folder / "Test" / f"{row:05d}.png").write_bytes(encoded(label))
            table.writerow([8, 8, 1, 1, 7, 7, label, f"Test/{row:05d}.png"])
    (folder / "Train" / "16" / "00000.png").write_bytes(encoded(16))
    (folder / "Train.csv").write_text("Width,Height,ClassId,Path\n8,8,16,Train/16/00000.png\n")
    (folder / "Meta.csv").write_text("Path,ClassId\nMeta/16.png,16\n")
    return folder


def imagenette(folder: Path) -> Path:
    for split, count in (("train", 3), ("val", 2)):
        for wnid, label in (("n01440764", 0), ("n02102040", 217)):
            place = folder / "imagenette2" / split / wnid
            place.mkdir(parents=True)
            for row in range(count):
                (place / f"{split}_{row}.JPEG").write_bytes(encoded(label))
    return folder


def tiny_imagenet(folder: Path) -> Path:
    root, wnids = folder / "tiny-imagenet-200", sorted(WNIDS)
    (root / "val" / "images").mkdir(parents=True)
    (root / "test" / "images").mkdir(parents=True)
    (root / "test" / "images" / "test_0.JPEG").write_bytes(encoded(0))
    (root / "wnids.txt").write_text("\n".join(WNIDS) + "\n")
    (root / "words.txt").write_text("".join(f"{wnid}\ta name\n" for wnid in WNIDS))
    lines = []
    for row, label in enumerate(TINY_LABELS):
        (root / "val" / "images" / f"val_{row}.JPEG").write_bytes(encoded(label, form="JPEG"))
        lines.append(f"val_{row}.JPEG\t{wnids[label]}\t0\t0\t7\t7\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    for label, wnid in enumerate(wnids):
        place = root / "train" / wnid / "images"
        place.mkdir(parents=True)
        (place / f"{wnid}_0.JPEG").write_bytes(encoded(label, form="JPEG"))
        (place.parent / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t7\t7\n")
    return root


def tiny_imagenet_sorted_into_folders(folder: Path) -> Path:
    """The last class has no image, the folder of images is left empty."""
    root, wnids = tiny_imagenet(folder), sorted(WNIDS)
    for row, label in enumerate(TINY_LABELS):
        if label != len(WNIDS) - 1:
            (root / "val" / wnids[label]).mkdir(exist_ok=True)
            (root / "val" / "images" / f"val_{row}.JPEG").rename(root / "val" / wnids[label] / f"val_{row}.JPEG")
    shutil.rmtree(root / "val" / "images")
    return root / "val"


def food(folder: Path) -> Path:
    root = folder / "food-101"
    (root / "meta").mkdir(parents=True)
    photos = {"apple_pie": [0, 0], "baklava": [1], "waffles": [2, 2]}
    for label, name in enumerate(photos):
        pictures(root / "images" / name, photos[name] + [label], ".jpg")
    for split, rows in (("train", [2]), ("test", [0, 1])):
        listed = {name: [f"{name}/{row}" for row in rows if row < len(photos[name])] for name in photos}
        (root / "meta" / f"{split}.json").write_text(json.dumps(listed))
        (root / "meta" / f"{split}.txt").write_text("".join(f"{line}\n" for name in photos for line in listed[name]))
    return folder


def pets(folder: Path) -> Path:
    """Breeds count from 1; cats have capitals, so that the order is not that of sorted words alone."""
    root = folder / "oxford-iiit-pet"
    pictures(root / "images", [])
    (root / "annotations" / "trimaps").mkdir(parents=True)
    lines = []
    for label, name in enumerate(("Abyssinian", "american_bulldog", "Bengal")):
        for row in range(2):
            (root / "images" / f"{name}_{row}.jpg").write_bytes(encoded(label))
            (root / "annotations" / "trimaps" / f"{name}_{row}.png").write_bytes(encoded(9))
            lines.append(f"{name}_{row} {label + 1} {1 + label % 2} 1\n")
    (root / "annotations" / "test.txt").write_text("".join(lines))
    (root / "annotations" / "trainval.txt").write_text(lines[0])
    return folder


def flowers(folder: Path) -> Path:
    labels, test = np.array([77, 4, 101, 0, 33]), np.array([5, 2, 1])
    root = folder / "flowers-102"
    (root / "jpg").mkdir(parents=True)
    for row, label in enumerate(labels, 1):
        (root / "jpg" / f"image_{row:05d}.jpg").write_bytes(encoded(int(label)))
    savemat(root / "imagelabels.mat", {"labels": labels[None] + 1})
    savemat(root / "setid.mat", {"trnid": np.array([[3]]), "valid": np.array([[4]]), "tstid": test[None]})
    return folder


def flowers_not_unpacked(folder: Path) -> Path:
    (flowers(folder) / "flowers-102" / "jpg" / "image_00002.jpg").unlink()
    return folder


def stimuli(folder: Path, prefix: str = "", below: str = "") -> Path:
    """Six stimuli whose pictures show the categories of their shapes."""
    place = folder / "stimuli" / below
    place.mkdir(parents=True)
    for row, (label, names) in enumerate(((4, "boat1-car2"), (1, "bear3-elephant1"), (5, "bottle10-dog2"))):
        (place / f"{prefix.format(row)}{names}.png").write_bytes(encoded(label))
    return folder / "stimuli"


def stimulus_without_texture(folder: Path) -> Path:
    (stimuli(folder) / "notes.png").write_bytes(encoded(0))
    return folder / "stimuli"


def _right(name: str, make: Callable[[Path], Path], count: int, benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=name, make=make, benchmark=benchmark, count=count)


def _refused(name: str, make: Callable[[Path], Path], words: str, benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=name, make=make, benchmark=benchmark, refusal=words)


DOWNLOADED_LAYOUTS = (
    *ARRAY_LAYOUTS,
    *TABLE_LAYOUTS,
    _right("torchvision_cifar10", cifar_root, 10, "cifar10"),
    _right("torchvision_cifar100", lambda folder: cifar_root(folder, hundred=True), 5, "cifar100"),
    _right("cifar10_of_ones_own_name", cifar_root, 10),
    _right("archive_in_a_root", lambda folder: cifar_root(folder, keep=False), 10, "cifar10"),
    *(
        _right(
            f"archive_of_cifar{hundred}_{kind}",
            lambda folder, hundred=hundred, kind=kind: (
                cifar_root(folder, hundred == 100, kind == "binary", keep=False) / f"cifar-{hundred}-{kind}.tar.gz"
            ),
            count,
            f"cifar{hundred}",
        )
        for hundred, count in ((10, 10), (100, 5))
        for kind in ("python", "binary")
    ),
    _refused(
        "several_data_sets", two_cifars, "several data sets: MNIST, cifar-10-batches-py, cifar-100-python", "cifar10"
    ),
    _right("one_of_several", lambda folder: two_cifars(folder) / "cifar-100-python", 5, "cifar100"),
    _refused("cifar10_root_for_cifar100", cifar_root, "is CIFAR-10", "cifar100"),
    _refused("archive_without_images", archive_of_something_else, "holds none of test_batch.bin", "cifar10"),
    _refused("names_of_another_set", classes_named_wrong, "has label 99, and the file beside it names 1 classes"),
    _right("torchvision_gtsrb", gtsrb, 4),
    _right("gtsrb_official", gtsrb_official, 4),
    _right("gtsrb_images", lambda folder: gtsrb(folder) / "gtsrb/GTSRB/Final_Test/Images", 4),
    _right("gtsrb_of_kaggle", gtsrb_of_kaggle, 4),
    _refused("gtsrb_without_labels", lambda folder: gtsrb(folder, with_labels=False), "GT-final_test.csv is missing"),
    _right("torchvision_food101", food, 5),
    _right("torchvision_pets", pets, 6),
    _right("pets_folder", lambda folder: pets(folder) / "oxford-iiit-pet", 6),
    _right("torchvision_flowers", flowers, 3),
    _refused("flowers_not_unpacked", flowers_not_unpacked, "lacks jpg/image_00002.jpg, one of 1 photos"),
    _right("torchvision_imagenette", imagenette, 4, "imagenet"),
    _right("tiny_imagenet", tiny_imagenet, 6),
    _right("tiny_imagenet_val", lambda folder: tiny_imagenet(folder) / "val", 6),
    _right("tiny_imagenet_root_above", lambda folder: tiny_imagenet(folder).parent, 6),
    _right("tiny_imagenet_in_class_folders", tiny_imagenet_sorted_into_folders, 5),
    _right("tiny_imagenet_train", lambda folder: tiny_imagenet(folder) / "train", 4),
    _refused("tiny_imagenet_test", lambda folder: tiny_imagenet(folder) / "test", "has no labels.*\nPass .*val"),
    _right("flat_stimuli", stimuli, 3, "cue-conflict"),
    _right("flat_stimuli_with_prefix", lambda folder: stimuli(folder, "{:04d}_cue_dnn_00_boat_10_"), 3, "cue-conflict"),
    _right("flat_stimuli_in_a_folder", lambda folder: stimuli(folder, below="dnn/session-1"), 3, "cue-conflict"),
    _refused(
        "stimulus_without_texture", stimulus_without_texture, "notes.png does not contain a shape", "cue-conflict"
    ),
)
