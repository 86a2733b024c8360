"""Image files of a fixed list of formats, none of which Pillow hands to another program."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP", "TGA")
"""Pillow's names of the formats that are read, if it was built with them. JPEG includes MPO; PPM includes PBM and PGM.

EPS and PostScript are programs, and Pillow starts Ghostscript for them; WMF and others need libraries of the system.
"""
READ = "AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM and PGM, TIFF, TGA, WebP"
"""The formats as messages and the documentation write them."""
_SIZ = b"\xff\x4f\xff\x51"
"""Beginning of the code stream of a JPEG 2000, whose bits per channel stand 42 bytes further."""
_BITS_PER_SAMPLE, _SAMPLE_FORMAT, _UNSIGNED = 258, 339, (1, 4)
"""Tags of TIFF, and the values of the second that are unsigned integers."""


def open_picture(content: bytes) -> Image.Image:
    """Return an image whose pixels are not decoded yet; of an animation, or a file with several pages, the first.

    Args:
        content: The bytes of the file.

    Raises:
        PIL.UnidentifiedImageError: The bytes are not an image of one of `FORMATS`.
        Exception: Whatever else Pillow raises for a damaged file.
    """
    return Image.open(io.BytesIO(content), formats=_available())


@cache
def _available() -> tuple[str, ...]:
    """The formats that this build of Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def is_deep(picture: Image.Image, content: bytes) -> bool:
    """Return whether an image has more than 8 bits per channel, or values that are not unsigned integers.

    Pillow cuts the color channels of most such files to 8 bits without saying so.

    Args:
        picture: What `open_picture` returned.
        content: The bytes of the file.
    """
    if picture.mode.startswith(("I", "F")):
        return True
    match picture.format:
        case "PNG":
            return content[24] > 8
        case "TIFF":
            tags = picture.tag_v2  # type: ignore[attr-defined]
            signed = any(value not in _UNSIGNED for value in tags.get(_SAMPLE_FORMAT, ()))
            return signed or max(tags.get(_BITS_PER_SAMPLE, (1,))) > 8
        case "PPM":
            arguments = picture.tile[0].args  # type: ignore[attr-defined]
            return isinstance(arguments, tuple) and int(arguments[1]) > 255
        case "JPEG2000":
            start = content.find(_SIZ)
            return start >= 0 and (content[start + 42] & 0x7F) > 7
        case "AVIF":
            start = content.find(b"av1C")
            return start >= 0 and bool(content[start + 6] & 0x40)
        case _:
            return False
