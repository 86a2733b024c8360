"""From encoded bytes to an upright RGB image, or an error that names the file."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from robustbench_eff.core.errors import DataError, RobustEvalError
from robustbench_eff.core.file_kinds import placeholder_in


def decode(content: bytes | npt.NDArray[np.uint8], name: str) -> Image.Image:
    """Return an RGB image with its EXIF orientation applied.

    Args:
        content: Encoded bytes; or uint8 (H, W, 3) pixels.
        name: Name of the image for messages.

    Raises:
        DataError: The bytes are not an image (a web page, say), or the image is truncated, has 16 bits per channel, or
            is so large that it may be a decompression bomb (Pillow's MAX_IMAGE_PIXELS).
    """
    if isinstance(content, np.ndarray):
        return Image.fromarray(content)
    try:
        picture = Image.open(io.BytesIO(content))
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and picture.width * picture.height > limit:
            raise DataError(
                f"{name} is too large: {picture.width}×{picture.height} pixels may be a decompression bomb.",
                "Scale it down, or leave it out.",
            )
        if picture.mode.startswith(("I", "F")) or _is_deep_png(content):
            raise DataError(f"{name} has more than 8 bits a channel.", "Convert it to 8 bits.")
        picture.load()
        return ImageOps.exif_transpose(picture).convert("RGB")
    except RobustEvalError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is too large: {error}", "Scale it down, or leave it out.") from error
    except Exception as error:
        if (placeholder := placeholder_in(content)) is not None:
            raise DataError(f"{name} {placeholder.what}.", placeholder.remedy) from error
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
        raise DataError(f"{name} cannot be decoded: {reason}.", "Replace the file, or leave it out.") from error


def is_turned(content: bytes | npt.NDArray[np.uint8]) -> bool:
    """Return whether `decode` turns or mirrors an image, because its file has an EXIF orientation.

    Args:
        content: Encoded bytes; or pixels, which have none.
    """
    if isinstance(content, np.ndarray) or not (content[:4] in _TIFF or any(mark in content for mark in _MARKS)):
        return False
    try:
        orientation = Image.open(io.BytesIO(content)).getexif().get(ExifTags.Base.Orientation, 1)
    except _UNREADABLE:  # `decode` says why
        return False
    return orientation in _TURNED


_TIFF = (b"II*\0", b"MM\0*")
"""First bytes of a TIFF file, whose own tags have the orientation."""
_MARKS = (b"Exif", b"EXIF", b"eXIf", b"exif", b"Orientation")
"""One of these stands in every other file with an orientation."""
_UNREADABLE = (OSError, ValueError, SyntaxError, KeyError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for the tags of a damaged file, or of one that is not an image."""
_TURNED = range(2, 9)
"""Orientations other than upright."""


def _is_deep_png(content: bytes) -> bool:
    """Return True for a PNG with 16 bits per channel, which Pillow would silently cut to 8 in color images."""
    return content.startswith(b"\x89PNG") and len(content) > 24 and content[24] == 16
