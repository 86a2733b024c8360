"""Folders with a file that does not belong there: it must not replace the images, nor must images vanish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from layouts_arrays import colored
from layouts_downloaded import food, pets
from layouts_imagenet import SHOWN, WNIDS, caffe, flat, jpeg, name, official_tar, tar, write
from layouts_imagenet import folders as wnid_folders
from layouts_imagenet import table as labelled_by_table
from layouts_tables import LABELS, pictures, rows, table
from world_layouts import WorldLayout, encoded, folders

TWO = {"cat": 0, "dog": 1}
_BACKWARDS = np.array([1, 0])


def arrays(place: Path, *names: str) -> None:
    """Images and labels that are not those of the folders."""
    for file in names:
        if file.endswith(".npz"):
            np.savez(place / file, x_test=colored(_BACKWARDS), y_test=[0, 1])
        else:
            np.save(place / file, [0, 1] if "labels" in file else colored(_BACKWARDS))


def beside_class_folders(*names: str, below: str = "") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folders(folder / below, TWO)
        arrays(folder, *names)
        return folder

    return make


def with_text(file: str, lines: list[str], below: str = "") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folders(folder / below, TWO)
        write(folder / file, lines)
        return folder

    return make


def with_a_tar(members: Mapping[str, int]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        tar(folder / "all.tar", [(member, encoded(label)) for member, label in members.items()])
        return folders(folder, TWO)

    return make


def tar_beside_flat_images(folder: Path) -> Path:
    tar(folder / "all.tar", [("r/cat/0.png", encoded(0)), ("r/dog/0.png", encoded(1))])
    return pictures(folder)


def plots_beside_arrays(folder: Path) -> Path:
    np.save(folder / "images.npy", colored(_BACKWARDS))
    np.save(folder / "labels.npy", _BACKWARDS)
    pictures(folder / "plots")
    return folder


def two_files_of_one_split(folder: Path) -> Path:
    arrays(folder, "x-test.npz", "x_testing.npz")
    return folder


def leftover_training_tar(folder: Path) -> Path:
    (folder / "n01440764.tar").write_bytes(b"")
    return wnid_folders(folder, WNIDS[:3], range(3))


def official_tar_beside(*places: str) -> Callable[[Path], Path]:
    """Validation images in class folders, and the tar that they came in, without the devkit."""

    def make(folder: Path) -> Path:
        for place in places:
            wnid_folders(folder / place, WNIDS[:3], range(3))
        official_tar(folder)
        return folder

    return make


def thumbnail_in_the_tar(folder: Path) -> Path:
    write(folder / "val.txt", caffe())
    images = [(f"val/{name(number)}", jpeg(label)) for number, label in enumerate(SHOWN, 1)]
    return tar(folder / "val.tar", [*images, (f"thumbnails/{name(2)}", jpeg(7))])


def labelled_twice(lines: list[str]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / "val.txt", [*caffe(), *lines])
        return flat(folder)

    return make


def kaggle_labelled_twice(folder: Path) -> Path:
    write(folder / "LOC_val_solution.csv", ["ImageId,PredictionString", f"{name(1)[:-5]},n1 1", f"{name(1)[:-5]},n2 1"])
    return flat(folder, SHOWN[:1])


def nips_of_the_background(folder: Path) -> Path:
    return labelled_by_table(folder, ["ImageId", "TrueLabel", "TargetClass"], [("0000", 0, 7)], [0], "png")


def own_photos_and_list(folder: Path) -> Path:
    """Like Oxford-IIIT Pet's folders, with a list of another form that counts from 0."""
    root = pets(folder) / "oxford-iiit-pet"
    write(root / "annotations" / "test.txt", ["Abyssinian_0 0", "Bengal_0 2"])
    return root


def food_of_a_few_classes(folder: Path, classes: tuple[str, ...] = ("apple_pie", "baklava", "waffles")) -> Path:
    root = food(folder) / "food-101"
    write(root / "meta" / "classes.txt", classes)
    write(root / "meta" / "test.txt", ["apple_pie/0", "waffles/0", "waffles/2"])
    return root


def _right(title: str, make: Callable[[Path], Path], count: int, benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=title, make=make, count=count, benchmark=benchmark)


