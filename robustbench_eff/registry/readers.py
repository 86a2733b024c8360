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
        "imagenet_val": Row(
            f"{_READERS_MODULE}.imagenet_val:IMAGENET_VAL",
            "ILSVRC 2012's validation images in one folder or tar, with the devkit or a file of labels",
        ),
        "tar_folders": Row(f"{_READERS_MODULE}.tar_folders:TAR_FOLDERS", "a .tar of class folders"),
        "hugging_face": Row(
            f"{_READERS_MODULE}.hugging_face:HUGGING_FACE",
            "a .parquet, .arrow or .tar (webdataset) file or a folder of them, a dataset saved by save_to_disk",
        ),
        "csv_folder": Row(f"{_READERS_MODULE}.csv_folder:CSV_FOLDER", "a folder with a CSV of labels"),
        "class_folders": Row(f"{_READERS_MODULE}.class_folders:CLASS_FOLDERS", "a folder of class folders"),
    },
)
