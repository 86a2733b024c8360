"""Hugging Face datasets: a hub id, or local Parquet, Arrow, webdataset and save_to_disk files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robustbench_eff import hub
from robustbench_eff.environment import cache_folder
from robustbench_eff.errors import DataError, Missing

from .benchmark import LabelledImages, RawLabel

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp")
LABEL_COLUMNS = ("label", "cls", "class_id", "wnid", "fine_label")
ID_COLUMNS = ("id", "__key__", "name", "file_name")
BUILDERS = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}


def understands(path: Path) -> bool:
    """Whether `path` is a file or folder of Parquet, Arrow or webdataset, or was saved by save_to_disk."""
    return (path / "state.json").is_file() or bool(_data_files(path))


def open_files(path: Path) -> LabelledImages:
    """Open local files; DataError if no image and label columns are found."""
    from datasets import load_dataset, load_from_disk

    if (path / "state.json").is_file():
        files = sorted(path.glob("*.arrow"))
        dataset = load_from_disk(str(path))
    else:
        files = _data_files(path)
        with _without_progress_bars():
            dataset = load_dataset(
                BUILDERS[files[0].suffix],
                data_files=[str(file) for file in files],
                split="train",
                cache_dir=str(cache_folder() / "datasets"),
            )
    stats = [(file.name, file.stat()) for file in files]
    stamp = " ".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    return _labelled(dataset, str(path), stamp)


def missing(name: str, reference: str) -> list[Missing]:
    """What keeps the hub dataset `ID[@SPLIT]` from being opened: asks the local cache, then the hub."""
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    dataset_id = reference.partition("@")[0]
    page = f"https://huggingface.co/datasets/{dataset_id}"
    how = f"--data {name}=PATH with a local copy, or run where the hub can be reached"
    if any(Path(huggingface_hub.constants.HF_HUB_CACHE).glob(f"datasets--{dataset_id.replace('/', '--')}/snapshots/*")):
        return []
    if not hub.reachable("huggingface.co"):
        return [Missing(f"dataset {name!r} ({dataset_id}): the hub cannot be reached", page, how)]
    try:
        huggingface_hub.HfApi().dataset_info(dataset_id, timeout=hub.TIMEOUT_SECONDS)
    except GatedRepoError:
        return [Missing(f"access to {dataset_id}", page, "accept its terms there, then `hf auth login`")]
    except RepositoryNotFoundError:
        return [Missing(f"dataset {name!r}: the hub has no {dataset_id}", page, how)]
    return []


def open_hub(reference: str, split: str) -> LabelledImages:
    """Download (or find in the hub cache) `ID[@SPLIT]`; the benchmark's own split is the default."""
    from datasets import get_dataset_split_names, load_dataset

    dataset_id, _, chosen = reference.partition("@")
    available = get_dataset_split_names(dataset_id)
    picked = chosen or (split if split in available else available[0] if len(available) == 1 else None)
    if picked not in available:
        raise DataError(
            f"{dataset_id} has the splits {', '.join(available)}, not {picked or split!r}.",
            f"Choose one: hf:{dataset_id}@SPLIT",
        )
    dataset = load_dataset(dataset_id, split=picked)
    return _labelled(dataset, f"{dataset_id}@{picked}", f"{dataset_id} {picked} {dataset._fingerprint}")


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Silence the bars of `datasets` for local files, where they only flicker."""
    import datasets

    before = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            datasets.enable_progress_bars()


def _data_files(path: Path) -> list[Path]:
    if path.suffix in BUILDERS:
        return [path] if path.is_file() else []
    if not path.is_dir():
        return []
    for suffix in BUILDERS:
        if files := sorted(path.glob(f"*{suffix}")) or sorted(path.glob(f"data/*{suffix}")):
            return files
    return []


def _labelled(dataset: Any, origin: str, stamp: str) -> LabelledImages:
    from datasets import Image

    image_column = _column(dataset, IMAGE_COLUMNS, origin)
    label_column = _column(dataset, LABEL_COLUMNS, origin)
    encoded = dataset.select_columns([image_column]).cast_column(image_column, Image(decode=False))
    return LabelledImages(
        origin=origin,
        ids=_ids(dataset),
        labels=_labels(dataset, label_column),
        read=lambda position: _content(encoded[position][image_column], origin, position),
        stamp=stamp,
    )


def _column(dataset: Any, wanted: tuple[str, ...], origin: str) -> str:
    for name in wanted:
        if name in dataset.column_names:
            return name
    raise DataError(
        f"{origin} needs a column {' or '.join(wanted)}; it has {', '.join(dataset.column_names)}.",
        "Rename the column.",
    )


def _ids(dataset: Any) -> list[str]:
    """A column of unique names, else the row numbers."""
    for column in ID_COLUMNS:
        if column in dataset.column_names:
            ids = [str(value) for value in dataset[column]]
            if len(set(ids)) == len(ids):
                return ids
    return [f"{row:08d}" for row in range(len(dataset))]


def _labels(dataset: Any, column: str) -> list[RawLabel]:
    """Class names where the column has a ClassLabel with names that say more than a number."""
    names = getattr(dataset.features[column], "names", None)
    values = list(dataset[column])
    if names and not all(name.isdigit() for name in names):
        return [names[value] if value >= 0 else int(value) for value in values]
    return [value if isinstance(value, str) else int(value) for value in values]


def _content(value: dict[str, Any], origin: str, position: int) -> bytes:
    content = value["bytes"] if value["bytes"] is not None else Path(value["path"]).read_bytes()
    if not isinstance(content, bytes):
        raise DataError(f"{origin}: row {position} holds no encoded image.")
    return content
