"""Pictures of every format: the right pixels, or one sentence; never a number that was cut without a word."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from robustbench_eff.benchmarks.readers.decode import decode, is_turned
from robustbench_eff.core.errors import DataError
from robustbench_eff.core.pictures import FORMATS, is_deep, open_picture

RED, BLUE = (200, 16, 32), (0, 0, 255)
PLAIN = Image.new("RGB", (16, 16), RED)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def deep_tiff(channels: int, photometric: int, bits: int = 16, kind: int = 1) -> bytes:
    """An uncompressed TIFF of 4 x 4 pixels, whose channels Pillow itself cannot write."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    size = bits // 8 * channels * 16
    values = {256: 4, 257: 4, 258: (bits,) * channels, 259: 1, 262: photometric, 277: channels, 278: 4, 279: size}
    for tag, value in (
        values | {339: (kind,) * channels} | ({338: (2,)} if (channels, photometric) == (4, 2) else {})
    ).items():
        tags[tag] = value
    tags[273] = 0
    empty = tags.tobytes(8)
    tags[273] = 8 + len(empty)
    return b"II*\0\x08\0\0\0" + tags.tobytes(8) + bytes(range(256))[:16] * (size // 16)


def deep_ppm() -> bytes:
    return b"P6 4 4 65535\n" + bytes(96)


def deep_jpeg_2000() -> bytes:
    """A picture of 8 bits whose header states 12: Pillow shifts such values to 8 bits."""
    content = bytearray(saved(PLAIN, "JPEG2000"))
    start = content.index(b"\xff\x4f\xff\x51")
    content[start + 42] = 11
    return bytes(content)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_that_is_named_is_read(form: str) -> None:
    assert np.abs(np.asarray(decode(saved(PLAIN, form), "x")).astype(int) - RED).max() <= 4


@pytest.mark.parametrize("form", ["EPS", "ICO", "PCX", "SGI", "DDS", "PDF", "ICNS"])
def test_every_other_format_is_refused_by_the_list_of_those_that_are_read(form: str) -> None:
    with pytest.raises(DataError, match=r"x.png cannot be decoded: not an image of a format that is read") as caught:
        decode(saved(PLAIN, form), "x.png")
    assert "AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM and PGM, TIFF, TGA, WebP" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        deep_tiff(3, 2),
        deep_tiff(4, 2),
        deep_tiff(4, 5),
        deep_tiff(1, 1),
        deep_tiff(1, 1, bits=32, kind=3),
        deep_tiff(1, 1, bits=8, kind=2),
        saved(Image.new("F", (4, 4)), "TIFF"),
        saved(Image.new("I", (4, 4)), "TIFF"),
        saved(Image.new("I;16", (4, 4)), "PNG"),
        saved(Image.new("F", (4, 4)), "PPM"),
        deep_ppm(),
        b"P3 1 1 1023\n1 2 3\n",
        b"P5 4 4 65535\n" + bytes(32),
        deep_jpeg_2000(),
    ],
    ids=[
        *("tiff-rgb", "tiff-rgba", "tiff-cmyk", "tiff-grey", "tiff-float", "tiff-signed", "F", "I", "png-grey"),
        *("pfm", "ppm", "plain-ppm", "pgm", "jpeg-2000"),
    ],
)
def test_more_than_eight_bits_are_refused_and_not_cut(content: bytes) -> None:
    with pytest.raises(DataError, match="x has more than 8 bits a channel"):
        decode(content, "x")


def test_an_avif_of_ten_bits_is_known_by_its_header() -> None:
    """Pillow writes 8 bits alone, and does not open a file whose header was changed."""
    content = saved(PLAIN, "AVIF")
    ten_bits = bytearray(content)
    ten_bits[content.index(b"av1C") + 6] |= 0x40
    picture = open_picture(content)
    assert (is_deep(picture, content), is_deep(picture, bytes(ten_bits))) == (False, True)


def animation(form: str) -> bytes:
    return saved(PLAIN, form, save_all=True, append_images=[Image.new("RGB", (16, 16), BLUE)])


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF", "WEBP", "MPO", "AVIF"])
def test_of_several_pictures_the_first_is_taken(form: str) -> None:
    assert np.abs(np.asarray(decode(animation(form), "x")).astype(int) - RED).max() <= 8


def with_alpha() -> Image.Image:
    picture = PLAIN.convert("RGBA")
    picture.putalpha(0)
    return picture


@pytest.mark.parametrize(
    "content",
    [
        saved(with_alpha(), "PNG"),
        saved(with_alpha(), "TIFF"),
        saved(PLAIN.convert("P", palette=Image.Palette.ADAPTIVE), "PNG", transparency=0),
        saved(PLAIN.convert("P", palette=Image.Palette.ADAPTIVE), "GIF", transparency=0),
    ],
    ids=["png", "tiff", "palette", "gif"],
)
def test_a_transparent_pixel_has_the_color_under_it(content: bytes) -> None:
    assert (np.asarray(decode(content, "x")) == RED).all()


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_cmyk_is_converted(form: str) -> None:
    found = np.asarray(decode(saved(PLAIN.convert("CMYK"), form, quality=100), "x")).astype(int)
    assert np.abs(found - RED).max() <= 3


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def scrambled(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randrange(1, 12)):
        damaged[chance.randrange(min(len(damaged), 300))] = chance.randrange(256)
    return bytes(damaged)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("damage", [cut, scrambled])
@pytest.mark.parametrize("form", FORMATS)
def test_no_damage_raises_anything_but_a_data_error(form: str, damage: Callable[[bytes, random.Random], bytes]) -> None:
    chance, content, refused = random.Random(0), saved(PLAIN, form), 0
    for _ in range(60):
        damaged = damage(content, chance)
        assert is_turned(damaged + b"Exif") in (True, False)
        try:
            assert decode(damaged, "x").mode == "RGB"
        except DataError as error:
            assert error.message.startswith("x ")
            refused += 1
    assert refused, "this test could not fail"
