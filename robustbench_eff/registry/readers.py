"""The table of readers, in the order in which they are tried."""

from __future__ import annotations

from .table import Row, Table

_READERS_MODULE = "robustbench_eff.benchmarks.readers"

READERS = Table(
    "reader",
    "robustbench_eff.readers",
    {
        "npz": Row(f"{_READERS_MODULE}.npz:NPZ", "a .npz file"),
        "cifar": Row(f"{_READERS_MODULE}.cifar_files:CIFAR_FILES", "CIFAR's own files"),
        "idx_files": Row(f"{_READERS_MODULE}.idx_files:IDX_FILES", "MNIST's IDX files"),
        "svhn": Row(f"{_READERS_MODULE}.svhn:SVHN", "SVHN's .mat files"),
        "stl10": Row(f"{_READERS_MODULE}.stl10:STL10", "STL-10's binary files"),
        "tiny_imagenet": Row(f"{_READERS_MODULE}.tiny_imagenet:TINY_IMAGENET", "tiny-imagenet-200"),
        "gtsrb": Row(f"{_READERS_MODULE}.gtsrb:GTSRB", "GTSRB"),
        "listed_photos": Row(
            f"{_READERS_MODULE}.listed_photos:LISTED_PHOTOS", "food-101, oxford-iiit-pet, flowers-102"
        ),
        "dataset_roots": Row(f"{_READERS_MODULE}.dataset_roots:DATASET_ROOTS", "torchvision's root with one data set"),
        "array_pairs": Row(f"{_READERS_MODULE}.array_pairs:ARRAY_PAIRS", "two .npy files, images and labels"),
        "imagenet_val": Row(
            f"{_READERS_MODULE}.imagenet_val:IMAGENET_VAL",
            "ILSVRC 2012's validation images in one folder or tar, with the devkit or a file of labels",
        ),
        "nips_2017": Row(f"{_READERS_MODULE}.nips_2017:NIPS_2017", "the images of NIPS 2017's competition"),
        "tar_folders": Row(f"{_READERS_MODULE}.tar_folders:TAR_FOLDERS", "a .tar of class folders"),
        "hugging_face": Row(
            f"{_READERS_MODULE}.hugging_face:HUGGING_FACE",
            "a .parquet, .arrow or .tar (webdataset) file or a folder of them, a dataset saved by save_to_disk",
        ),
        "csv_folder": Row(f"{_READERS_MODULE}.csv_folder:CSV_FOLDER", "a folder with a CSV of labels"),
        "cue_conflict_folder": Row(
            f"{_READERS_MODULE}.cue_conflict_folder:CUE_CONFLICT_FOLDER", "a folder of cue-conflict stimuli"
        ),
        "class_folders": Row(f"{_READERS_MODULE}.class_folders:CLASS_FOLDERS", "a folder of class folders"),
    },
    needs=("understands", "open"),
)
