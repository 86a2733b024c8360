"""Layouts of ImageNet as people have it: as it is downloaded, from Kaggle and hubs, and what must not be guessed."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from datasets import ClassLabel, Dataset, Features
from datasets import Image as ImageFeature
from scipy.io import savemat
from torchvision.models._meta import _IMAGENET_CATEGORIES as TORCHVISION

from world_layouts import WorldLayout, encoded

ROWS = json.loads((Path("robustbench_eff") / "facts" / "imagenet_classes.json").read_text())["classes"]
WNIDS = [row["wnid"] for row in ROWS]
HUB = [row["lemmas"] if row["wnid"] != "n03126707" else "crane2" for row in ROWS]
"""The ClassLabel names of the hub dataset."""
SHOWN = (65, 970, 134, 517, 0, 999)
"""Class of each validation image."""
DIFFICULT = (86, 134, 517, 594, 638, 639, 657, 744, 836, 837, 264, 474)
"""Classes whose names stand for several classes in some list."""
DEVKIT = {WNIDS[label]: (label * 7 + 3) % 1000 + 1 for label in range(1000)}
"""A number for each wnid, whose order is not that of the outputs."""


def name(number: int, split: str = "val") -> str:
    return f"ILSVRC2012_{split}_{number:08d}.JPEG"


def jpeg(label: int) -> bytes:
    return encoded(label, form="JPEG")


def flat(folder: Path, labels: Iterable[int] = SHOWN, split: str = "val") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, label in enumerate(labels, 1):
        (folder / name(number, split)).write_bytes(jpeg(label))
    return folder


def folders(root: Path, names: Iterable[str], labels: Iterable[int]) -> Path:
    for number, (folder, label) in enumerate(zip(names, labels, strict=True)):
        (root / folder).mkdir(parents=True)
        (root / folder / f"{number}.JPEG").write_bytes(jpeg(label))
    return root


def tar(path: Path, members: Iterable[tuple[str, bytes]], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            information = tarfile.TarInfo(member)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return path


def write(path: Path, lines: Iterable[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def meta_mat() -> bytes:
    """The table of the devkit: the thousand classes, and an inner node of WordNet."""
    numbers = [*DEVKIT.items(), ("n00001740", 1001)]
    rows = np.empty((len(numbers), 1), dtype=[(field, "O") for field in ("ILSVRC2012_ID", "WNID", "num_children")])
    for row, (wnid, number) in enumerate(numbers):
        rows[row, 0] = (float(number), wnid, float(number > 1000))
    buffer = io.BytesIO()
    savemat(buffer, {"synsets": rows})
    return buffer.getvalue()


def devkit_files() -> dict[str, bytes]:
    numbers = "".join(f"{DEVKIT[WNIDS[label]]}\n" for label in SHOWN)
    return {"ILSVRC2012_validation_ground_truth.txt": numbers.encode(), "meta.mat": meta_mat()}


def unpacked(root: Path, *, without: str = "") -> None:
    data = root / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    for file, content in devkit_files().items():
        if file != without:
            (data / file).write_bytes(content)


def packed(root: Path) -> None:
    members = [(f"ILSVRC2012_devkit_t12/data/{file}", content) for file, content in devkit_files().items()]
    tar(root / "ILSVRC2012_devkit_t12.tar.gz", members, "w:gz")


def official_tar(root: Path) -> Path:
    return tar(root / "ILSVRC2012_img_val.tar", [(name(number), jpeg(label)) for number, label in enumerate(SHOWN, 1)])


def caffe(labels: Iterable[object] = SHOWN) -> list[str]:
    return [f"{name(number)} {label}" for number, label in enumerate(labels, 1)]


def solution(root: Path) -> None:
    """Rows in another order than the images; some images have several boxes."""
    lines = [f"{name(k)[:-5]},{WNIDS[label]} 1 2 3 4 {WNIDS[label]} 5 6 7 8 " for k, label in enumerate(SHOWN, 1)]
    write(root / "LOC_val_solution.csv", ["ImageId,PredictionString", *reversed(lines)])


def saved(folder: Path, names: list[str], labels: list[int], numbers: list[int]) -> Path:
    rows = {"image": [{"bytes": jpeg(label), "path": None} for label in labels], "label": numbers}
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=names)})
    Dataset.from_dict(rows, features=features).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def table(folder: Path, header: list[str], rows: Iterable[Iterable[object]], images: Iterable[int], ext: str) -> Path:
    (folder / "images").mkdir()
    for number, label in enumerate(images):
        (folder / "images" / f"{number:04x}.{ext}").write_bytes(encoded(label))
    with (folder / "images.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return folder


def val_txt_inside(folder: Path) -> Path:
    write(folder / "val.txt", caffe())
    return flat(folder)


def val_txt_beside(folder: Path) -> Path:
    write(folder / "meta" / "val.txt", [f"val/{line}" for line in caffe()])
    return flat(folder / "val")


def val_txt_numbered_by_the_devkit(folder: Path) -> Path:
    write(folder / "val.txt", caffe([2, 3, 4, 1000]))  # the images are the first three
    return flat(folder, range(1, 4))


def val_txt_of_file_lists(folder: Path) -> Path:
    write(folder / "val.txt", [f"{name(number)[:-5]} {number}" for number in range(1, 7)])
    return flat(folder)


def synset_labels(folder: Path) -> Path:
    lines = [*(WNIDS[label] for label in SHOWN), WNIDS[1], WNIDS[2]]
    write(folder / "imagenet_2012_validation_synset_labels.txt", lines)
    images = flat(folder / "val")
    (images / name(2)).unlink()  # the third line stays that of the third image
    return images


def damaged_labels(folder: Path) -> Path:
    write(folder / "val.txt", caffe(SHOWN[:-2]))
    return flat(folder)


def with_devkit(folder: Path, place: Callable[[Path], object]) -> Path:
    place(folder)
    return flat(folder / "val")


def flat_with_devkit_inside(folder: Path) -> Path:
    unpacked(folder)
    return flat(folder)


def kaggle(folder: Path, below: str = "", *, sorted_by_class: bool = False) -> Path:
    solution(folder)
    images = folder / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    write(folder / "ILSVRC" / "ImageSets" / "CLS-LOC" / "val.txt", [f"{name(k)[:-5]} {k}" for k in range(1, 7)])
    write(folder / "LOC_sample_submission.csv", ["ImageId,PredictionString"])
    folders(images, [WNIDS[label] for label in SHOWN], SHOWN) if sorted_by_class else flat(images)
    return folder / below


def kaggle_cut_short(folder: Path) -> Path:
    where = kaggle(folder)
    write(
        folder / "LOC_val_solution.csv",
        ["ImageId,PredictionString", f"{name(1)[:-5]},{WNIDS[65]} 1 2 3 4", name(2)[:-5]],
    )
    return where


def tar_with(folder: Path, place: Callable[[Path], object], *, pass_folder: bool = False) -> Path:
    place(folder)
    path = official_tar(folder)
    return folder if pass_folder else path


def cut_tar(folder: Path) -> Path:
    packed(folder)
    path = official_tar(folder)
    with tarfile.open(path) as archive:
        end = archive.getmembers()[3].offset
    path.write_bytes(path.read_bytes()[:end])
    return path


def class_folders_and_flat(folder: Path) -> Path:
    packed(folder)
    return folders(flat(folder / "val"), [WNIDS[3]], [3])


def webdataset(path: Path, ext: str, shard: int = 0) -> Path:
    samples = [(f"{shard}{number:05d}", label) for number, label in enumerate(SHOWN)]
    return tar(
        path,
        [
            (f"{key}.{part}", jpeg(label) if part == ext else str(label).encode())
            for key, label in samples
            for part in (ext, "cls")
        ],
    )


def shards(folder: Path) -> Path:
    for shard in range(2):
        webdataset(folder / f"imagenet1k-validation-{shard:02d}.tar", "JPEG", shard)
    return folder


def tar_of_class_folders(folder: Path) -> Path:
    members = [(f"./imagenet-r/{WNIDS[label]}/art_{k}.jpg", jpeg(label)) for k, label in enumerate((3, 3, 9, 500))]
    return tar(folder / "imagenet-r.tar", [("./imagenet-r/README.txt", b"words"), *members])


def tar_of_validation_class_folders(folder: Path) -> Path:
    return tar(folder / "val.tar", [(f"{WNIDS[label]}/{name(k)}", jpeg(label)) for k, label in enumerate(SHOWN, 1)])


def one_based_csv(folder: Path) -> Path:
    labels = [0, 499, 999]
    return table(
        folder, ["ImageId", "Class"], [(f"{k:04x}", label + 1) for k, label in enumerate(labels)], labels, "png"
    )


def ids_and_classes(folder: Path) -> Path:
    write(
        folder / "val.csv", ["ImageId,Class", *(f"{name(k)[:-5]},{WNIDS[label]}" for k, label in enumerate(SHOWN, 1))]
    )
    return flat(folder)


def nips(folder: Path) -> Path:
    header = ["ImageId", "URL", "x1", "y1", "x2", "y2", "TrueLabel", "TargetClass", "OriginalLandingURL", "License"]
    rows = [(f"{k:04x}", "", 0, 0, 1, 1, label + 1, 7, "", "") for k, label in enumerate(SHOWN)]
    return table(folder, header, rows, SHOWN, "png")


IMAGENET_LAYOUTS = tuple(
    WorldLayout(name=f"imagenet_{title}", make=make, benchmark="imagenet", count=count, refusal=refusal)
    for title, make, count, refusal in (
        ("hub_class_label", lambda at: saved(at, HUB, list(DIFFICULT), list(DIFFICULT)), len(DIFFICULT), ""),
        ("torchvision_class_label", lambda at: saved(at, TORCHVISION, list(DIFFICULT), list(DIFFICULT)), 12, ""),
        (
            "class_label_in_another_order",
            lambda at: saved(at, HUB[::-1], [0, 998], [999, 1]),
            2,
            "",
        ),
        (
            "ambiguous_name_in_another_order",
            lambda at: saved(at, HUB[::-1], [134], [999 - 134]),
            0,
            "'crane' is not a class of imagenet",
        ),
        (
            "class_label_with_background",
            lambda at: saved(at, ["background", *HUB], list(DIFFICULT), [label + 1 for label in DIFFICULT]),
            len(DIFFICULT),
            "",
        ),
        (
            "image_of_background",
            lambda at: saved(at, ["background", *HUB], [0, 1], [1, 0]),
            0,
            "'background' is not a class of imagenet",
        ),
        (
            "keras_names_as_folders",
            lambda at: folders(at, ["German_shepherd", "tiger_shark", "harp", "Cardigan"], [235, 3, 594, 264]),
            4,
            "",
        ),
        (
            "wnid_and_name_as_folders",
            lambda at: folders(at, ["n02085620-Chihuahua", "n03126707_crane"], [151, 517]),
            2,
            "",
        ),
        ("ambiguous_folder", lambda at: folders(at, ["tench", "Maillot"], [0, 638]), 0, "'Maillot' is not a class"),
        ("two_hundred_of_the_classes", lambda at: folders(at, WNIDS[::5], range(0, 1000, 5)), 200, ""),
        ("val_txt_inside", val_txt_inside, 6, ""),
        ("val_txt_beside", val_txt_beside, 6, ""),
        ("val_txt_numbered_by_the_devkit", val_txt_numbered_by_the_devkit, 0, "label 1000.*\n.*meta.mat.*subtract 1"),
        ("val_txt_of_file_lists", val_txt_of_file_lists, 0, "without labels.*\n.*LOC_val_solution.csv"),
        ("val_txt_too_short", damaged_labels, 0, r"val.txt has no label for ILSVRC2012_val_00000005.JPEG and 1 more"),
        ("synset_labels", synset_labels, 5, ""),
        ("without_labels", flat, 0, "do not tell their classes.*\nPut ILSVRC2012_devkit_t12.tar.gz"),
        ("kaggle_root", kaggle, 6, ""),
        ("kaggle_folder", partial(kaggle, below="ILSVRC"), 6, ""),
        ("kaggle_val", partial(kaggle, below="ILSVRC/Data/CLS-LOC/val"), 6, ""),
        ("kaggle_solution_cut_short", kaggle_cut_short, 0, "LOC_val_solution.csv, line 3: .*no wnid"),
        ("kaggle_sorted_by_class", partial(kaggle, sorted_by_class=True), 6, ""),
        ("ids_and_classes", ids_and_classes, 6, ""),
        (
            "numbers_from_one_in_a_csv",
            one_based_csv,
            0,
            "has label 1000; imagenet has 0 to 999.\n.*meta.mat.*subtract 1",
        ),
        ("nips_2017", nips, 6, ""),
        ("devkit_beside", partial(with_devkit, place=unpacked), 6, ""),
        ("devkit_packed", partial(with_devkit, place=packed), 6, ""),
        ("devkit_inside", flat_with_devkit_inside, 6, ""),
        (
            "devkit_without_its_table",
            partial(with_devkit, place=partial(unpacked, without="meta.mat")),
            0,
            "devkit's own numbers.*\nPut the devkit's meta.mat next to it",
        ),
        ("tar_with_devkit", partial(tar_with, place=packed), 6, ""),
        ("tar_with_val_txt", partial(tar_with, place=lambda at: write(at / "val.txt", caffe())), 6, ""),
        ("folder_of_tar_and_devkit", partial(tar_with, place=packed, pass_folder=True), 6, ""),
        ("tar_alone", official_tar, 0, "do not tell their classes"),
        ("tar_cut_short", cut_tar, 0, "cut short after 3 files"),
        ("tar_of_training_images", lambda at: tar(at / "train.tar", [("n01440764.tar", b"")]), 0, "tar of tars"),
        ("test_images", lambda at: flat(at, split="test"), 0, "no public labels"),
        ("class_folders_and_flat", class_folders_and_flat, 0, "6 validation images outside"),
        ("webdataset_upper_case", lambda at: webdataset(at / "val.tar", "JPEG"), 6, ""),
        ("webdataset_lower_case", lambda at: webdataset(at / "val.tar", "jpeg"), 6, ""),
        ("webdataset_shards", shards, 12, ""),
        ("tar_of_validation_class_folders", tar_of_validation_class_folders, 6, ""),
        ("tar_of_class_folders", tar_of_class_folders, 4, ""),
    )
)
