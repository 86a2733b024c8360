"""Every form of labelled images is read alike, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelled_sets import (
    COUNT,
    class_folders,
    flat_csv,
    npz,
    npz_of_floats,
    own,
    parquet,
    parquet_of_structs,
    pixels,
    png,
    prepared,
    saved_dataset,
    webdataset,
)
from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.labelled_images import IgnoredFiles
from robustbench_eff.core.errors import DataError, Missing, UsageError
from robustbench_eff.registry.open_benchmark import missing_data, open_location


@pytest.mark.parametrize(
    "make",
    [flat_csv, parquet, parquet_of_structs, webdataset, saved_dataset, npz, npz_of_floats],
    ids=lambda make: make.__name__,
)
def test_every_form_gives_the_same_images(tmp_path: Path, make) -> None:
    found = prepared(make(tmp_path / "set"))
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert np.array_equal(found.pixels[:], np.stack([pixels(seed) for seed in range(COUNT)]))
    images, labels = found.batch(1, 3)
    assert images.shape == (2, 3, 8, 8)
    assert labels.tolist() == [1, 2]
    assert (images[0].permute(1, 2, 0) * 255).round().byte().numpy().tolist() == pixels(1).tolist()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.full((2, 8, 8, 3), 300.0), "y": [0, 1]}, r"outside \[0, 1\]: values from 300 to 300"),
        ({"x": np.full((2, 8, 8, 3), -2.1), "y": [0, 1]}, r"outside \[0, 1\]: values from -2.1 to -2.1"),
        ({"x": np.full((2, 8, 8, 3), 200.5), "y": [0, 1]}, "8-bit values"),
        ({"x": np.full((2, 8, 8, 3), 0.1234), "y": [0, 1]}, "8-bit values"),
        ({"x": np.zeros((2, 8, 8, 3), np.int32), "y": [0, 1]}, "uint8 or float"),
        ({"x": np.zeros((2, 8, 8, 4), np.uint8), "y": [0, 1]}, r"\(N, H, W, 3\)"),
        ({"x": np.zeros((2, 8, 8, 3), np.uint8), "y": [0, 1, 2]}, "as many labels"),
        ({"a": np.zeros(3)}, "needs an array of images, named x"),
        ({"y": np.zeros(3)}, "needs an array of images, named x"),
        ({"test_images": np.zeros((2, 8, 8, 3), np.uint8)}, "needs an array of labels, .*; it has test_images"),
        ({"x_train": np.zeros((2, 8, 8, 3), np.uint8), "y_test": [0, 1]}, "no images and labels that belong together"),
        ({"x": np.zeros((2, 8, 8, 3), np.uint8), "y": [0, 1], "labels": [1, 0]}, "in y and in labels, which differ"),
        (
            {"x": np.zeros((2, 8, 8, 3), np.uint8), "y": [0.5, 1]},
            "has the label 0.5, which is not a class index or name",
        ),
        ({"x": np.zeros((2, 8, 8, 3), np.uint8), "y": [0, float("nan")]}, "has the label nan"),
        ({"x": np.zeros((0, 8, 8, 3), np.float32), "y": []}, "holds no images"),
        ({"x": np.zeros((0, 8, 8, 3), np.uint8), "y": []}, "holds no images"),
    ],
)
def test_a_bad_npz_is_refused(tmp_path: Path, arrays: dict, words: str) -> None:
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError, match=words):
        prepared(tmp_path / "set.npz")


@pytest.mark.parametrize("name", ["set.npz", "set.parquet", "set.arrow", "set.tar"])
@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04 cut short"])
def test_a_broken_file_of_a_set_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        prepared(tmp_path / name)


def test_a_csv_with_a_gap_names_its_line(tmp_path: Path) -> None:
    folder = flat_csv(tmp_path / "set")
    with (folder / "labels.csv").open("a") as file:
        file.write("0.png\n")
    with pytest.raises(DataError, match=r"labels.csv, line 8: the file name or the label is missing"):
        prepared(folder)


def test_files_that_a_table_does_not_list_are_counted(tmp_path: Path) -> None:
    folder = flat_csv(tmp_path / "set")
    lines = (folder / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join(lines[:3]))
    for name in ("notes.txt", "made-from.json"):
        (folder / name).write_text("notes")
    opened = open_location(str(folder), "test")
    unlisted = IgnoredFiles("not listed in labels.csv", COUNT - 2, "2.png")
    assert opened.ignored == (unlisted, IgnoredFiles("not an image (.txt)", 1, "notes.txt"))
    # Whoever passes the table says what is read.
    assert open_location(str(folder / "labels.csv"), "test").ignored == ()


def test_the_origin_of_a_table_is_what_was_passed(tmp_path: Path) -> None:
    folder = flat_csv(tmp_path / "set")
    (folder / "labels.csv").rename(folder / "a.csv")
    (folder / "b.csv").write_text((folder / "a.csv").read_text())
    assert open_location(str(folder / "a.csv"), "test").origin == str(folder / "a.csv")


@pytest.mark.parametrize("labels", [np.arange(3)[:, None], np.eye(3), np.zeros(5)])
def test_labels_that_are_stored_twice_may_agree(tmp_path: Path, labels: np.ndarray) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((3, 8, 8, 3), np.uint8), y=np.arange(3), labels=labels)
    assert prepared(tmp_path / "set.npz").labels.tolist() == [0, 1, 2]


def test_two_files_of_labels_that_differ_are_refused(tmp_path: Path) -> None:
    for name, array in (("x", np.zeros((2, 8, 8, 3), np.uint8)), ("y", [0, 1]), ("labels", [1, 0])):
        np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(DataError, match="in y and in labels, which differ"):
        prepared(tmp_path)


def test_a_csv_of_something_else_does_not_hide_class_folders(tmp_path: Path) -> None:
    class_folders(tmp_path, ["a", "b"])
    (tmp_path / "notes.csv").write_text("when,who\n1,2\n")
    assert len(prepared(tmp_path)) == 2


def test_a_dangling_link_is_named_not_skipped(tmp_path: Path) -> None:
    class_folders(tmp_path, ["a", "b"])
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png"):
        prepared(tmp_path)


def test_of_several_splits_the_benchmarks_own_is_opened(tmp_path: Path) -> None:
    for split, count in (("train", 5), ("test", 2)):
        table = {"image": [png(seed) for seed in range(count)], "label": [0] * count}
        pq.write_table(pa.table(table), tmp_path / f"{split}-00000-of-00001.parquet")
    found = prepared(tmp_path)
    assert str(found.protocol) == "test, 2 images, labels as numbers, 8×8 as it is"
    assert open_location(str(tmp_path), "test").origin == str(tmp_path)
    stand_in = open_location(str(tmp_path), "validation")
    assert (len(stand_in), stand_in.split) == (2, "test")
    assert len(open_location(str(tmp_path), "train")) == 5


def test_a_saved_dataset_dict_is_opened_by_split(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = {"image": [{"bytes": png(seed), "path": None} for seed in range(4)], "label": [0, 1, 2, 3]}
    splits = {"train": Dataset.from_dict(rows), "test": Dataset.from_dict(rows).select([3])}
    DatasetDict(splits).save_to_disk(str(tmp_path / "saved"))
    assert prepared(tmp_path / "saved").labels.tolist() == [3]


def test_missing_columns_and_forms_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"picture": [b""], "label": [0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="needs a column image or"):
        prepared(tmp_path / "a.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="cannot be read as labelled images"):
        prepared(tmp_path / "empty")


def test_a_location_comes_from_option_variable_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locations.location("imagenet", {}) is None
    (tmp_path / "robust-eval.yaml").write_text("data:\n  imagenet: /from/file\n")
    assert locations.location("imagenet", {}) == "/from/file"
    monkeypatch.setenv("ROBUST_EVAL_DATA_IMAGENET", "/from/variable")
    assert locations.location("imagenet", {}) == "/from/variable"
    assert locations.location("imagenet", {"imagenet": "/from/option"}) == "/from/option"


def test_a_bad_location_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="NAME=PATH"):
        locations.from_options(["/data/imagenet"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "robust-eval.yaml").write_text("- no mapping")
    with pytest.raises(UsageError, match="not a YAML mapping"):
        locations.from_config()


def missing_at(where: str) -> list[Missing]:
    return missing_data(own(where), where)


def test_a_hub_that_cannot_be_reached_is_missing_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: False)
    (missing,) = missing_at("hf:nobody/has-this@test")
    assert "cannot be reached" in missing.what
    assert missing.where == "https://huggingface.co/datasets/nobody/has-this"


def test_a_hub_reference_may_name_split_and_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    asked = []

    def names(dataset_id: str, revision: str | None) -> list[str]:
        asked.append((dataset_id, revision))
        return ["train", "test"]

    def load(dataset_id: str, split: str, revision: str | None) -> Dataset:
        asked.append((dataset_id, split, revision))
        rows = {"image": [{"bytes": png(seed), "path": None} for seed in range(2)], "label": [0, 1]}
        return Dataset.from_dict(rows)

    monkeypatch.setattr("datasets.get_dataset_split_names", names)
    monkeypatch.setattr("datasets.load_dataset", load)
    opened = open_location("hf:a/b@train#refs/convert/parquet", "test")
    assert asked == [("a/b", "refs/convert/parquet"), ("a/b", "train", "refs/convert/parquet")]
    assert opened.split == "a/b@train#refs/convert/parquet"
    assert opened.origin == "hf:a/b@train#refs/convert/parquet"
    assert open_location("hf:a/b#v2", "test").split == "a/b@test#v2"
    assert open_location("hf:a/b", "test").split == "a/b@test"


def test_of_a_revision_the_cache_or_the_hub_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import RevisionNotFoundError

    asked = []

    def ask(url: str, *, timeout: float) -> None:
        asked.append(url)
        if "/absent/" in url:
            raise RevisionNotFoundError.__new__(RevisionNotFoundError)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", ask)
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: True)
    (missing,) = missing_at("hf:a/b@test#absent")
    assert missing.what == "dataset 'mine': a/b does not have a revision 'absent'"
    assert missing_at("hf:a/b#refs/convert/parquet") == []
    start = "https://huggingface.co/datasets/a/b/resolve"
    assert asked == [f"{start}/absent/README.md", f"{start}/refs%2Fconvert%2Fparquet/README.md"]
    (tmp_path / "datasets--a--b" / "refs" / "refs" / "convert").mkdir(parents=True)
    (tmp_path / "datasets--a--b" / "refs" / "refs" / "convert" / "parquet").write_text("0123")
    (tmp_path / "datasets--a--b" / "snapshots" / "0123").mkdir(parents=True)
    for found in ("#refs/convert/parquet", "#0123", ""):
        assert missing_at(f"hf:a/b{found}") == []
    assert len(asked) == 2
