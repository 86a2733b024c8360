"""Encoded bytes to an upright RGB picture, or an error that names the file."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from robustbench_eff.errors import DataError


def decode(content: bytes | npt.NDArray[np.uint8], name: str) -> Image.Image:
    """An RGB picture with its EXIF orientation applied.

    Raises DataError, with `name`, for bytes that are no image, a truncated one, one with 16 bits a channel,
    or one so large that it may be a decompression bomb (Pillow's MAX_IMAGE_PIXELS).
    """
    if isinstance(content, np.ndarray):
        return Image.fromarray(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content))
            if picture.mode.startswith(("I", "F")):
                raise DataError(f"{name} has more than 8 bits a channel ({picture.mode}).", "Convert it to 8 bits.")
            picture.load()
            return ImageOps.exif_transpose(picture).convert("RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name} is too large: {error}", "Scale it down, or leave it out.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{name} cannot be decoded: {error}.", "Replace the file, or leave it out.") from error
