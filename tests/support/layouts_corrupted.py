"""Layouts of sets that their authors corrupted and published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from robustbench_eff.corruptions.sequences import ROTATE
from world_layouts import WorldLayout, encoded, shown

TENCH, GOLDFISH, SHARK = "n01440764", "n01443537", "n01484850"
"""Classes 0, 1 and 2 of ImageNet."""
BULLFROG, OX = "n01641577", "n02403003"
"""Classes 2 and 49 of Tiny-ImageNet, which numbers its 200 wnids in sorted order."""
FRAMES = ROTATE.frames["cifar10"]


def _wnid_folders(folder: Path, labels: dict[str, int]) -> None:
    """One image per class that shows it, in the folder of a severity."""
    for wnid, label in labels.items():
        (folder / wnid).mkdir(parents=True)
        (folder / wnid / f"ILSVRC2012_val_{label:08d}.JPEG").write_bytes(encoded(label, 8, "JPEG"))


def _severities(
    corruption: str, severities: Sequence[str], right: str, labels: dict[str, int] | None = None
) -> Callable[[Path], Path]:
    """Only the images of one severity show their class; all others show class 9."""
    of = {TENCH: 0, GOLDFISH: 1, SHARK: 2} if labels is None else labels

    def make(folder: Path) -> Path:
        for severity in severities:
            _wnid_folders(folder / corruption / severity, of if severity == right else dict.fromkeys(of, 9))
        return folder

    return make


def _arrays(labels: np.ndarray | None, *, name: str = "fog", inside: str = ".") -> Callable[[Path], Path]:
    """Five severities of images of classes 0 to 9, of which only the third shows the classes."""

    def make(folder: Path) -> Path:
        (folder / inside).mkdir(parents=True, exist_ok=True)
        classes = [label if level == 3 else 11 for level in range(1, 6) for label in range(10)]
        np.save(folder / inside / f"{name}.npy", np.stack([shown(label, 32) for label in classes]))
        if labels is not None:
            np.save(folder / inside / "labels.npy", labels)
        return folder

    return make


def _sequences(count: int = 10, clean: int = 10) -> Callable[[Path], Path]:
    """Frames without labels, and the test set in its order."""

    def make(folder: Path) -> Path:
        frames = [np.stack([shown(label, 32)] * FRAMES) for label in range(count)]
        np.save(folder / "rotate.npy", np.stack(frames))
        np.savez(folder / "clean.npz", x=np.stack([shown(label, 32) for label in range(clean)]), y=np.arange(clean))
        return folder

    return make


def _sequences_and_class_folders(folder: Path) -> Path:
    _sequences()(folder)
    for label, name in enumerate(("airplane", "automobile")):
        (folder / "clean" / name).mkdir(parents=True)
        for number in range(5):
            (folder / "clean" / name / f"{number}.png").write_bytes(encoded(label, 32))
    return folder


def _archives(labels: np.ndarray, *, grey: bool = False) -> Callable[[Path], Path]:
    """An archive as MedMNIST-C has it for each corruption; only its fourth severity shows the classes."""

    def make(folder: Path) -> Path:
        (folder / "bloodmnist").mkdir()
        classes = [label if level == 4 else 11 for level in range(1, 6) for label in range(8)]
        pixels = np.stack([shown(label, 224) for label in classes])
        if grey:
            pixels = pixels[..., 0]
        np.savez_compressed(folder / "bloodmnist" / "brightness_up.npz", test_images=pixels, test_labels=labels)
        return folder

    return make


def _twice(folder: Path) -> Path:
    for part in ("ImageNet-C", "Tiny-ImageNet-C"):
        _wnid_folders(folder / part / "fog" / "3", {TENCH: 0})
    return folder


FIVE = ("1", "2", "3", "4", "5")
C_BAR = ("0.80", "1.60", "2.40", "4.00", "5.60")
CORRUPTED_LAYOUTS = (
    WorldLayout(
        name="imagenet_c",
        make=_severities("fog", FIVE, "3"),
        benchmark="imagenet-c",
        perturbation="fog(severity=3)",
        count=3,
    ),
    WorldLayout(
        name="imagenet_c_in_groups",
        make=_severities("noise/gaussian_noise", FIVE, "5"),
        benchmark="imagenet-c",
        perturbation="gaussian_noise(severity=5)",
        count=3,
    ),
    WorldLayout(
        name="imagenet_c_in_groups_below_its_name",
        make=_severities("ImageNet-C/blur/glass_blur", FIVE, "2"),
        benchmark="imagenet-c",
        perturbation="glass_blur(severity=2)",
        count=3,
    ),
    WorldLayout(
        name="two_sets_below_one_folder",
        make=_twice,
        benchmark="imagenet-c",
        perturbation="fog(severity=3)",
        refusal="(?s)holds fog twice.*Pass the folder of one set",
    ),
    WorldLayout(
        name="imagenet_c_bar_of_the_script",
        make=_severities("blue_noise_sample", C_BAR, "5.60"),
        benchmark="imagenet-c-bar",
        perturbation="blue_noise_sample(severity=5)",
        count=3,
    ),
    WorldLayout(
        name="imagenet_c_bar_sorts_severities_as_numbers",
        make=_severities("inverse_sparkles", ("1.00", "10.00", "2.00", "4.00", "9.00"), "9.00"),
        benchmark="imagenet-c-bar",
        perturbation="inverse_sparkles(severity=4)",
        count=3,
    ),
    WorldLayout(
        name="imagenet_c_bar_of_the_archive",
        make=_severities("sparkles", FIVE, "4"),
        benchmark="imagenet-c-bar",
        perturbation="sparkles(severity=4)",
        count=3,
    ),
    WorldLayout(
        name="imagenet_c_bar_with_severities_missing",
        make=_severities("sparkles", ("1.00", "2.00"), "2.00"),
        benchmark="imagenet-c-bar",
        perturbation="sparkles(severity=2)",
        refusal="sparkles/2 cannot be read",
    ),
    WorldLayout(
        name="imagenet_3dcc",
        make=_severities("near_focus", FIVE, "1"),
        benchmark="imagenet-3dcc",
        perturbation="near_focus(severity=1, constants='imagenet_3dcc')",
        count=3,
    ),
    WorldLayout(
        name="imagenet_3dcc_unpacked_into_a_folder_of_its_name",
        make=_severities("flash/flash", FIVE, "2"),
        benchmark="imagenet-3dcc",
        perturbation="flash(severity=2, constants='imagenet_3dcc')",
        count=3,
    ),
    WorldLayout(
        name="imagenet_3dcc_nested_below_its_name",
        make=_severities("ImageNet-3DCC/flash/flash", FIVE, "2"),
        benchmark="imagenet-3dcc",
        perturbation="flash(severity=2, constants='imagenet_3dcc')",
        count=3,
    ),
    WorldLayout(
        name="tiny_imagenet_c",
        make=_severities("Tiny-ImageNet-C/snow", FIVE, "5", {BULLFROG: 2, OX: 49}),
        benchmark="tiny-imagenet-c",
        perturbation="snow(severity=5, constants='tiny_imagenet')",
        count=2,
    ),
    WorldLayout(
        name="tiny_imagenet_c_with_another_class",
        make=_severities("snow", FIVE, "5", {TENCH: 0}),
        benchmark="tiny-imagenet-c",
        perturbation="snow(severity=5, constants='tiny_imagenet')",
        refusal="'n01440764' is not a class of tiny-imagenet-c",
    ),
    WorldLayout(
        name="cifar10_c_with_labels_once",
        make=_arrays(np.arange(10)),
        benchmark="cifar10-c",
        perturbation="fog(severity=3, constants='cifar10')",
        count=10,
    ),
    WorldLayout(
        name="cifar10_c_with_labels_five_times",
        make=_arrays(np.tile(np.arange(10), 5), inside="CIFAR-10-C"),
        benchmark="cifar10-c",
        perturbation="fog(severity=3, constants='cifar10')",
        count=10,
    ),
    WorldLayout(
        name="cifar10_c_bar",
        make=_arrays(np.tile(np.arange(10), 5), name="ripple"),
        benchmark="cifar10-c-bar",
        perturbation="ripple(severity=3, constants='cifar10')",
        count=10,
    ),
    WorldLayout(
        name="cifar10_c_without_labels",
        make=_arrays(None),
        benchmark="cifar10-c",
        perturbation="fog(severity=3, constants='cifar10')",
        refusal="(?s)needs labels in the same folder, or the test set.*Add --data cifar10=PATH",
    ),
    WorldLayout(
        name="cifar10_p_with_the_labels_of_the_test_set",
        make=_sequences(),
        benchmark="cifar10-p",
        perturbation="rotate_sequence(constants='cifar10')",
        clean="clean.npz",
        count=10,
    ),
    WorldLayout(
        name="cifar10_p_with_another_number_of_test_images",
        make=_sequences(clean=7),
        benchmark="cifar10-p",
        perturbation="rotate_sequence(constants='cifar10')",
        clean="clean.npz",
        refusal="holds 10 samples, and .*clean.npz has 7",
    ),
    WorldLayout(
        name="cifar10_p_with_a_test_set_in_another_order",
        make=_sequences_and_class_folders,
        benchmark="cifar10-p",
        perturbation="rotate_sequence(constants='cifar10')",
        clean="clean",
        refusal="does not have the order of the published test set",
    ),
    WorldLayout(
        name="medmnist_c",
        make=_archives(np.tile(np.arange(8), 5)[:, None]),
        benchmark="bloodmnist-c",
        perturbation="brightness_up(severity=4, constants='bloodmnist')",
        count=8,
    ),
    WorldLayout(
        name="medmnist_c_with_several_labels",
        make=_archives(np.zeros((40, 14), np.uint8)),
        benchmark="bloodmnist-c",
        perturbation="brightness_up(severity=4, constants='bloodmnist')",
        refusal=r"(?s)labels of shape \(40, 14\).*several labels",
    ),
)
