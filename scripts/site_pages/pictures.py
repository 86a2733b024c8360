"""Pictures of the pages, which are drawn once for every state of the code and then kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from PIL import Image

ROOT = Path(__file__).parents[2]
SHARED = ("robustbench_eff/core", "robustbench_eff/models", "scripts/site_pages")
"""Folders whose files decide what every picture shows, besides those of its `Kind`."""
LIBRARIES = ("numpy", "pillow", "scikit-learn", "torch", "torchvision")
"""Libraries whose versions decide it, too."""


class Drawn(NamedTuple):
    """A picture and what it shows."""

    picture: Image.Image
    caption: str
    """A sentence, as Markdown."""


class Kind(NamedTuple):
    """The components of a table whose pages have pictures."""

    folder: str
    """Folder of the pages."""
    names: Iterable[str]
    """Names of the components."""
    draw: Callable[[str], Drawn | None]
    """Draw the picture of a component by its name; None where nothing can be shown."""
    page: Callable[[str, str | None], str]
    """Return the page of a component: `page(name, caption)`, with None as the caption where there is no picture."""
    sources: tuple[str, ...]
    """Folders of the code that the pictures come from."""
    suffix: str
    """`.png` for drawings of digits, `.jpg` for photographs."""


def captions(kinds: Iterable[Kind], kept: Path, out: Path) -> dict[str, str]:
    """Draw the pictures that are not kept from an earlier build, and put all of them beside their pages.

    Args:
        kinds: What to draw.
        kept: Folder of the pictures of earlier builds; those of other states of the code are removed.
        out: Folder with the folders of pages.

    Returns:
        The caption of each picture by `FOLDER/NAME`; no entry where there is no picture.
    """
    found = {}
    for kind in kinds:
        state = kept / kind.folder / _state(kind.sources)
        for old in (kept / kind.folder).glob("*"):
            if old != state:
                shutil.rmtree(old)
        state.mkdir(parents=True, exist_ok=True)
        (out / kind.folder).mkdir(parents=True, exist_ok=True)
        for name in kind.names:
            caption = _kept_or_drawn(kind, name, state)
            if caption is not None:
                shutil.copy(state / f"{name}{kind.suffix}", out / kind.folder)
                found[f"{kind.folder}/{name}"] = caption
    return found


def _kept_or_drawn(kind: Kind, name: str, state: Path) -> str | None:
    """The caption of a picture that lies in the folder of the state of the code; it is drawn if it does not."""
    record = state / f"{name}.json"
    if not record.exists():
        drawn = kind.draw(name)
        if drawn is not None:
            drawn.picture.save(state / f"{name}{kind.suffix}", quality=88, optimize=True)
        record.write_text(json.dumps(None if drawn is None else drawn.caption))
    caption: str | None = json.loads(record.read_text())
    return caption


def _state(sources: Iterable[str]) -> str:
    """A hash of the code and the files in some folders, and of the versions of the libraries."""
    digest = hashlib.blake2b(json.dumps({name: version(name) for name in LIBRARIES}).encode(), digest_size=8)
    for folder in (*SHARED, *sources):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".json", ".safetensors"):
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()
