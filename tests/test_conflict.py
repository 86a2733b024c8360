"""Cue-conflict images made from any labelled set."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from adain_weights import write
from labelled_sets import class_folders, files
from robustbench_eff import evaluate
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import DataError, MissingInputs, SpecError, UsageError
from robustbench_eff.generation.conflict_plan import ConflictSettings
from robustbench_eff.generation.cue_conflict import write_conflicts
from robustbench_eff.storage.store import Store


def digits(out: Path, **options):
    return write_conflicts("digits", out, {}, ConflictSettings(**options))


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_image_is_a_shape_once_and_its_texture_is_of_another_class(tmp_path: Path) -> None:
    assert digits(tmp_path).images == 360
    found = rows(tmp_path)
    assert len({row["shape_id"] for row in found}) == len({row["file"] for row in found}) == 360
    assert all(row["shape"] != row["texture"] for row in found)
    pairs = {(row["shape"], row["texture"]) for row in found}
    assert len(pairs) > 80, "of 90, about 88 are drawn"
    assert Image.open(tmp_path / found[0]["file"]).size == (32, 32)


def test_a_part_of_the_set_has_the_same_pairs_and_pixels(tmp_path: Path) -> None:
    digits(tmp_path / "part", limit=64)
    digits(tmp_path / "all", limit=128)
    assert rows(tmp_path / "part") == rows(tmp_path / "all")[:64]
    name = rows(tmp_path / "part")[63]["file"]
    assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    digits(tmp_path / "other", limit=64, seed=1)
    assert rows(tmp_path / "part") != rows(tmp_path / "other")


def test_a_cut_run_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    digits(tmp_path, limit=100)
    whole = files(tmp_path)
    gone = [name for name in whole if name.endswith("png")][::7]
    for name in [*gone, "labels.csv"]:
        (tmp_path / name).unlink()
    again = digits(tmp_path, limit=100)
    assert (again.images, again.found) == (len(gone), 100 - len(gone))
    assert files(tmp_path) == whole


def test_interrupted_it_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits(tmp_path / "whole", limit=70)

    def stopped(text: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("robustbench_eff.cli.conflict.print_progress", stopped)
    words = ["conflict", "--out", str(tmp_path / "cut"), "--limit", "70"]
    monkeypatch.setattr("sys.argv", ["robust-eval", *words])
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 130
    assert f"robust-eval conflict --out {tmp_path}/cut --limit 70" in result.output.replace("\n", "")
    assert not (tmp_path / "cut" / "labels.csv").exists()
    assert digits(tmp_path / "cut", limit=70).found == 64
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_folder_holds_images_of_one_kind(tmp_path: Path) -> None:
    digits(tmp_path / "out", limit=3)
    for options, key in (({"seed": 1}, "seed"), ({"strength": 0.5}, "strength"), ({"styliser": "colour"}, "styliser")):
        with pytest.raises(UsageError, match=rf"written from something else \([\w, ]*{key}"):
            digits(tmp_path / "out", **{"limit": 3, **options})
    (tmp_path / "out" / "made-from.json").unlink()
    with pytest.raises(UsageError, match="was not written by this command"):
        digits(tmp_path / "out", limit=3)


def test_the_note_holds_a_hash_of_files_with_weights(tmp_path: Path) -> None:
    write(tmp_path)
    text = f"adain(encoder='{tmp_path}/vgg_normalised.pth', decoder='{tmp_path}/decoder.pth')"
    digits(tmp_path / "out", limit=1, styliser=text)
    fields = json.loads((tmp_path / "out" / "made-from.json").read_text())["fields"]
    assert len(fields["encoder_hash"]) == len(fields["decoder_hash"]) == 128
    with pytest.raises(DataError, match="needs the file"):
        digits(tmp_path / "none", limit=1, styliser="adain(encoder='absent.pth')")
    assert not (tmp_path / "none").exists()


def test_what_is_written_is_evaluated_with_its_textures(tmp_path: Path) -> None:
    words = ["conflict", "--out", str(tmp_path / "out"), "--limit", "20", "--styliser", "fourier"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "20 images written" in result.output
    data = {"mine": str(tmp_path / "out")}
    evaluate("digits_standard", benchmarks=["mine"], data=data, attacks=["none"], store=tmp_path / "store")
    store = Store(tmp_path / "store")
    (cell,) = store.cells()
    found = store.outcomes(cell).to_pydict()
    assert found["label"] == [int(row["shape"]) for row in rows(tmp_path / "out")]
    assert found["texture"] == [int(row["texture"]) for row in rows(tmp_path / "out")]
    assert found["sample_id"] == [row["file"] for row in rows(tmp_path / "out")]


def test_classes_that_only_have_names_keep_them(tmp_path: Path) -> None:
    clean = class_folders(tmp_path / "set", ["cat", "a dog", "cat", "ö..x", "a dog"])
    write_conflicts("mine", tmp_path / "out", {"mine": str(clean)}, ConflictSettings())
    found = rows(tmp_path / "out")
    assert {row["shape"] for row in found} == {"cat", "a dog", "ö..x"}
    assert all((tmp_path / "out" / row["file"]).is_file() for row in found)
    assert Image.open(tmp_path / "out" / found[0]["file"]).size == (8, 8)


def test_the_names_of_known_classes_become_numbers_and_pictures_are_cut_out(tmp_path: Path) -> None:
    for number, wnid in enumerate(("n01440764", "n01443537")):
        (tmp_path / "set" / wnid).mkdir(parents=True)
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((280, 300)).save(tmp_path / "set" / wnid / "a.png")
    write_conflicts("imagenet", tmp_path / "out", {"imagenet": str(tmp_path / "set")}, ConflictSettings())
    assert [(row["shape"], row["texture"]) for row in rows(tmp_path / "out")] == [("0", "1"), ("1", "0")]
    assert Image.open(tmp_path / "out" / rows(tmp_path / "out")[0]["file"]).size == (224, 224)
    note = json.loads((tmp_path / "out" / "made-from.json").read_text())
    assert note["protocol"].endswith("short side 256, centre 224×224, bilinear")


@pytest.mark.parametrize("name", ["digits-cue-conflict", "digits-cue-conflict-fourier"])
def test_the_digits_have_conflicts_of_their_own(tmp_path: Path, name: str) -> None:
    options = {"benchmarks": [name], "suite": "shifts", "limit": 40}
    (score,) = evaluate("digits_standard", store=tmp_path / "store", **options).scores[:1]
    assert score.benchmark == name
    assert "digits test with textures of other classes by" in str(score.protocol)
    store = Store(tmp_path / "store")
    table = store.outcomes(next(iter(store.cells()))).to_pydict()
    assert all(0 <= texture <= 9 for texture in table["texture"])
    assert not any(texture == label for texture, label in zip(table["texture"], table["label"], strict=True))
    before = set(store.cells())
    evaluate("digits_standard", store=tmp_path / "store", **options)
    assert set(store.cells()) == before


def test_conflicts_of_digits_are_made_from_the_digits_that_are_given(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8), y=[0, 1, 0, 1])
    options = {"benchmarks": ["digits-cue-conflict"], "attacks": ["none"], "store": tmp_path / "store"}
    score = evaluate("digits_standard", data={"digits": str(tmp_path / "d.npz")}, **options).scores[0]
    assert "4 images" in str(score.protocol)
    assert str(score.protocol).startswith("digits local files with textures of other classes")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"styliser": "random_fase"}, SpecError, "Did you mean 'random_phase'"),
        ({"styliser": "random_phase(size=1)"}, SpecError, "does not have a field 'size'"),
        ({"strength": 2.0}, DataError, "strength must be from 0 to 1"),
        ({"limit": 0}, UsageError, "limit must be at least 1"),
    ],
)
def test_wrong_arguments_are_said(tmp_path: Path, options: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        digits(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_set_that_has_no_conflicts_is_refused(tmp_path: Path) -> None:
    out, one = tmp_path / "out", class_folders(tmp_path / "one", ["a", "a"])
    (tmp_path / "flat").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "flat" / "a.png")
    with pytest.raises(UsageError, match="images of one class only"):
        write_conflicts("mine", out, {"mine": str(one)}, ConflictSettings())
    with pytest.raises(DataError, match="cannot be read as labelled images"):
        write_conflicts("mine", out, {"mine": str(tmp_path / "flat")}, ConflictSettings())
    with pytest.raises(UsageError, match="Take those of digits"):
        write_conflicts("digits-cue-conflict", out, {}, ConflictSettings())
    with pytest.raises(MissingInputs, match="imagenet"):
        write_conflicts("imagenet", out, {}, ConflictSettings())
    assert not out.exists()
    digits(out, limit=2)
    with pytest.raises(UsageError, match="holds cue-conflict images already"):
        write_conflicts("mine", tmp_path / "again", {"mine": str(out)}, ConflictSettings())


def test_small_images_have_one_size(tmp_path: Path) -> None:
    for name, size in (("a", 8), ("b", 9)):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.new("RGB", (size, size)).save(tmp_path / "set" / name / "1.png")
    with pytest.raises(DataError, match=r"is 9×9, not 8×8.\nSmall images must all have the size of the first"):
        write_conflicts("mine", tmp_path / "out", {"mine": str(tmp_path / "set")}, ConflictSettings())


def test_classes_that_are_no_outputs_are_refused(tmp_path: Path) -> None:
    """Numbers of the 200 classes of ImageNet-R would be read as ImageNet's."""
    data = {"imagenet-r": str(class_folders(tmp_path / "set", ["n01531178", "n01498041"]))}
    with pytest.raises(UsageError, match="classes of imagenet-r are not a model's outputs"):
        write_conflicts("imagenet-r", tmp_path / "out", data, ConflictSettings())


def test_two_sets_need_a_choice(tmp_path: Path) -> None:
    words = ["conflict", "--out", str(tmp_path / "out"), "--data", "a=x", "--data", "b=y"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--data names several sets: a, b" in result.output
