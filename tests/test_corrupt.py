"""Corrupted images as files in the published layout, and the sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from labelled_sets import files
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import FOG, JPEG_COMPRESSION
from robustbench_eff.generation.corrupted_files import CorruptionSettings, write_corrupted

TEXTS = ("fog(severity=3)", "contrast(severity=1)")


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(6):
        folder = tmp_path / "clean" / ("n01440764", "n01443537")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, size=(9, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((280, 300)).save(folder / f"val_{number}.png")
    return tmp_path / "clean"


def write(clean: Path, out: Path, **options):
    settings = CorruptionSettings(corruptions=TEXTS, **options)
    return write_corrupted("imagenet-c-generated", out, {"imagenet": str(clean)}, settings)


def test_the_layout_is_the_published_one_and_a_cut_run_goes_on(clean: Path, tmp_path: Path) -> None:
    assert write(clean, tmp_path / "out").images == 12
    whole = files(tmp_path / "out")
    assert len(whole) == 12 + 1, "and the note of what they are made from"
    assert "fog/3/n01440764/val_0.JPEG" in whole
    for name in [name for name in whole if name.endswith("JPEG")][::2]:
        (tmp_path / "out" / name).unlink()
    again = write(clean, tmp_path / "out")
    assert (again.images, again.found) == (6, 6)
    assert files(tmp_path / "out") == whole


def test_a_file_holds_what_an_evaluation_sees(clean: Path, tmp_path: Path) -> None:
    from robustbench_eff.benchmarks.definitions.imagenet import IMAGENET_C_GENERATED
    from robustbench_eff.benchmarks.image_cache import prepare
    from robustbench_eff.core.rng import RandomStreams
    from robustbench_eff.registry.open_benchmark import open_location

    write(clean, tmp_path / "out", seed=4)
    opened = open_location(str(clean), "validation")
    images = prepare(IMAGENET_C_GENERATED, opened, IMAGENET_C_GENERATED.geometry)
    seen = JPEG_COMPRESSION.applied(FOG.at(3)(images.bytes(np.arange(6)), RandomStreams.of(4, images.sample_ids)), 85)
    for row, sample in enumerate(images.sample_ids):
        (path,) = (tmp_path / "out" / "fog" / "3").rglob(f"{Path(sample).stem}.JPEG")
        assert np.array_equal(np.asarray(Image.open(path)), seen[row].numpy())


def test_a_folder_holds_images_of_one_kind(clean: Path, tmp_path: Path) -> None:
    write(clean, tmp_path / "out")
    with pytest.raises(UsageError, match=r"written from something else \(seed\)"):
        write(clean, tmp_path / "out", seed=1)
    with pytest.raises(UsageError, match=r"something else \(protocol, data\)"):
        write(clean, tmp_path / "out", limit=2)


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "test.npz", x=random.integers(0, 256, (7, 32, 32, 3), dtype=np.uint8), y=np.arange(7) % 10)
    return tmp_path / "test.npz"


def test_cifar_is_written_as_arrays(arrays: Path, tmp_path: Path) -> None:
    words = ["corrupt", "--data", f"cifar10={arrays}", "--out", str(tmp_path / "out")]
    words += ["--corruption", ", ".join(f"fog(severity={level}, constants='cifar10')" for level in range(1, 6))]
    words += ["--corruption", ", ".join(f"pixelate(severity={level}, constants='cifar10')" for level in range(1, 6))]
    result = CliRunner().invoke(app, words)
    assert "70 images written" in result.output
    fog, labels = np.load(tmp_path / "out" / "fog.npy"), np.load(tmp_path / "out" / "labels.npy")
    clean = torch.from_numpy(np.load(arrays)["x"])
    draws = RandomStreams.of(0, [f"{row:08d}" for row in range(7)])
    for level in range(1, 6):
        expected = FOG.at(level, "cifar10")(clean, draws).numpy()
        np.testing.assert_array_equal(fog[7 * (level - 1) : 7 * level], expected)
    assert labels.tolist() == list(range(7)) * 5
    (tmp_path / "out" / "fog.npy").unlink()
    assert "35 images written" in CliRunner().invoke(app, words).output
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "fog.npy"), fog)


def test_an_array_needs_all_severities(arrays: Path, tmp_path: Path) -> None:
    words = [
        "corrupt",
        "--data",
        f"cifar10={arrays}",
        "--out",
        str(tmp_path / "out"),
        "--corruption",
        "fog(severity=2, constants='cifar10')",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "an array holds the severities 1 to 5, got [2]" in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_written_is_refused(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="digits cannot be written"):
        write_corrupted("digits", tmp_path / "out", {}, CorruptionSettings(corruptions=TEXTS))
    with pytest.raises(MissingInputs, match="nowhere"):
        write(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sheet_has_a_row_a_corruption(clean: Path, tmp_path: Path) -> None:
    photograph = next(clean.rglob("*.png"))
    out = tmp_path / "sheet.png"
    words = ["corrupt", "--sheet", str(photograph), "--out", str(out), "--corruption", "fog, contrast, brightness"]
    assert CliRunner().invoke(app, words).exit_code == 0
    sheet = Image.open(out)
    assert sheet.height == 3 * 115 + 3
    assert sheet.width > 6 * 112


def test_a_sheet_shows_the_constants_that_are_asked_for(clean: Path, tmp_path: Path) -> None:
    words = ["corrupt", "--sheet", str(next(clean.rglob("*.png")))]
    sheets = {}
    for constants in ("imagenet", "cifar10", "by_size"):
        out = tmp_path / f"{constants}.png"
        text = f"contrast(constants='{constants}')"
        assert CliRunner().invoke(app, [*words, "--out", str(out), "--corruption", text]).exit_code == 0
        sheets[constants] = np.asarray(Image.open(out))
    assert np.array_equal(sheets["by_size"], sheets["imagenet"])
    assert not np.array_equal(sheets["cifar10"], sheets["imagenet"])


def test_a_sheet_of_styles_has_a_row_a_styliser_and_ends_with_the_style(clean: Path, tmp_path: Path) -> None:
    photograph, style = sorted(clean.rglob("*.png"))[:2]
    out = tmp_path / "sheet.png"
    words = ["corrupt", "--sheet", str(photograph), "--style", str(style), "--out", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    sheet = np.asarray(Image.open(out)).astype(int)
    assert sheet.shape == (3 * 115 + 3, 150 + 6 * 115, 3)
    tiles = [[sheet[3 + 115 * row :, 150 + 115 * column :][:112, :112] for column in range(6)] for row in range(3)]
    for row in tiles:
        assert np.array_equal(row[0], tiles[0][0])
        assert np.array_equal(row[-1], tiles[0][-1])
        away = [np.abs(tile - row[0]).mean() for tile in row[1:-1]]
        assert 0 < away[0] < away[1] < away[2] < away[3]
    assert CliRunner().invoke(app, [*words, "--styliser", "fourier(beta=0.1), colour"]).exit_code == 0
    assert Image.open(out).height == 2 * 115 + 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "x.png", "--data", "imagenet=y", "--style", "PHOTO"], "--style needs --sheet PHOTO"),
        (["--out", "x.png", "--sheet", "PHOTO", "--styliser", "colour"], "--styliser needs a picture"),
        (["--out", "x.png", "--sheet", "PHOTO", "--style", "no.png"], "no.png cannot be read: "),
        (["--out", "x.png", "--sheet", "PHOTO", "--style", "PHOTO", "--styliser", "color"], "Did you mean 'colour'"),
        (["--out", "x.png", "--sheet", "PHOTO", "--style", "PHOTO", "--styliser", "adain"], "needs the file"),
        (["--out", "x.png"], "There are no images to corrupt"),
        (["--out", "x.jpg", "--sheet", "PHOTO"], "The sheet must be a PNG file"),
        (["--out", "x.png", "--sheet", "no.png"], "cannot be read: "),
        (["--out", "x.png", "--sheet", "PHOTO", "--data", "imagenet=y"], "cannot be combined with --data"),
        (["--out", "x", "--data", "imagenet=nowhere"], "nowhere does not exist"),
        (["--out", "x", "--data", "digits=y"], "digits cannot be written"),
        (["--out", "x", "--data", "imagenet=y", "--data", "cifar10=z"], "--data names several sets"),
        (
            ["--out", "x", "--data", "imagenet=CLEAN", "--corruption", "cifar10_c"],
            "not have the constants of imagenet-c",
        ),
        (["--out", "x", "--data", "imagenet=CLEAN", "--limit", "0"], "limit must be at least 1"),
        (["--out", "no/x.png", "--sheet", "PHOTO", "--corruption", "fog"], "cannot be written"),
        (["--out", "x.png", "--sheet", "PHOTO", "--corruption", "foog"], "Did you mean 'fog'"),
        (["--out", "x.png", "--sheet", "PHOTO", "--corruption", "imagenet_3dcc"], "read from published files and"),
        (["--out", "x.png", "--sheet", "PHOTO", "--corruption", "pgd"], "is not a corruption"),
        (["--out", "x.png", "--sheet", "PHOTO", "--corruption", "fog, cifar10_c"], "has one set of constants, got"),
        (["--out", "x.png", "--sheet", "PHOTO", "--limit", "3"], "--sheet cannot be combined with --limit"),
        (
            ["--out", "x.png", "--sheet", "PHOTO", "--input-size", "64", "--geometry", "crop", "--seed", "1"],
            "cannot be combined with --input-size and --geometry and --seed",
        ),
        (["--out", "x.png", "--sheet", "PHOTO", "--corruption", ""], "The text after --corruption is empty"),
        (["--out", "x", "--data", "imagenet=CLEAN", "--corruption", ""], "The text after --corruption is empty"),
    ],
)
def test_wrong_arguments_are_said(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    photograph = str(next(clean.rglob("*.png")))
    words = [word.replace("PHOTO", photograph).replace("CLEAN", str(clean)) for word in words]
    result = CliRunner().invoke(app, ["corrupt", *words])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
