"""Arrays of images as libraries and authors publish them: `.npz`, `.npy`, IDX, MATLAB and raw binary files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from world_layouts import WorldLayout, shown, shown_grey

COUNT = 10
LABELS = np.array([3, 0, 9, 1, 2, 8, 4, 7, 5, 6])
STL10_NAMES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


def colored(labels: np.ndarray = LABELS, size: int = 8) -> np.ndarray:
    return np.stack([shown(int(label), size) for label in labels])


def grey(labels: np.ndarray = LABELS, size: int = 28) -> np.ndarray:
    return np.stack([shown_grey(int(label), size) for label in labels])


def npz(name: str, **arrays: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / name, **arrays)
        return folder / name

    return make


def npy(place: str = "", **arrays: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for name, array in arrays.items():
            np.save(folder / f"{name.replace('__', '.')}.npy", array)
        return folder / place

    return make


def idx(array: np.ndarray) -> bytes:
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, prefix: str, labels: np.ndarray = LABELS, suffix: str = "", dot: str = "-") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for what, dimensions, array in (("images", 3, grey(labels)), ("labels", 1, labels)):
        content = idx(array)
        path = folder / f"{prefix}-{what}{dot}idx{dimensions}-ubyte{suffix}"
        path.write_bytes(gzip.compress(content) if suffix else content)
    return folder


def mnist_root(folder: Path) -> Path:
    for suffix in ("", ".gz"):
        write_idx(folder / "MNIST" / "raw", "t10k", suffix=suffix)
        write_idx(folder / "MNIST" / "raw", "train", LABELS[::-1], suffix=suffix)
    return folder


def emnist(folder: Path) -> Path:
    for name in ("balanced", "letters"):
        write_idx(folder / "EMNIST" / "raw", f"emnist-{name}-test")
    return folder


def emnist_file(folder: Path) -> Path:
    return emnist(folder) / "EMNIST" / "raw" / "emnist-letters-test-images-idx3-ubyte"


def labels_forgotten(folder: Path) -> Path:
    write_idx(folder, "t10k")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    return folder


def idx_cut_short(folder: Path, size: int = -1) -> Path:
    path = write_idx(folder, "t10k") / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:size])
    return path


def svhn(folder: Path) -> Path:
    for split, labels in (("train", LABELS[::-1]), ("test", LABELS)):
        numbers = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        savemat(folder / f"{split}_32x32.mat", {"X": np.moveaxis(colored(labels, 32), 0, -1), "y": numbers})
    return folder


def stl10(folder: Path) -> Path:
    binary = folder / "stl10_binary"
    binary.mkdir()
    for split, labels in (("train", LABELS[::-1]), ("test", LABELS)):
        images = colored(labels, 96)
        images[:, :, 0, :] = 255  # the left column of pixels is white, so that swapped axes are seen
        (binary / f"{split}_X.bin").write_bytes(images.transpose(0, 3, 2, 1).tobytes())
        (binary / f"{split}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())
    (binary / "class_names.txt").write_text("\n".join(STL10_NAMES) + "\n")
    return folder


def archive(folder: Path) -> Path:
    (folder / "stl10_binary.tar.gz").write_bytes(gzip.compress(b"images"))
    return folder / "stl10_binary.tar.gz"


def pickled_npy(folder: Path) -> Path:
    np.save(folder / "images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(folder / "labels.npy", np.array([0]))
    return folder


def two_npz(folder: Path) -> Path:
    for name in ("pathmnist", "bloodmnist"):
        np.savez(folder / f"{name}.npz", test_images=grey(), test_labels=LABELS[:, None])
    return folder


def cifar102(folder: Path) -> Path:
    for split, labels in (("train", LABELS[::-1]), ("test", LABELS)):
        names = np.array(["airplane", "automobile"])
        np.savez(folder / f"cifar102_{split}.npz", images=colored(labels, 32), labels=labels, label_names=names)
    return folder


_ONE_HOT = np.eye(COUNT, dtype=np.float32)[LABELS]
_MULTI_HOT = np.eye(COUNT, dtype=np.uint8)[LABELS] + np.eye(COUNT, dtype=np.uint8)[0]
_MNIST = {"x_train": grey(LABELS[::-1]), "y_train": LABELS[::-1], "x_test": grey(), "y_test": LABELS}
_MEDICAL = {
    "train_images": colored(LABELS[::-1]),
    "train_labels": LABELS[::-1, None].astype(np.uint8),
    "val_images": colored(LABELS[:2]),
    "val_labels": LABELS[:2, None],
    "test_images": colored(),
    "test_labels": LABELS[:, None].astype(np.uint8),
}
_V6 = {"cifar10__1_v6_data": colored(LABELS, 32), "cifar10__1_v6_labels": LABELS.astype(np.int32)}
_V4 = {"cifar10__1_v4_data": colored(LABELS[::-1], 32), "cifar10__1_v4_labels": LABELS[::-1]}


def _right(name: str, make: Callable[[Path], Path], benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=name, make=make, benchmark=benchmark, count=COUNT)


def _refused(name: str, make: Callable[[Path], Path], words: str, benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=name, make=make, benchmark=benchmark, refusal=words)


ARRAY_LAYOUTS = (
    _right("keras_mnist", npz("mnist.npz", **_MNIST)),
    _right("keras_with_a_channel", npz("set.npz", x_test=grey()[..., None], y_test=LABELS[:, None])),
    _right("keras_channels_first", npz("set.npz", x=grey()[:, None], y=LABELS)),
    _right("floats_to_255", npz("set.npz", x=colored().astype(np.float32), y=LABELS)),
    _right("one_hot_labels", npz("set.npz", x=colored(), y=_ONE_HOT)),
    _refused(
        "only_the_training_split",
        npz("set.npz", x_train=colored(), y_train=LABELS),
        "has only the split 'train', where 'test' is wanted.\nStore one pair of arrays as x and y in a file of its own",
    ),
    _right("capital_x", npz("set.npz", X_test=colored(), Y_test=LABELS)),
    _right("validation_for_test", npz("a.npz", x_train=grey()[::-1], y_train=LABELS[::-1], x_val=grey(), y_val=LABELS)),
    _right("medmnist", npz("pathmnist.npz", **_MEDICAL)),
    _right(
        "medmnist_grey_in_a_folder", lambda folder: npz("a.npz", test_images=grey(), test_labels=LABELS)(folder).parent
    ),
    _right("cifar10_1", npy(**_V6), "cifar10"),
    _right("cifar10_1_of_ones_own_name", npy(**_V6), "cifar10.1"),
    _right("cifar10_1_one_of_two", npy("cifar10.1_v6_data.npy", **_V6, **_V4), "cifar10"),
    _right("cifar10_2", cifar102, "cifar10"),
    _right("x_and_y", npy(X=colored(), y=LABELS)),
    _right(
        "x_and_y_by_split", npy(x_train=colored(LABELS[::-1]), y_train=LABELS[::-1], x_test=colored(), y_test=LABELS)
    ),
    _right("images_test_and_labels", npy(images_test=colored(), labels=LABELS)),
    _right("torchvision_mnist", mnist_root),
    _right("mnist_folder", lambda folder: mnist_root(folder) / "MNIST"),
    _right("mnist_raw", lambda folder: mnist_root(folder) / "MNIST" / "raw"),
    _right("mnist_zipped_only", lambda folder: write_idx(folder, "t10k", suffix=".gz")),
    _right("mnist_of_kaggle", lambda folder: write_idx(folder, "t10k", dot=".")),
    _right("emnist_file", emnist_file),
    _right("torchvision_svhn", svhn),
    _right("svhn_file", lambda folder: svhn(folder) / "test_32x32.mat"),
    _right("torchvision_stl10", stl10),
    _right("stl10_folder", lambda folder: stl10(folder) / "stl10_binary"),
    _refused("multi_label", npz("chestmnist.npz", test_images=grey(), test_labels=_MULTI_HOT), "every image one class"),
    _refused(
        "volumes", npz("a.npz", test_images=np.zeros((2, 28, 28, 28), np.uint8), test_labels=[[0], [1]]), "volumes"
    ),
    _refused("masks", npz("set.npz", x=grey() > 0, y=LABELS), "must be uint8 or float, got bool"),
    _refused(
        "sixteen_bits", npz("set.npz", x=grey().astype(np.uint16), y=LABELS), "got uint16.\nStore pixels as uint8"
    ),
    _refused("objects_in_npz", npz("set.npz", x=np.array([{}] * 2), y=[0, 1]), "pickled Python objects.*nothing"),
    _refused("objects_in_npy", pickled_npy, r"images.npy holds pickled Python objects"),
    _refused("cifar10_1_twice", npy(**_V6, **_V4), "several sets of images.*\nPass the .npy file", "cifar10"),
    _refused("cifar10_1_is_not_cifar100", npy(**_V6), "is CIFAR-10.", "cifar100"),
    _refused("two_npz", two_npz, r"several data sets: bloodmnist.npz, pathmnist.npz.\nPass one of them, such as .*npz"),
    _refused("emnist_has_six_sets", emnist, "holds several sets: emnist-balanced.*\nPass the file of one"),
    _refused("archive", archive, "stl10_binary.tar.gz is an archive.\nUnpack it"),
    _refused("labels_forgotten", labels_forgotten, "needs its labels, t10k-labels-idx1-ubyte"),
    _refused("idx_of_three_bytes", lambda folder: idx_cut_short(folder, 3), "not a complete IDX file"),
    _refused("idx_cut_short", idx_cut_short, "not a complete IDX file"),
)
