"""Hugging Face datasets: a hub id, or local Parquet, Arrow, webdataset and save_to_disk files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from robustbench_eff.core.disk import cache_folder
from robustbench_eff.core.errors import DataError, Missing
from robustbench_eff.system import network

from ..labelled_images import LabelledImages, file_stamp

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp")
SHAPE_COLUMN, TEXTURE_COLUMN = "shape", "texture"
LABEL_COLUMNS = ("label", "cls", "class_id", "wnid", "fine_label", SHAPE_COLUMN)
ID_COLUMNS = ("id", "__key__", "name", "file_name")
BUILDERS = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}
SAVED = ("state.json", "dataset_dict.json")


def understands(path: Path) -> bool:
    """Whether `path` is a file or folder of Parquet, Arrow or webdataset, or was saved by save_to_disk."""
    return any((path / name).is_file() for name in SAVED) or bool(_data_files(path))


def open_files(path: Path, split: str) -> LabelledImages:
    """Open local files; of several splits the benchmark's own is taken.

    Raises DataError if no image and label columns are found, or the split is not there.
    """
    from datasets import load_dataset, load_from_disk

    files, cache = _data_files(path), str(cache_folder() / "datasets")
    with _without_progress_bars():
        if not files:
            files = sorted(path.rglob("*.arrow"))
            found = load_from_disk(str(path))
        elif path.is_file():
            found = load_dataset(BUILDERS[path.suffix], data_files=str(path), split="train", cache_dir=cache)
        else:
            found = load_dataset(str(path), cache_dir=cache)
    stamp = "\n".join(file_stamp(file) for file in files)
    if not isinstance(found, Mapping):
        return _labelled(found, str(path), stamp)
    if len(found) == 1 and set(found) <= {"train", split}:  # a folder without splits is all "train"
        return _labelled(next(iter(found.values())), str(path), stamp)
    picked = _pick(split, "", list(found), str(path))
    return _labelled(found[picked], f"{path}@{picked}", f"{picked}\n{stamp}", picked)


def missing(name: str, reference: str) -> list[Missing]:
    """What keeps the hub dataset `ID[@SPLIT][#REVISION]` from being opened: asks the local cache, then the hub."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    dataset_id, _, revision = _parts(reference)
    page = f"https://huggingface.co/datasets/{dataset_id}"
    how = f"--data {name}=PATH with a local copy, or run where the hub can be reached"
    cached = Path(constants.HF_HUB_CACHE) / f"datasets--{dataset_id.replace('/', '--')}"
    names = ("snapshots/*",) if revision is None else (f"refs/{revision}", f"snapshots/{revision}")
    if any(any(cached.glob(name)) for name in names):
        return []
    if not network.reachable("huggingface.co"):
        return [Missing(f"dataset {name!r} ({dataset_id}): the hub cannot be reached", page, how)]
    try:
        HfApi().dataset_info(dataset_id, revision=revision, timeout=network.TIMEOUT_SECONDS)
    except GatedRepoError:
        return [Missing(f"access to {dataset_id}", page, "accept its terms there, then `hf auth login`")]
    except RepositoryNotFoundError:
        return [Missing(f"dataset {name!r}: the hub has no {dataset_id}", page, how)]
    except RevisionNotFoundError:
        return [Missing(f"dataset {name!r}: {dataset_id} has no revision {revision}", page, how)]
    except Exception as error:  # noqa: BLE001  a bad id, or whatever the hub's HTTP client raises
        return [Missing(f"dataset {name!r} ({dataset_id}): {type(error).__name__}: {error}", page, how)]
    return []


def open_hub(reference: str, split: str) -> LabelledImages:
    """Download (or find in the hub cache) `ID[@SPLIT][#REVISION]`; the benchmark's own split is the default."""
    from datasets import get_dataset_split_names, load_dataset

    dataset_id, chosen, revision = _parts(reference)
    available = get_dataset_split_names(dataset_id, revision=revision)
    picked = _pick(split, chosen, available, f"hf:{dataset_id}")
    dataset = load_dataset(dataset_id, split=picked, revision=revision)
    origin = f"{dataset_id}@{picked}" + ("" if revision is None else f"#{revision}")
    return _labelled(dataset, origin, f"{origin} {dataset._fingerprint}", origin)


