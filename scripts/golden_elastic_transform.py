"""Digests of the original elastic transform with OpenCV before version 5, scikit-image and SciPy, for the tests.

    uv run --no-project --with 'opencv-python-headless<5' --with scikit-image --with scipy --with numpy \\
        python scripts/golden_elastic_transform.py

The random numbers come from NumPy's RandomState(severity), uniform in [0, 1): three corners of shape (3, 2), then the
horizontal and the vertical displacement field. Writes tests/golden/elastic_transform.json.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import map_coordinates
from skimage.filters import gaussian

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "elastic_transform.json"
SIDE = 96
STRENGTH, SIGMA, AFFINE = (2, 2, 0.05, 0.07, 0.12), (0.7, 0.08, 0.01, 0.01, 0.01), (0.1, 0.2, 0.02, 0.02, 0.02)
"""Constants of severity 1 to 5, in units of 244 pixels: Hendrycks & Dietterich 2019, hendrycks/robustness 8190fe3."""


def picture() -> np.ndarray:
    """Return gradients with a different steepness in each channel, reflected at black and white."""
    row, column = np.mgrid[:SIDE, :SIDE]
    slopes = np.stack((2 * row + column, row + 3 * column, 3 * row + 2 * column), axis=-1)
    folded: np.ndarray = np.abs(slopes % 510 - 255).astype(np.uint8)
    return folded


def corrupted(severity: int) -> np.ndarray:
    """Return the picture after an affine map and a smooth displacement."""
    random = np.random.RandomState(severity)
    corners, across, down = random.random_sample((3, 2)), *random.random_sample((2, SIDE, SIDE))
    strength, sigma, affine = (244 * table[severity - 1] for table in (STRENGTH, SIGMA, AFFINE))
    middle, third = SIDE // 2, SIDE // 3
    corners_before = [[middle + third] * 2, [middle + third, middle - third], [middle - third] * 2]
    before = np.array(corners_before, dtype=np.float32)
    after = before + (-affine + 2 * affine * corners).astype(np.float32)
    image = (picture() / 255).astype(np.float32)
    image = cv2.warpAffine(
        image, cv2.getAffineTransform(before, after), (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101
    )
    moves = [
        (gaussian(-1 + 2 * field, sigma, mode="reflect", truncate=3) * strength).astype(np.float32)
        for field in (down, across)
    ]
    row, column = np.mgrid[:SIDE, :SIDE]
    places = (row + moves[0], column + moves[1])
    planes = [map_coordinates(image[..., channel], places, order=1, mode="reflect") for channel in range(3)]
    levels: np.ndarray = (np.clip(np.stack(planes, axis=-1), 0, 1) * 255).astype(np.uint8)
    return levels


def main() -> None:
    """Write the digests and the versions of the packages."""
    digests = {}
    for severity in range(1, 6):
        digests[str(severity)] = hashlib.blake2b(corrupted(severity).tobytes(), digest_size=8).hexdigest()
    made_by = {"opencv": cv2.__version__, "numpy": np.__version__}
    GOLDEN.write_text(json.dumps({**made_by, "digests": digests}, indent=1) + "\n")


if __name__ == "__main__":
    main()
