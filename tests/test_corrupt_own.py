"""Any labelled images can be corrupted, and what is written is read again: same pixels, labels and names."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features
from datasets import Image as ImageFeature
from PIL import Image
from typer.testing import CliRunner

from published_sets import outcomes, shade_model
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.benchmarks.data_fingerprint import content_of
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import DataError, SizeError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import FOG
from robustbench_eff.evaluation.open_images import open_files
from robustbench_eff.generation.corrupted_files import CorruptionSettings, write_corrupted
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_benchmark
from robustbench_eff.registry.perturbation import parse_perturbation
from world_layouts import SeesClasses

TEXT = "fog(severity=3, constants='by_size')"
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
LABELS = (0, 2, 1, 0, 2, 1)


def png(row: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS[row]).save(buffer, "PNG")
    return buffer.getvalue()


def class_folders(folder: Path) -> Path:
    """Two images have one name in different classes, and one lies in a folder below its class."""
    for row, label in enumerate(LABELS):
        path = folder / "own" / ("apple pie", "bee", "chair")[label] / f"{row // 3}.png"
        path = path.parent / "more" / path.name if row == 4 else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(row))
    return folder / "own"


def wnid_folders(folder: Path) -> Path:
    for row, label in enumerate(LABELS):
        path = folder / "own" / ("n01440764", "n01443537", "n01484850")[label] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(row))
    return folder / "own"


def table(folder: Path) -> Path:
    (folder / "own").mkdir()
    rows = ["file_name,label"]
    for row, label in enumerate(LABELS):
        (folder / "own" / f"{row}.png").write_bytes(png(row))
        rows.append(f"{row}.png,{('ant/red', '..', '.hidden')[label]}")
    (folder / "own" / "labels.csv").write_text("\n".join(rows))
    return folder / "own"


def archive(folder: Path) -> Path:
    np.savez(folder / "own.npz", x=PIXELS, y=np.array(LABELS) + 3)
    return folder / "own.npz"


def class_label(folder: Path) -> Path:
    """Names in an order of their own, one of them without images."""
    images = [{"bytes": png(row), "path": None} for row in range(len(LABELS))]
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=["shirt", "bag", "coat", "boot"])})
    Dataset.from_dict({"image": images, "label": list(LABELS)}, features=features).save_to_disk(str(folder / "own"))
    return folder / "own"


SOURCES = (class_folders, wnid_folders, table, archive, class_label)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_what_is_written_is_read_again(tmp_path: Path, source: Callable[[Path], Path]) -> None:
    place, out = source(tmp_path), tmp_path / "out"
    count = write_corrupted("own", out, {"own": str(place)}, CorruptionSettings(corruptions=[TEXT], seed=4))
    assert (count.images, count.found) == (6, 0)
    own, written = build_benchmark.benchmark("own", str(place)), build_benchmark.benchmark("own-c", str(out))
    clean = open_benchmark(own, str(place))
    read = open_files(written, str(out), parse_perturbation(TEXT))
    draws = RandomStreams.of(4, clean.ids)
    pixels = torch.from_numpy(np.stack([decode(content_of(clean, row), "") for row in range(6)]))
    expected = FOG.at(3, "cifar10")(pixels, draws).numpy()
    expected_labels, labels = resolve_labels(own, clean), resolve_labels(written, read)
    assert (labels.num_classes, labels.all_known) == (expected_labels.num_classes, expected_labels.all_known)
    position = {Path(sample).with_suffix("").as_posix(): row for row, sample in enumerate(clean.ids)}
    if len({Path(sample).name for sample in clean.ids}) == 6:
        position |= {Path(sample).stem: row for row, sample in enumerate(clean.ids)}
    for row, sample in enumerate(read.ids):
        stem = Path(sample).with_suffix("").as_posix()
        original = position[stem] if stem in position else position[Path(sample).stem]
        assert np.array_equal(np.asarray(decode(content_of(read, row), sample)), expected[original])
        assert labels.labels[row] == expected_labels.labels[original]


def test_the_written_set_has_the_numbers_of_the_generated_one(tmp_path: Path) -> None:
    """Also for a classifier of ImageNet, which finds its outputs by the wnids of the folders."""
    clean, out = wnid_folders(tmp_path), tmp_path / "out"
    write_corrupted("own", out, {"own": str(clean)}, CorruptionSettings(corruptions=[TEXT]))
    model = replace(shade_model(tmp_path, "thousand", 32), num_classes=1000)
    found = {}
    for name, data in (("own", {"own": clean}), ("own-c", {"own-c": out}), ("both", {"own-c": out, "own": clean})):
        options = {"benchmarks": ["own" if name == "own" else "own-c"], "corruptions": [TEXT]}
        places = {key: str(value) for key, value in data.items()}
        evaluate(model, data=places, store=tmp_path / "stores" / name, **options)
        (cell, rows) = outcomes(tmp_path / "stores" / name)["fog(severity=3, constants='cifar10')"]
        assert "argmax over 3 of 1000 outputs" in str(cell.protocol)
        found[name] = {
            Path(sample).stem: values
            for sample, *values in zip(*(rows[column].to_pylist() for column in COLUMNS), strict=True)
        }
    assert {key: values[:2] for key, values in found["own"].items()} == {
        key: values[:2] for key, values in found["own-c"].items()
    }
    assert found["own"] == found["both"], "clean predictions are joined by name"


@pytest.mark.parametrize("together", [True, False], ids=["with clean images", "alone"])
def test_a_stated_order_holds_for_clean_and_corrupted_images(tmp_path: Path, together: bool) -> None:
    clean, out = class_folders(tmp_path), tmp_path / "out"
    write_corrupted("own", out, {"own": str(clean)}, CorruptionSettings(corruptions=[TEXT]))
    (tmp_path / "names.txt").write_text("chair\nbee\napple pie\n")
    data = {"own-c": str(out), **({"own": str(clean)} if together else {})}
    options = {"benchmarks": ["own-c"], "corruptions": [TEXT], "class_order": str(tmp_path / "names.txt")}
    model = load_classifier(SeesClasses(3).eval(), input_size=32, device="cpu")
    evaluate(model, data=data, store=tmp_path / "store", device="cpu", **options)
    cells = outcomes(tmp_path / "store")
    assert len(cells) == 1 + together
    for cell, rows in cells.values():
        assert "classes in the order of names.txt: chair, bee, apple pie" in str(cell.protocol)
        folders = [Path(sample).parts[0] for sample in rows["sample_id"].to_pylist()]
        numbers = {"chair": 0, "bee": 1, "apple pie": 2}
        assert rows["label"].to_pylist() == [numbers[folder] for folder in folders]


COLUMNS = ("sample_id", "prediction", "label", "clean_prediction")


def test_a_limited_or_interrupted_call_goes_on(tmp_path: Path) -> None:
    place, out = str(archive(tmp_path)), tmp_path / "out"
    first = write_corrupted("own", out, {"own": place}, CorruptionSettings(corruptions=[TEXT]))
    next(out.rglob("*.png")).unlink()
    again = write_corrupted("own", out, {"own": place}, CorruptionSettings(corruptions=[TEXT]))
    assert (first.images, again.images, again.found) == (6, 1, 5)
    with pytest.raises(UsageError, match="written from something else"):
        write_corrupted("own", out, {"own": place}, CorruptionSettings(corruptions=[TEXT], seed=1))


def photographs(folder: Path) -> Path:
    """Two sizes."""
    for number, size in enumerate(((40, 50), (60, 40))):
        (folder / "own" / f"class {number}").mkdir(parents=True)
        Image.new("RGB", size, (90, 20 * number, 9)).save(folder / "own" / f"class {number}" / "a.jpg")
    return folder / "own"


def test_images_of_several_sizes_need_one(tmp_path: Path) -> None:
    data, out = f"own={photographs(tmp_path)}", str(tmp_path / "out")
    with pytest.raises(SizeError, match="Pass --input-size N"):
        write_corrupted("own", tmp_path / "out", {"own": data[4:]}, CorruptionSettings(corruptions=[TEXT]))
    words = ["corrupt", "--data", data, "--out", out, "--corruption", TEXT]
    assert "--geometry needs the size" in said([*words, "--geometry", "squash"])
    assert "2 images written" in said([*words, "--input-size", "24"])
    assert {Image.open(path).size for path in Path(out).rglob("*.png")} == {(24, 24)}
    record = json.loads((tmp_path / "out" / "made-from.json").read_text())
    assert (record["constants"], record["size"], record["classes"]) == (
        "cifar10",
        [24, 24],
        {"class 0": 0, "class 1": 1},
    )


def said(words: list[str]) -> str:
    return " ".join(CliRunner().invoke(app, words).output.split())


def test_a_published_set_is_not_taken_for_own_classes(tmp_path: Path) -> None:
    for name in ("fog", "snow"):
        class_folders(tmp_path / name / "5")
        (tmp_path / name / "5" / "own").rename(tmp_path / name / "5" / "n01440764")
    with pytest.raises(UsageError, match="holds corruptions at several severities") as refused:
        build_benchmark.benchmark("mine", str(tmp_path))
    assert f"--benchmark imagenet-c --data imagenet-c={tmp_path}" in str(refused.value.hint)
    assert build_benchmark.benchmark("mine", str(tmp_path / "fog" / "5")).layout is None


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    own = f"own={archive(tmp_path)}"
    words = ["corrupt", "--out", str(tmp_path / "out"), "--data", own, "--corruption"]
    assert "one set of constants, got cifar10 and imagenet" in said([*words, "fog(severity=1)", "--corruption", TEXT])
    assert "cannot be generated" in said([*words, "tiny_imagenet_c"])
    assert "Did you mean 'fog'" in said([*words, "foog(severity=1)"])
    assert "images written" in said([*words, TEXT])
    assert "is a set of corrupted images" in said(
        ["corrupt", "--out", str(tmp_path / "again"), "--data", f"own-c={tmp_path / 'out'}"]
    )
    imagenet = wnid_folders(tmp_path / "clean")
    write_corrupted(
        "imagenet-c-generated", tmp_path / "c", {"imagenet": str(imagenet)}, CorruptionSettings(corruptions=["fog"])
    )
    with pytest.raises(DataError, match="Read them with --benchmark imagenet-c --data imagenet-c="):
        build_benchmark.benchmark("mine", str(tmp_path / "c"))
    settings = CorruptionSettings(corruptions=["fog"], geometry=Geometry(size=8))
    with pytest.raises(UsageError, match="has the geometry of the published set"):
        write_corrupted("imagenet-c-generated", tmp_path / "d", {"imagenet": str(imagenet)}, settings)


def test_a_written_set_does_not_take_the_name_of_its_source(tmp_path: Path) -> None:
    place, out = str(archive(tmp_path)), tmp_path / "out"
    write_corrupted("own", out, {"own": place}, CorruptionSettings(corruptions=[TEXT]))
    with pytest.raises(DataError, match="corrupted images that were made from own") as caught:
        build_benchmark.benchmark("own", str(out))
    assert f"--data own-c={out}" in caught.value.hint
    assert build_benchmark.benchmark("own-c", str(out)).source_benchmark == "own"
