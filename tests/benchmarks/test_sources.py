"""Every form of labelled images is read alike, and what is wrong is named."""

from __future__ import annotations

import csv
import errno
import io
import os
import tarfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from robustbench_eff import catalog
from robustbench_eff.benchmarks import locations, sources
from robustbench_eff.benchmarks.benchmark import Benchmark, resolve_labels
from robustbench_eff.benchmarks.cache import prepare
from robustbench_eff.benchmarks.digits import DIGITS, open_digits
from robustbench_eff.disk import cache_folder
from robustbench_eff.errors import DataError, RobustEvalWarning, StoreError, UsageError
from robustbench_eff.preprocessing import Geometry

GEOMETRY = Geometry(size=8, mode="none")
COUNT = 6


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels(seed)).save(buffer, "PNG")
    return buffer.getvalue()


def own(where: Path | str) -> Benchmark:
    return catalog.benchmark("mine", str(where))


def prepared(where: Path | str, benchmark: Benchmark | None = None, **options):
    return prepare(benchmark or own(where), sources.open_location(str(where), "test"), GEOMETRY, **options)


def class_folders(folder: Path, names: list[str]) -> Path:
    """Image `seed` in class folder `names[seed]`."""
    for seed, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{seed}.png").write_bytes(png(seed))
    return folder


def flat_csv(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "labels.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "label"])
        for seed in range(COUNT):
            (folder / f"{seed}.png").write_bytes(png(seed))
            writer.writerow([f"{seed}.png", seed % 3])
    return folder


def parquet(folder: Path) -> Path:
    folder.mkdir()
    table = {"image": [png(seed) for seed in range(COUNT)], "label": [seed % 3 for seed in range(COUNT)]}
    pq.write_table(pa.table(table), folder / "part.parquet")
    return folder / "part.parquet"


def parquet_of_structs(folder: Path) -> Path:
    folder.mkdir()
    images = [{"bytes": png(seed), "path": None} for seed in range(COUNT)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    labels = pa.array([seed % 3 for seed in range(COUNT)])
    pq.write_table(pa.table({"jpg": pa.array(images, kind), "cls": labels}), folder / "part.parquet")
    return folder


def webdataset(folder: Path) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for seed in range(COUNT):
            for suffix, content in (("png", png(seed)), ("cls", str(seed % 3).encode())):
                info = tarfile.TarInfo(f"{seed:04d}.{suffix}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return folder / "shard.tar"


def saved_dataset(folder: Path) -> Path:
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    rows = {"image": [{"bytes": png(seed), "path": None} for seed in range(COUNT)], "label": [0, 1, 2] * 2}
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=["a", "b", "c"])})
    Dataset.from_dict(rows, features=features).save_to_disk(str(folder))
    return folder


def npz(folder: Path) -> Path:
    folder.mkdir()
    x = np.stack([pixels(seed) for seed in range(COUNT)])
    np.savez(folder / "set.npz", x=x, y=[seed % 3 for seed in range(COUNT)])
    return folder / "set.npz"


def npz_of_floats(folder: Path) -> Path:
    folder.mkdir()
    x = np.stack([pixels(seed) for seed in range(COUNT)]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    np.savez(folder / "set.npz", images=x, labels=[seed % 3 for seed in range(COUNT)])
    return folder / "set.npz"


@pytest.mark.parametrize(
    "make",
    [flat_csv, parquet, parquet_of_structs, webdataset, saved_dataset, npz, npz_of_floats],
    ids=lambda make: make.__name__,
)
def test_every_form_gives_the_same_images(tmp_path: Path, make) -> None:
    found = prepared(make(tmp_path / "set"))
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert np.array_equal(found.pixels, np.stack([pixels(seed) for seed in range(COUNT)]))
    images, labels = found.batch(1, 3)
    assert images.shape == (2, 3, 8, 8)
    assert labels.tolist() == [1, 2]
    assert (images[0].permute(1, 2, 0) * 255).round().byte().numpy().tolist() == pixels(1).tolist()


def test_class_folders_are_dealt_one_image_a_class(tmp_path: Path) -> None:
    found = prepared(class_folders(tmp_path, ["b", "a", "b", "a", "b", "c"]))
    assert found.sample_ids == ["a/1.png", "b/0.png", "c/5.png", "a/3.png", "b/2.png", "b/4.png"]
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 1]
    opened = sources.open_location(str(tmp_path), "test")
    assert resolve_labels(own(tmp_path), opened)[1:] == (3, True)


