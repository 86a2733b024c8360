"""An image of a source as pixels of a geometry: decoded, and resized."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.resizing import crop, resize

from .data_fingerprint import content_of
from .labelled_images import LabelledImages
from .readers.decode import decode


def cropped(opened: LabelledImages, geometry: Geometry, position: int) -> npt.NDArray[np.uint8]:
    """Return an image at a geometry, uint8 (height, width, 3).

    Args:
        opened: The source.
        geometry: Size of the image, and how it is resized.
        position: Position of the image in the source.

    Raises:
        DataError: The image cannot be read or decoded, or has another size where it is not resized.
    """
    name = f"{opened.origin}: {opened.ids[position]}"
    return crop(decode(content_of(opened, position), name), geometry, name)


def whole(opened: LabelledImages, geometry: Geometry, position: int) -> npt.NDArray[np.uint8]:
    """Return a whole image at the scale of a geometry, before its centre is cut out; uint8 (height, width, 3).

    Args:
        opened: The source.
        geometry: Size of the image, and how it is resized.
        position: Position of the image in the source.

    Raises:
        DataError: The image cannot be read or decoded.
    """
    name = f"{opened.origin}: {opened.ids[position]}"
    return np.asarray(resize(decode(content_of(opened, position), name), geometry, name))