def _parts(reference: str) -> tuple[str, str, str | None]:
    """Id, split (may be empty) and revision of `ID[@SPLIT][#REVISION]`."""
    named, _, revision = reference.partition("#")
    dataset_id, _, split = named.partition("@")
    return dataset_id, split, revision or None


def _pick(split: str, chosen: str, available: list[str], origin: str) -> str:
    """The split the user chose, else the benchmark's own, else the only one."""
    picked = chosen or (split if split in available else available[0] if len(available) == 1 else split)
    if picked not in available:
        hint = f"Choose one: {origin}@SPLIT" if origin.startswith("hf:") else "Give the files of one split."
        raise DataError(f"{origin} has the splits {', '.join(available)}, not {picked!r}.", hint)
    return picked


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
    if not path.is_dir() or any((path / name).is_file() for name in SAVED):
        return []
    for suffix in BUILDERS:
        if files := sorted(path.glob(f"*{suffix}")) or sorted(path.glob(f"data/*{suffix}")):
            return files
    return []


def _labelled(dataset: Any, origin: str, stamp: str, split: str = "local files") -> LabelledImages:
    from datasets import Image

    image_column = _column(dataset, IMAGE_COLUMNS, origin)
    label_column = _column(dataset, LABEL_COLUMNS, origin)
    encoded = dataset.select_columns([image_column]).cast_column(image_column, Image(decode=False))
    return LabelledImages(
        origin=origin,
        ids=_ids(dataset, image_column),
        labels=_labels(dataset, label_column),
        textures=_labels(dataset, TEXTURE_COLUMN) if _has_textures(dataset, label_column) else None,
        read=lambda position: _content(encoded[position][image_column], origin, position),
        stamp=stamp,
        split=split,
    )


def _has_textures(dataset: Any, label_column: str) -> bool:
    """Whether the images are cue-conflict ones: a texture beside another label may be anything."""
    return label_column == SHAPE_COLUMN and TEXTURE_COLUMN in dataset.column_names


def _column(dataset: Any, wanted: tuple[str, ...], origin: str) -> str:
    for name in wanted:
        if name in dataset.column_names:
            return name
    raise DataError(
        f"{origin} needs a column {' or '.join(wanted)}; it has {', '.join(dataset.column_names)}.",
        "Rename the column.",
    )


def _ids(dataset: Any, image_column: str) -> list[str]:
    """A column of unique names, else the names of the files that the images came from, else the row numbers."""
    for column in ID_COLUMNS:
        if column in dataset.column_names:
            ids = [str(value) for value in dataset[column]]
            if len(set(ids)) == len(ids):
                return ids
    names = [name and Path(name).name for name in _file_names(dataset, image_column)]
    if names and all(names) and len(set(names)) == len(names):
        return names
    return [f"{row:08d}" for row in range(len(dataset))]


def _file_names(dataset: Any, image_column: str) -> list[Any]:
    """What stands beside the bytes of every image; nothing where that cannot be read without the bytes."""
    images = dataset.select_columns([image_column]).with_format("arrow")
    stored = images[:][image_column] if len(dataset) else None
    if stored is None or not pa.types.is_struct(stored.type):
        return []
    names: list[Any] = pc.struct_field(stored, "path").to_pylist()
    return names


def _labels(dataset: Any, column: str) -> list[Any]:
    """Class names where the column has a ClassLabel: where they are numbers, these may stand in the order of words."""
    names = getattr(dataset.features[column], "names", None)
    values = list(dataset[column])
    if names:
        return [names[value] if value is not None and value >= 0 else value for value in values]
    return values


def _content(value: dict[str, Any] | None, origin: str, position: int) -> bytes:
    if value is None:
        raise DataError(f"{origin}: row {position} holds no image.")
    content = value["bytes"] if value["bytes"] is not None else Path(value["path"]).read_bytes()
    if not isinstance(content, bytes):
        raise DataError(f"{origin}: row {position} holds no encoded image.")
    return content
