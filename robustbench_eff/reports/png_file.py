"""A picture as a PNG file."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from robustbench_eff.core.result_file import write_result


def write_png(picture: Image.Image, path: Path) -> None:
    """Write a picture to a PNG file.

    Args:
        picture: The picture.
        path: The file; one that exists is replaced.

    Raises:
        UsageError: The file cannot be written.
    """
    content = io.BytesIO()
    picture.save(content, "PNG")
    write_result(path, content.getvalue())
