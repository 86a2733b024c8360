"""Pictures come upright, in RGB and at the right size, or stop with their name."""

from __future__ import annotations

import io
import json
import os
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelled_sets import (
    class_folders,
    jpeg,
    own,
    png,
    prepared,
)
from robustbench_eff.benchmarks.image_cache import MAX_UNREADABLE, prepare
from robustbench_eff.benchmarks.lazy_images import prepare_published
from robustbench_eff.benchmarks.readers.decode import is_turned
from robustbench_eff.core.disk import cache_folder
from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.evaluation.open_images import open_files
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location
from robustbench_eff.registry.perturbation import parse_perturbation


def test_exif_orientation_and_palettes_are_applied(tmp_path: Path) -> None:
    picture = Image.fromarray(np.repeat(np.arange(8, dtype=np.uint8)[:, None, None] * 30, 8, 1).repeat(3, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "a.jpg").write_bytes(jpeg(picture, exif=exif, quality=100))
    picture.convert("P").save(tmp_path / "0" / "b.png")
    turned, palette = prepared(tmp_path).pixels[:]
    assert np.abs(turned.astype(int) - np.asarray(picture.rotate(-90)).astype(int)).max() <= 3
    assert palette.shape == (8, 8, 3)


def oriented(orientation: int, form: str = "JPEG") -> bytes:
    """A picture of 8 x 8 pixels, whose left half is white, with an EXIF orientation."""
    picture, exif, buffer = Image.new("RGB", (8, 8)), Image.Exif(), io.BytesIO()
    picture.paste((255, 255, 255), (0, 0, 4, 8))
    exif[0x0112] = orientation
    picture.save(buffer, form, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_protocol_says_that_images_were_turned(tmp_path: Path, form: str) -> None:
    """6 turns, 1 is upright; other protocols stay as they are."""
    (tmp_path / "0").mkdir()
    for number, orientation in enumerate((1, 6, 6)):
        (tmp_path / "0" / f"{number}.{form.lower()}").write_bytes(oriented(orientation, form))
    found = prepared(tmp_path)
    assert (
        str(found.protocol)
        == "local files, 3 images, folder names as numbers, EXIF orientation applied (2 images), 8×8 as it is"
    )
    assert found.pixels[:][1][0].mean() > 200 > 55 > found.pixels[:][1][-1].mean(), "the left half is the upper one now"
    assert (
        str(prepared(tmp_path, limit=1).protocol)
        == "local files, first 1 of 3 images, folder names as numbers, 8×8 as it is"
    )
    assert "applied (1 image)" in str(prepared(tmp_path, limit=2).protocol)
    assert prepared(tmp_path).protocol == found.protocol, "from the cache"


def test_a_record_without_orientations_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))
    images = tmp_path / "images"
    (images / "0").mkdir(parents=True)
    (images / "0" / "a.jpg").write_bytes(oriented(3))
    first = prepared(images)
    (record,) = (cache_folder() / "fingerprints").glob("*.json")
    record.write_text(json.dumps({"fingerprint": first.fingerprint}))
    again = prepared(images)
    assert (again.protocol.turned, again.fingerprint) == (1, first.fingerprint)
    assert first.protocol.of_images().turned == 1


def test_published_files_that_were_turned_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "fog" / "3" / "n01440764"
    folder.mkdir(parents=True)
    for number, orientation in enumerate((8, 1)):
        Image.open(io.BytesIO(oriented(orientation))).resize((224, 224)).save(
            folder / f"{number}.JPEG", exif=Image.open(io.BytesIO(oriented(orientation))).getexif()
        )
    benchmark = build_benchmark.benchmark("imagenet-c")
    opened = open_files(benchmark, str(tmp_path), parse_perturbation("fog(severity=3)"))
    found = prepare_published(benchmark, opened, benchmark.geometry)
    assert str(found.protocol).startswith("published files, 2 images, EXIF orientation applied (1 image), 224×224")


@pytest.mark.parametrize(
    "content", [b"Exif, but not an image", b"II*\0", jpeg(Image.new("RGB", (8, 8)))[:30] + b"Exif"]
)
def test_what_is_no_image_is_not_turned(content: bytes) -> None:
    assert not is_turned(content)


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
    assert not list(cache_folder().rglob(".*.part"))


@pytest.mark.parametrize(("bad", "words"), [(3, "3 images of"), (30, "images or more of")])
def test_all_bad_files_are_listed_up_to_a_limit(tmp_path: Path, bad: int, words: str) -> None:
    class_folders(tmp_path, ["0"])
    for number in range(bad):
        (tmp_path / "0" / f"text{number:02}.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=words) as caught:
        prepared(tmp_path)
    lines = caught.value.message.splitlines()[1:]
    assert min(bad, MAX_UNREADABLE) <= len(lines) <= MAX_UNREADABLE + (os.cpu_count() or 1)
    assert all("0/text" in line and "cannot be decoded" in line for line in lines)
    assert lines == sorted(set(lines))


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
    found = prepare(own(tmp_path), open_location(str(tmp_path), "test"), geometry)
    for picture, ours in zip(pictures, found.pixels[:], strict=True):
        assert np.array_equal(ours, np.asarray(steps(picture)))