def _refused(title: str, make: Callable[[Path], Path], words: str, benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=title, make=make, refusal=words, benchmark=benchmark)


_CLASSES = ["class_id,name", "0,cat", "1,dog"]

STRAY_LAYOUTS = (
    _refused(
        "data_set_beside_class_folders",
        beside_class_folders("mnist.npz"),
        "holds both mnist.npz and folders with images.\nPass .*mnist.npz, or move it",
    ),
    _refused("data_set_beside_a_split", beside_class_folders("mnist.npz", below="test"), "holds both mnist.npz and"),
    _refused(
        "arrays_beside_class_folders", beside_class_folders("data.npy", "labels.npy"), "holds both data.npy and folders"
    ),
    _right("plots_beside_arrays", plots_beside_arrays, 2),
    _refused("two_files_of_one_split", two_files_of_one_split, "files of one split: x-test.npz, x_testing.npz"),
    _right("list_of_classes_beside_class_folders", with_text("classes.csv", _CLASSES), 4),
    _right("list_of_classes_beside_a_split", with_text("classes.csv", _CLASSES, below="test"), 4),
    _right("list_of_classes_as_labels", with_text("labels.csv", _CLASSES), 4),
    _right("notes_beside_class_folders", with_text("notes.csv", ["name,class", f"{'a long text ' * 99},none"]), 4),
    _right("table_beside_class_folders", with_text("labels.csv", ["file,label", "cat/0.png,0", "dog/1.png,1"]), 2),
    _refused(
        "table_beside_class_folders_lacks_a_file",
        with_text("labels.csv", ["file,label", "cat/9.png,0", "dog/1.png,1"]),
        "names 'cat/9.png', which is not in",
    ),
    _right("tar_beside_class_folders", with_a_tar({"r/cat/0.png": 5, "r/dog/0.png": 6}), 4),
    _refused("tar_beside_flat_images", tar_beside_flat_images, "all.tar beside other data files.\nPass .*all.tar"),
    _right("imagenet_training_tar_beside", leftover_training_tar, 3, "imagenet"),
    _right("imagenet_tar_and_val", official_tar_beside("val"), 3, "imagenet"),
    _right("imagenet_tar_and_class_folders", official_tar_beside(""), 3, "imagenet"),
    _refused("imagenet_thumbnail", thumbnail_in_the_tar, f"holds {name(2)} twice: val/.* and thumbnails/", "imagenet"),
    _refused("imagenet_two_labels", labelled_twice([f"{name(1)} 66"]), "two labels, 65 and 66", "imagenet"),
    _right("imagenet_one_label_twice", labelled_twice([f"{name(1)} 65"]), len(SHOWN), "imagenet"),
    _refused("imagenet_two_labels_of_kaggle", kaggle_labelled_twice, "two labels, n1 and n2", "imagenet"),
    _refused("nips_2017_background", nips_of_the_background, "TrueLabel of images/0000.png is '0'", "imagenet"),
    _refused("own_list_of_photos", own_photos_and_list, "'Abyssinian_0 0'; Oxford-IIIT Pet's have .*\nLabel photos"),
    _right("food_of_a_few_classes", food_of_a_few_classes, 3),
    _refused("food_of_another_list", lambda at: food_of_a_few_classes(at, ("apple_pie",)), "lacks waffles, a class of"),
    _refused(
        "food_class_twice", lambda at: food_of_a_few_classes(at, ("apple_pie", *["waffles"] * 2)), "names a class twice"
    ),
    _refused("csv_without_a_label", table(["file,label", *rows("<row>.png,<label>")[:3], "3.png, "]), "line 5: the"),
    _refused("csv_with_nan", table(["file,label", "0.png,3", "", "1.png,nan"]), "line 4: 'nan' is what programs write"),
    _refused("csv_with_a_column_twice", table(["file,label,Label", "0.png,3,4"]), "has 2 columns named 'Label'"),
    _refused(
        "csv_with_blank_lines_lists_a_file_twice",
        table(["file,label", "", *rows("<row>.png,<label>"), "", "1.png,0"]),
        "lists 1.png in the lines 4 and 8",
    ),
    _right("csv_with_blank_lines", table(["file,label", "", *rows("<row>.png,<label>")]), len(LABELS)),
)
