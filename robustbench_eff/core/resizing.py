"""A picture at a geometry: resized as torchvision resizes PIL images, and cut out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from .center_crop import crop_corner
from .errors import SizeError
from .preprocessing import Geometry


def crop(picture: Image.Image, geometry: Geometry, name: str) -> npt.NDArray[np.uint8]:
    """Return a decoded image at a geometry, uint8 (height, width, 3).

    Args:
        picture: The image.
        geometry: Size of the result, and how it is resized.
        name: Name of the image for messages.

    Raises:
        SizeError: The image has another size, and is not resized.
    """
    picture, (height, width) = resize(picture, geometry, name), geometry.shape
    top, left = crop_corner(picture.height, picture.width, height, width)
    return np.asarray(picture.crop((left, top, left + width, top + height)))


def resize(picture: Image.Image, geometry: Geometry, name: str) -> Image.Image:
    """Return the image before its centre is cut out.

    Args:
        picture: The image.
        geometry: Size of the result, and how it is resized.
        name: Name of the image for messages.

    Raises:
        SizeError: The image has another size, and is not resized.
    """
    if edge := geometry.border:
        picture = picture.crop((edge, edge, picture.width - edge, picture.height - edge))
    height, width = geometry.shape
    method = Image.Resampling[geometry.interpolation.upper()]
    if geometry.mode == "none":
        if picture.size != (width, height):
            raise SizeError(
                f"{name} is {picture.width}×{picture.height}, not {width}×{height}"
                + ("." if height == width else " (width × height)."),
                "Pass --geometry crop or --geometry squash, or bring all images to one size.",
            )
        return picture
    if geometry.mode == "squash":
        return picture.resize(geometry.covered[::-1], method)
    if geometry.mode == "center":
        return _at_least(picture, width, height)
    scaled = _covering(picture.size, geometry.covered)
    return picture.resize(scaled, method) if scaled != picture.size else picture


def _at_least(picture: Image.Image, width: int, height: int) -> Image.Image:
    """An image with black around it where it is smaller, as torchvision's CenterCrop pads it."""
    wide, high = max(width, picture.width), max(height, picture.height)
    if (wide, high) == picture.size:
        return picture
    padded = Image.new(picture.mode, (wide, high))
    padded.paste(picture, ((wide - picture.width) // 2, (high - picture.height) // 2))
    return padded


def _covering(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The smallest width and height of an image's aspect ratio that cover a box, which is a height and a width."""
    (width, height), (box_height, box_width) = size, box
    if width * box_height <= height * box_width:
        return box_width, int(box_width * height / width)
    return int(box_height * width / height), box_height