def test_numeric_folders_are_numbers_not_words(tmp_path: Path) -> None:
    found = prepared(class_folders(tmp_path, ["0", "1", "10", "2", "11"]))
    assert dict(zip(found.sample_ids, found.labels.tolist(), strict=True)) == {
        "0/0.png": 0,
        "1/1.png": 1,
        "10/2.png": 10,
        "2/3.png": 2,
        "11/4.png": 11,
    }
    assert [name.split("/")[0] for name in found.sample_ids] == ["0", "1", "2", "10", "11"]
    opened = sources.open_location(str(tmp_path), "test")
    assert resolve_labels(own(tmp_path), opened)[1:] == (12, False)


@pytest.mark.parametrize("names", [["n01440764", "n07565083"], ["tench", "menu"], ["0", "922"]])
def test_imagenet_folders_may_be_wnids_names_or_indices(tmp_path: Path, names: list[str]) -> None:
    found = prepared(class_folders(tmp_path, names), catalog.benchmark("imagenet"))
    assert sorted(found.labels.tolist()) == [0, 922]


def test_an_ambiguous_or_unknown_class_name_is_refused(tmp_path: Path) -> None:
    row = catalog.benchmark("imagenet")
    with pytest.raises(DataError, match=r"'tenchh' is no class of imagenet.\nDid you mean 'tench'"):
        prepared(class_folders(tmp_path / "a", ["tenchh"]), row)
    with pytest.raises(DataError, match="'crane' is no class"):
        prepared(class_folders(tmp_path / "b", ["crane"]), row)


@pytest.mark.parametrize(("names", "words"), [(["0", "1000"], "has label 1000"), (["1", "1000"], "count from 1")])
def test_labels_out_of_range_are_named(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        prepared(class_folders(tmp_path, names), catalog.benchmark("imagenet"))


def jpeg(picture: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def test_exif_orientation_and_palettes_are_applied(tmp_path: Path) -> None:
    picture = Image.fromarray(np.repeat(np.arange(8, dtype=np.uint8)[:, None, None] * 30, 8, 1).repeat(3, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "a.jpg").write_bytes(jpeg(picture, exif=exif, quality=100))
    picture.convert("P").save(tmp_path / "0" / "b.png")
    turned, palette = prepared(tmp_path).pixels
    assert np.abs(turned.astype(int) - np.asarray(picture.rotate(-90)).astype(int)).max() <= 3
    assert palette.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.png", png(0)[:-40], "cut.png cannot be decoded"),
        ("cut.jpg", jpeg(Image.effect_noise((64, 64), 50).convert("RGB"))[:-200], "cut.jpg cannot be decoded"),
        ("text.png", b"not an image", "text.png cannot be decoded"),
        ("other.png", jpeg(Image.new("RGB", (9, 8))), "other.png is 9×8, not 8×8.\nPass --geometry"),
    ],
)
def test_a_bad_file_stops_with_its_name(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    class_folders(tmp_path, ["0"])
    (tmp_path / "0" / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        prepared(tmp_path)
    assert not list(cache_folder().glob(".*.part"))


def test_a_decompression_bomb_stops_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(tmp_path, ["0"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(DataError, match=r"0/0.png is too large: 8×8 pixels may be a decompression bomb"):
            prepared(tmp_path)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def test_sixteen_bits_of_colour_are_refused(tmp_path: Path) -> None:
    header = (8).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    rows = zlib.compress((b"\0" + bytes(8 * 6)) * 8)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    with pytest.raises(DataError, match=r"deep.png has more than 8 bits a channel"):
        prepared(tmp_path)


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "0" / "deep.png")
    with pytest.raises(DataError, match=r"deep.png has more than 8 bits a channel"):
        prepared(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.full((2, 8, 8, 3), 200.0), "y": [0, 1]}, r"outside \[0, 1\]: values from 200 to 200"),
        ({"x": np.full((2, 8, 8, 3), 0.1234), "y": [0, 1]}, "8-bit values"),
        ({"x": np.zeros((2, 8, 8, 3), np.int32), "y": [0, 1]}, "uint8 or float"),
        ({"x": np.zeros((2, 8, 8, 4), np.uint8), "y": [0, 1]}, r"\(N, H, W, 3\)"),
        ({"x": np.zeros((2, 8, 8, 3), np.uint8), "y": [0, 1, 2]}, "as many labels"),
        ({"a": np.zeros(3)}, "needs an array named x"),
        ({"x": np.zeros((2, 8, 8, 3), np.uint8), "y": [0.5, 1]}, "has the label 0.5, no class index or name"),
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


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["2.0", "10.0", "0.0"], [2, 10, 0]),
        ([b"2", b"10", b"0"], [2, 10, 0]),
        ([2.0, 10.0, 0.0], [2, 10, 0]),
        ([" b ", "a", "10"], [2, 1, 0]),
    ],
)
def test_labels_are_numbers_however_they_are_written(tmp_path: Path, labels: list, expected: list[int]) -> None:
    np.savez(tmp_path / "set.npz", x=np.stack([pixels(seed) for seed in range(3)]), y=labels)
    assert prepared(tmp_path / "set.npz").labels.tolist() == expected


