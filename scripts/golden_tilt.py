"""Digests of ImageNet-P's tilt with OpenCV before version 5, for the tests.

    uv run --no-project --with 'opencv-python-headless<5' --with numpy python scripts/golden_tilt.py

Writes tests/golden/tilt.json.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "tilt.json"
HEIGHT, WIDTH, SIDE, FRAMES = 96, 130, 64, 31
STEPS = {"imagenet": 1.0, "cifar10": 0.75}
"""Degrees between two frames: Hendrycks & Dietterich 2019, hendrycks/robustness 8190fe3."""


def picture() -> np.ndarray:
    """Return gradients with a different steepness in each channel, reflected at black and white."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    slopes = np.stack((2 * row + column, row + 3 * column, 3 * row + 2 * column), axis=-1)
    folded: np.ndarray = np.abs(slopes % 510 - 255).astype(np.uint8)
    return folded


def tilted(angle: float) -> np.ndarray:
    """Return the center of the picture after a rotation by `angle` (radians) about both axes."""
    distance, sine, cosine = np.sqrt(WIDTH**2 + HEIGHT**2), np.sin(angle), np.cos(angle)
    matrix = (
        np.array([[distance, 0, WIDTH / 2, 0], [0, distance, HEIGHT / 2, 0], [0, 0, 1, 0]])
        @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, distance], [0, 0, 0, 1]])
        @ np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]])
        @ np.array([[cosine, 0, -sine, 0], [0, 1, 0, 0], [sine, 0, cosine, 0], [0, 0, 0, 1]])
        @ np.array([[1, 0, -WIDTH / 2], [0, 1, -HEIGHT / 2], [0, 0, 1], [0, 0, 1]])
    )
    whole = cv2.warpPerspective(picture(), matrix, (WIDTH, HEIGHT))
    top, left = (HEIGHT - SIDE) // 2, (WIDTH - SIDE) // 2
    middle: np.ndarray = whole[top : top + SIDE, left : left + SIDE]
    return middle


def main() -> None:
    """Write the digests and the versions of the packages."""
    digests = {}
    for constants, step in STEPS.items():
        frames = [tilted(np.deg2rad(step * (number - FRAMES // 2))) for number in range(FRAMES)]
        digests[constants] = hashlib.blake2b(np.stack(frames).tobytes(), digest_size=8).hexdigest()
    made_by = {"opencv": cv2.__version__, "numpy": np.__version__}
    GOLDEN.write_text(json.dumps({**made_by, "digests": digests}, indent=1) + "\n")


if __name__ == "__main__":
    main()
