"""Reader of Hugging Face datasets: local Parquet, Arrow, webdataset and save_to_disk files, and hub ids."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from robustbench_eff.core.disk import cache_folder
from robustbench_eff.core.errors import DataError, Missing, reason
from robustbench_eff.system import hub_downloads
from robustbench_eff.system.hub_downloads import Repository

from ..data_fingerprint import hash_strings
from ..labelled_images import LabelledImages
from ..reader import DocumentedLayout, Reader
from .arrow_copies import load_checked
from .columns import WEAK_NAMES, label_columns, warn_of_other_labels
from .hub_files import check_data_file
from .hub_folders import BUILDERS, by_split, data_files, is_hub_cache, is_saved, refuse_configurations, snapshot
from .hub_references import parse_reference
from .hub_sources import local_only, named_images, refuse_remote_files, stamp_of
from .image_files import read_image
from .placeholder import refuse_placeholder
from .splits import SPLITS, named_split, pick_split, rows_of_split, split_column

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "JPG", "JPEG", "PNG")
"""Names of the column with images, in order of preference; a tar has the suffixes of its files."""
SHAPE_COLUMN, TEXTURE_COLUMN = "shape", "texture"
"""Columns with the two classes of cue-conflict images."""
LABEL_COLUMNS = ("label", "cls", "class_id", "wnid", "fine_label", SHAPE_COLUMN)
"""Names of the column with labels, in order of preference."""
ID_COLUMNS = ("id", "__key__", "name", "file_name")
"""Names of a column with sample ids, in order of preference."""


def understands(path: Path) -> bool:
    """Return True for a file or folder of Parquet, Arrow or webdataset files, or a folder written by save_to_disk.

    A folder may be a copy of a hub dataset, or its folder in the hub cache.

    Args:
        path: A file or folder.
    """
    return is_saved(path) or is_hub_cache(path) or bool(data_files(path))


def open_files(path: Path, split: str) -> LabelledImages:
    """Open local files. Of several splits, only the one that is opened is read.

    Args:
        path: A path that `understands` accepts.
        split: Name of the split to take where the files hold several.

    Raises:
        DataError: The image or label column is missing, the split does not exist, or there are several configurations.
    """
    from datasets import load_dataset, load_from_disk

    path = snapshot(path)
    files, features = data_files(path), None
    for file in files:
        refuse_placeholder(file)
    with local_only():
        if not files:
            files, saved = sorted(path.rglob("*.arrow")), load_from_disk(str(path))
            splits = dict(saved) if isinstance(saved, Mapping) else {"": saved}
        elif path.is_file():
            splits = {named_split(split, path.stem, str(path)): files}
        else:
            refuse_remote_files(path)
            splits, features = _files_by_split(path, files)
        # A file, or a folder named by the split that it holds, is what the user named.
        is_named = path.is_file() or (split != "train" and len(splits) == 1 and path.name.lower() in SPLITS)
        example = files[0].parent if is_saved(path) else files[0]
        choose = f"Pass the files of one split, such as {example}."
        picked = next(iter(splits)) if is_named else pick_split(split, splits, str(path), choose)
        dataset = splits[picked]
        if isinstance(dataset, list):
            builder, chosen = BUILDERS[files[0].suffix], [str(file) for file in dataset]
            for file in map(Path, chosen):
                check_data_file(file)
            stamp = stamp_of(map(Path, chosen))
            # The library knows a file by its time alone, so that each stamp has a copy of its own.
            cache, options = _cache() / hash_strings(stamp), {"features": features, "split": "train"}
            load = partial(load_dataset, builder, data_files=chosen, cache_dir=str(cache), **options)
            dataset = load_checked(cache, load)
        else:
            stamp = stamp_of(Path(each["filename"]) for each in dataset.cache_files)
    if not picked:
        return _labelled(dataset, str(path), stamp, "local files", split)
    return _labelled(dataset, str(path), f"{picked}\n{stamp}", picked, split)


def _cache() -> Path:
    return cache_folder() / "datasets"


def _files_by_split(path: Path, files: list[Path]) -> tuple[dict[str, Any], Any]:
    """Return the files of every split of a folder, and the features that its description states, or None."""
    from datasets import get_dataset_config_names, load_dataset_builder

    try:
        refuse_configurations(path, files, get_dataset_config_names(str(path)))
        builder = load_dataset_builder(str(path), cache_dir=str(_cache()))
    except (ValueError, FileNotFoundError):
        # The description may name splits that were not downloaded. Names of files then tell the split.
        refuse_configurations(path, files, [])
        named = by_split(path, files)
        if "" in named:
            raise
        return named, None
    listed, suffix = dict(builder.config.data_files or {}), files[0].suffix
    found = {str(name): [file for file in listed[name] if file.endswith(suffix)] for name in listed}
    splits = {name: stored for name, stored in found.items() if stored}
    if not splits:
        raise DataError(f"{path} holds {files[0].name} beside other data files.", f"Pass {files[0]} by itself.")
    if list(splits) == ["train"] and "" in by_split(path, files):  # the library's name for files that name no split
        splits = {"": splits["train"]}
    return splits, builder.info.features


def missing_dataset(name: str, reference: str) -> list[Missing]:
    """Return what keeps a hub dataset from being opened; the local cache is checked first, then the hub.

    Args:
        name: Name of the benchmark, for the message.
        reference: The dataset, as `ID[@SPLIT][#REVISION]`.
    """
    from huggingface_hub import constants

    dataset_id, _, revision = parse_reference(reference)
    how = f"--data {name}=PATH with a local copy, or run where the hub can be reached"
    cached = Path(constants.HF_HUB_CACHE) / f"datasets--{dataset_id.replace('/', '--')}"
    snapshots = ("snapshots/*",) if revision is None else (f"refs/{revision}", f"snapshots/{revision}")
    if any(any(cached.glob(snapshot)) for snapshot in snapshots):
        return []
    repository = Repository(dataset_id, revision, "dataset")
    return hub_downloads.missing(repository, ("README.md",), f"dataset {name!r}", how)


def open_hub(reference: str, split: str) -> LabelledImages:
    """Download a hub dataset, or open it in the hub cache.

    Args:
        reference: The dataset, as `ID[@SPLIT][#REVISION]`.
        split: Name of the split to take where the reference names none.

    Raises:
        DataError: The image or label column is missing, or the split does not exist.
    """
    from datasets import get_dataset_split_names, load_dataset

    dataset_id, named, revision = parse_reference(reference)
    repository = Repository(dataset_id, revision, "dataset")
    origin = f"hf:{dataset_id}"
    try:
        with hub_downloads.download_errors(repository, DataError):
            available = get_dataset_split_names(dataset_id, revision=revision)
    except ValueError as error:  # files that end early, or that hold no table
        copy = f"hf download --repo-type dataset {dataset_id} --local-dir FOLDER"
        raise DataError(f"{origin} cannot be read: {reason(error)}", f"Pass a folder: {copy}") from error
    if named and named not in available:
        raise DataError(
            f"{origin} has the splits {', '.join(available)}, not {named!r}.", f"Choose one: {origin}@SPLIT"
        )
    picked = named or pick_split(split, available, origin, f"Choose one: {origin}@SPLIT")
    with hub_downloads.download_errors(repository, DataError):
        dataset = load_dataset(dataset_id, split=picked, revision=revision)
    opened = f"{dataset_id}@{picked}" + ("" if revision is None else f"#{revision}")
    return _labelled(dataset, f"hf:{opened}", f"{opened} {dataset._fingerprint}", opened, split)


def _labelled(dataset: Any, origin: str, stamp: str, split: str, wanted: str) -> LabelledImages:
    from datasets import Image

    if column := split_column(dataset.column_names):
        found = rows_of_split(wanted, column, _labels(dataset, column), origin)
        dataset, split, stamp = dataset.select(found.rows), f"{split}, {found.text}", f"{stamp}\n{found.text}"
    image_column = _column(dataset, IMAGE_COLUMNS, origin)
    label_column = _label_column(dataset, origin)
    class_names = _class_names(dataset, label_column)
    encoded = dataset.select_columns([image_column]).cast_column(image_column, Image(decode=False))
    stamp = f"{stamp}\n{stamp_of(named_images(encoded, image_column, origin))}"
    return LabelledImages(
        origin=origin,
        ids=_ids(dataset, image_column),
        labels=_labels(dataset, label_column),
        textures=_labels(dataset, TEXTURE_COLUMN) if _has_textures(dataset, label_column) else None,
        read=lambda position: _content(encoded[position][image_column], origin, position),
        stamp=stamp,
        split=split,
        class_names=class_names,
        class_order="numbers of the dataset" if class_names else "",
    )


def _has_textures(dataset: Any, label_column: str) -> bool:
    """Return True for cue-conflict images: next to another label, a texture column may be anything."""
    return label_column == SHAPE_COLUMN and TEXTURE_COLUMN in dataset.column_names


def _label_column(dataset: Any, origin: str) -> str:
    """Return the column with labels, and say so where others could be it."""
    found = label_columns(dataset.column_names, LABEL_COLUMNS)
    if not found and "__key__" in dataset.column_names:
        raise DataError(
            f"{origin} is a tar without labels: no image has a file such as .cls beside it, and none is in a folder.",
            "Pack a folder of class folders.",
        )
    if not found:
        return _column(dataset, LABEL_COLUMNS, origin)
    warn_of_other_labels(found, LABEL_COLUMNS, origin)
    return found[0]


def _column(dataset: Any, names: tuple[str, ...], origin: str) -> str:
    for name in names:
        if name in dataset.column_names:
            return name
    raise DataError(
        f"{origin} needs a column {' or '.join(names)}; it has {', '.join(dataset.column_names)}.",
        "Rename the column.",
    )


def _ids(dataset: Any, image_column: str) -> list[str]:
    """Return a column of unique names, else the names of the files that the images came from, else row numbers."""
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
    """Return the file name stored with every image; empty where it cannot be read without the bytes."""
    images = dataset.select_columns([image_column]).with_format("arrow")
    stored = images[:][image_column] if len(dataset) else None
    if stored is None or not pa.types.is_struct(stored.type):
        return []
    names: list[Any] = pc.struct_field(stored, "path").to_pylist()
    return names


def _class_names(dataset: Any, column: str) -> tuple[str, ...]:
    """Return the names of a ClassLabel in the order of its numbers; empty for any other column."""
    return tuple(getattr(dataset.features[column], "names", None) or ())


def _labels(dataset: Any, column: str) -> list[Any]:
    """Return class names where the column has a ClassLabel, else its values."""
    names, values = _class_names(dataset, column), list(dataset[column])
    if names:
        return [names[value] if value is not None and value >= 0 else value for value in values]
    return values


def _content(value: dict[str, Any] | None, origin: str, position: int) -> bytes:
    if value is None:
        raise DataError(f"{origin}: row {position} holds no image.")
    content, path = value["bytes"], value["path"]
    if content is None and path is not None:
        content = read_image(Path(path))
    if not isinstance(content, bytes):
        raise DataError(f"{origin}: row {position} holds no encoded image.")
    return content


HUGGING_FACE = Reader(
    understands=understands,
    open=open_files,
    layouts=(
        DocumentedLayout(
            files="`.parquet`, `.arrow` or `.tar` (webdataset) files, a folder of them, a dataset saved by "
            "`save_to_disk`, what `hf download --repo-type dataset` writes, `datasets--OWNER--NAME` of the hub cache",
            labels=f"column {' / '.join(f'`{name}`' for name in LABEL_COLUMNS)}; else the only one of "
            f"{', '.join(f'`{name}`' for name in WEAK_NAMES)}; images in "
            f"{' / '.join(f'`{name}`' for name in IMAGE_COLUMNS)}",
            class_order="numbers of the dataset, which a ClassLabel names; names in sorted order",
        ),
    ),
)