def test_a_csv_with_a_gap_names_its_line(tmp_path: Path) -> None:
    folder = flat_csv(tmp_path / "set")
    with (folder / "labels.csv").open("a") as file:
        file.write("0.png\n")
    with pytest.raises(DataError, match=r"labels.csv, line 8: the file name or the label is missing"):
        prepared(folder)


def test_a_csv_of_something_else_does_not_hide_class_folders(tmp_path: Path) -> None:
    class_folders(tmp_path, ["a", "b"])
    (tmp_path / "notes.csv").write_text("when,who\n1,2\n")
    assert len(prepared(tmp_path)) == 2


def test_a_dangling_link_is_named_not_skipped(tmp_path: Path) -> None:
    class_folders(tmp_path, ["a", "b"])
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png"):
        prepared(tmp_path)


def test_a_folder_of_splits_is_not_a_folder_of_classes(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", ["a"])
    class_folders(tmp_path / "val", ["a"])
    with pytest.raises(DataError, match=r"holds splits \(train, val\), not classes"):
        prepared(tmp_path)


def test_of_several_splits_the_benchmarks_own_is_opened(tmp_path: Path) -> None:
    for split, count in (("train", 5), ("test", 2)):
        table = {"image": [png(seed) for seed in range(count)], "label": [0] * count}
        pq.write_table(pa.table(table), tmp_path / f"{split}-00000-of-00001.parquet")
    found = prepared(tmp_path)
    assert found.protocol == "test, 2 images, 8×8 as it is"
    with pytest.raises(DataError, match=r"has the splits .*, not 'validation'"):
        sources.open_location(str(tmp_path), "validation")


def test_a_saved_dataset_dict_is_opened_by_split(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = {"image": [{"bytes": png(seed), "path": None} for seed in range(4)], "label": [0, 1, 2, 3]}
    splits = {"train": Dataset.from_dict(rows), "test": Dataset.from_dict(rows).select([3])}
    DatasetDict(splits).save_to_disk(str(tmp_path / "saved"))
    assert prepared(tmp_path / "saved").labels.tolist() == [3]


def test_two_files_of_one_name_size_and_time_are_two_sets(tmp_path: Path) -> None:
    for number, name in enumerate(("clean", "fog")):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "x.npz", x=pixels(number)[None], y=[0])
        os.utime(tmp_path / name / "x.npz", (1, 1))
    clean, fog = prepared(tmp_path / "clean" / "x.npz"), prepared(tmp_path / "fog" / "x.npz")
    assert clean.fingerprint != fog.fingerprint
    assert np.array_equal(fog.pixels[0], pixels(1))


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StoreError, match="Cannot write to"):
        prepared(npz(tmp_path / "set"))


