"""From encoded bytes to an upright RGB image, or an error that names the file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from robustbench_eff.core.errors import DataError, RobustEvalError, reason
from robustbench_eff.core.file_kinds import placeholder_in
from robustbench_eff.core.pictures import READ, is_deep, open_picture

FORMS = f"Images may be {READ}. Convert the file, or leave it out."
"""Hint for a file of another format."""


def decode(content: bytes | npt.NDArray[np.uint8], name: str) -> Image.Image:
    """Return an RGB image with its EXIF orientation applied.

    Transparency is left out, so that a pixel has the color under it. Of an animation, or a file with several pages, the
    first image is taken. CMYK is converted without a color profile. All three are as in torchvision's datasets.

    Args:
        content: Encoded bytes; or uint8 (H, W, 3) pixels.
        name: Name of the image for messages.

    Raises:
        DataError: The bytes are not an image of `core.pictures.FORMATS` (a web page, say), or the image is truncated,
            has more than 8 bits per channel, or is so large that it may be a decompression bomb (Pillow's
            MAX_IMAGE_PIXELS). Nothing else is raised, whatever the bytes.
    """
    if isinstance(content, np.ndarray):
        return Image.fromarray(content)
    try:
        picture = open_picture(content)
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and picture.width * picture.height > limit:
            raise DataError(
                f"{name} is too large: {picture.width}×{picture.height} pixels may be a decompression bomb.",
                "Scale it down, or leave it out.",
            )
        if is_deep(picture, content):
            raise DataError(f"{name} has more than 8 bits a channel.", "Convert it to 8 bits.")
        picture.load()
        return ImageOps.exif_transpose(picture).convert("RGB")
    except RobustEvalError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is too large: {error}", "Scale it down, or leave it out.") from error
    except Exception as error:  # what Pillow raises for a damaged file depends on the format, and on the damage
        if (placeholder := placeholder_in(content)) is not None:
            raise DataError(f"{name} {placeholder.what}.", placeholder.remedy) from error
        if isinstance(error, UnidentifiedImageError):
            raise DataError(f"{name} cannot be decoded: not an image of a format that is read.", FORMS) from error
        raise DataError(f"{name} cannot be decoded: {reason(error)}.", "Replace the file, or leave it out.") from error


def is_turned(content: bytes | npt.NDArray[np.uint8]) -> bool:
    """Return whether `decode` turns or mirrors an image, because its file has an EXIF orientation.

    Args:
        content: Encoded bytes; or pixels, which have none.
    """
    if isinstance(content, np.ndarray) or not (content[:4] in _TIFF or any(mark in content for mark in _MARKS)):
        return False
    try:
        orientation = open_picture(content).getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001, any damage to the file: `decode` says which
        return False
    return orientation in _TURNED


_TIFF = (b"II*\0", b"MM\0*")
"""First bytes of a TIFF file, whose own tags have the orientation."""
_MARKS = (b"Exif", b"EXIF", b"eXIf", b"exif", b"Orientation")
"""One of these stands in every other file with an orientation."""
_TURNED = range(2, 9)
"""Orientations other than upright."""
