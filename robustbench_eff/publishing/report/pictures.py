"""Pictures of samples that fooled a model, cut from the picture that the store has of each cell."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from robustbench_eff.core.errors import RobustEvalWarning
from robustbench_eff.evaluation.gallery import AMPLIFICATION, CAPTION_HEIGHT, GAP
from robustbench_eff.scores.class_names import names_of_classes
from robustbench_eff.scores.headline import ball_of, leading
from robustbench_eff.storage.picture import Pictured, samples
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from .content import Content
from .wording import class_text

MAX_SEVERITY = 5
"""Corruptions have a picture at this severity."""
PER_GALLERY = 4
"""Samples of a gallery, unless all are asked for."""
LARGEST = 160
"""Pixels to which the longer side of a larger image is reduced, unless everything is asked for."""
SMALL = 110
"""Pixels up to which an image is small."""


class Shot(NamedTuple):
    """A sample: its images in one picture, and what happened to it."""

    source: str
    alt: str
    caption: str
    width: int
    height: int


class Gallery(NamedTuple):
    """Samples of one model under one perturbation."""

    model: str
    benchmark: str
    perturbation: str
    shots: Sequence[Shot]
    note: str
    """What the pictures do not say; may be empty."""

    @property
    def is_large(self) -> bool:
        """Whether the images are too large to stand in pairs on a small screen."""
        return any(shot.height > SMALL for shot in self.shots)


def galleries(store: Store, content: Content, most: int, *, everything: bool) -> tuple[list[Gallery], int]:
    """Return pictures of the cells that have any, those under the strongest attacks first.

    Args:
        store: The store.
        content: What it holds.
        most: Largest number of galleries to return.
        everything: Whether to return every sample, in its full size.

    Returns:
        The galleries, and the number of further ones.
    """
    with_picture = [cell for cell in _ordered(content) if store.has_picture(cell.id)]
    found = []
    for cell in with_picture[:most]:
        png = store.picture(cell.id)
        if png is not None and (gallery := _gallery(cell, png, everything=everything)) is not None:
            found.append(gallery)
    return found, max(0, len(with_picture) - most)


def pictured(cell: StoredCell, png: bytes) -> dict[int, Shot]:
    """Return the samples of a cell's picture by their positions; none for a picture that does not name them.

    Args:
        cell: The cell.
        png: Its picture.
    """
    found = _gallery(cell, png, everything=True)
    return {} if found is None else {of.position: shot for of, shot in zip(samples(png), found.shots, strict=False)}


def _ordered(content: Content) -> list[StoredCell]:
    """Cells of which there may be a picture: the attacks in the ball that leads, other attacks, then all others."""
    strongest = {(score.model, score.benchmark): ball_of(score) for score in leading(content.scores)}
    values = {score.cell: score.value for score in content.scores if score.cell and score.metric == "robust_accuracy"}

    def order(cell: StoredCell) -> tuple[bool, bool, float]:
        ball = strongest.get((cell.model, cell.benchmark))
        leads = cell.kind == "attack" and ball is not None and (cell.norm, cell.eps) == ball
        value = values.get(cell.id)
        return not leads, cell.kind != "attack", 1.0 if value is None else value

    chosen = [
        cell
        for cell in content.cells.values()
        if cell.kind not in ("none", "certificate") and cell.configuration.get("severity", MAX_SEVERITY) == MAX_SEVERITY
    ]
    return sorted(chosen, key=order)


def _gallery(cell: StoredCell, png: bytes, *, everything: bool) -> Gallery | None:
    try:
        with Image.open(io.BytesIO(png)) as opened:
            sheet = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for a file that it cannot decode
        warnings.warn(
            f"The picture of cell {cell.id} cannot be read: {error}: left out.", RobustEvalWarning, stacklevel=2
        )
        return None
    pictured = samples(png)
    per_gallery = len(pictured) if everything else PER_GALLERY
    if not pictured:
        source, width, height = _embedded(sheet, 1600)
        alt = f"Images before and after {cell.perturbation}, and their difference"
        note = "From top to bottom; this picture of an earlier version does not say which samples it shows."
        return Gallery(cell.model, cell.benchmark, cell.perturbation, [Shot(source, alt, "", width, height)], note)
    shots = [
        _shot(cell, sheet, place, len(pictured), sample, everything=everything)
        for place, sample in enumerate(pictured[:per_gallery])
    ]
    note = "Published images: there is no clean image beside them." if cell.is_published else ""
    return Gallery(cell.model, cell.benchmark, cell.perturbation, shots, note)


def _shot(cell: StoredCell, sheet: Image.Image, place: int, count: int, sample: Pictured, *, everything: bool) -> Shot:
    """One sample, its images side by side: clean, perturbed, difference; of a published file the image alone."""
    names = names_of_classes(cell)
    label = class_text(sample.label, names)
    prediction = "no class" if sample.prediction < 0 else class_text(sample.prediction, names)
    width, height = (sheet.width - GAP) // count, (sheet.height - CAPTION_HEIGHT - GAP) // 3
    left = GAP + place * width
    rows = (0,) if cell.is_published else (0, 1, 2)
    tiles = [sheet.crop((left, GAP + row * height, left + width - GAP, (row + 1) * height)) for row in rows]
    strip = Image.new("RGB", (len(tiles) * width - GAP, height - GAP), "white")
    for number, tile in enumerate(tiles):
        strip.paste(tile, (number * width, 0))
    source, shown_width, shown_height = _embedded(strip, 10**6 if everything else len(tiles) * LARGEST)
    of = f"Sample {sample.position}"
    alt = (
        f"{of}, as published"
        if cell.is_published
        else f"{of}: clean image, perturbed image, and {AMPLIFICATION} times their difference"
    )
    return Shot(source, alt, f"{label}, taken for {prediction}", shown_width, shown_height)


def _embedded(image: Image.Image, widest: int) -> tuple[str, int, int]:
    """A picture as a data address, with its width and height; a wider one is reduced and coded with small losses."""
    reduced = image.width > widest
    if reduced:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if reduced:
        image.save(buffer, "JPEG", quality=90)
    else:
        image.save(buffer, "PNG", optimize=True)
    kind = "jpeg" if reduced else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}", image.width, image.height