def test_a_full_disk_under_the_cache_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match="is full"):
        prepared(npz(tmp_path / "set"))


def test_missing_columns_and_forms_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"picture": [b""], "label": [0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="needs a column image or"):
        prepared(tmp_path / "a.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no form that can be read"):
        prepared(tmp_path / "empty")


def test_a_limit_takes_the_first_samples_and_says_so(tmp_path: Path) -> None:
    found = prepared(npz(tmp_path / "set"), limit=4)
    assert found.labels.tolist() == [0, 1, 2, 0]
    assert found.protocol == "local files, first 4 of 6 images, 8×8 as it is"


def test_a_limit_on_a_sorted_set_is_said(tmp_path: Path) -> None:
    x, y = np.zeros((60, 8, 8, 3), np.uint8), np.repeat(np.arange(10), 6)
    np.savez(tmp_path / "set.npz", x=x, y=y)
    with pytest.warns(RobustEvalWarning, match="first 12 samples hold 2 of 10 classes"):
        prepared(tmp_path / "set.npz", limit=12)


def test_the_second_time_nothing_is_decoded(tmp_path: Path) -> None:
    folder = class_folders(tmp_path, ["0", "1"])
    calls: list[int] = []
    first = prepared(folder, tick=lambda done, total: calls.append(done))
    again = prepared(folder, tick=lambda done, total: calls.append(done))
    assert calls == [1, 2]
    assert again.fingerprint == first.fingerprint


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    first = prepared(class_folders(tmp_path / "a", ["0", "1"]))
    copy = prepared(class_folders(tmp_path / "b", ["0", "1"]))
    assert copy.fingerprint == first.fingerprint
    (tmp_path / "b" / "0" / "0.png").write_bytes(png(9))
    changed = prepared(tmp_path / "b")
    assert changed.fingerprint != first.fingerprint
    assert np.array_equal(changed.pixels[0], pixels(9))


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(size=24, resize=32),
        Geometry(size=24, resize=27, interpolation="bilinear"),
        Geometry(size=24, mode="squash"),
        Geometry(size=24, interpolation="lanczos"),
    ],
    ids=str,
)
def test_resizing_is_what_torchvision_does(tmp_path: Path, geometry: Geometry) -> None:
    from torchvision.transforms import v2 as transforms

    (tmp_path / "0").mkdir()
    pictures = []
    for number, size in enumerate([(50, 37), (31, 64), (24, 24)]):
        noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        pictures.append(Image.fromarray(noise))
        pictures[-1].save(tmp_path / "0" / f"{number}.png")
    mode = transforms.InterpolationMode(geometry.interpolation)
    size = (24, 24) if geometry.mode == "squash" else geometry.resize or geometry.size
    steps = transforms.Compose([transforms.Resize(size, mode), transforms.CenterCrop(24)])
    found = prepare(own(tmp_path), sources.open_location(str(tmp_path), "test"), geometry)
    for picture, ours in zip(pictures, found.pixels, strict=True):
        assert np.array_equal(ours, np.asarray(steps(picture)))


def test_digits_has_a_fixed_split() -> None:
    splits = {name: open_digits(name) for name in ("train", "validation", "test")}
    assert {name: len(split) for name, split in splits.items()} == {"train": 1078, "validation": 359, "test": 360}
    ids = [sample for split in splits.values() for sample in split.ids]
    assert len(set(ids)) == 1797
    assert splits["test"].ids[:3] == ["digits/0000", "digits/0007", "digits/0008"]
    found = prepare(DIGITS, splits["test"], Geometry(size=32, mode="none"))
    assert found.pixels.shape == (360, 32, 32, 3)
    assert found.fingerprint == prepare(DIGITS, open_digits(), Geometry(size=32, mode="none")).fingerprint


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


def test_a_hub_that_cannot_be_reached_is_missing_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.hub.reachable", lambda host: False)
    (missing,) = sources.missing("mine", None, "hf:nobody/has-this@test")
    assert "cannot be reached" in missing.what
    assert missing.where == "https://huggingface.co/datasets/nobody/has-this"
