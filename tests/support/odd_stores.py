"""Stores that people will make a report of, and that are unlike a model with a few attacks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from entry_stores import STORES, Stored, attacked, clean, first_of, write
from robustbench_eff.storage.store import Store
from site_entries import BOLD, SCRIPT

LONG = "a_network_whose_name_nobody_will_read_to_its_end_" * 4
RIGHT_TO_LEFT = "\u202eשלום" + "نموذج"
CLASSES = 1000


def one_attack() -> Iterator[Stored]:
    """One model under one attack."""
    yield clean(first_of(40, 36))
    yield attacked("fgsm(eps=8/255)", first_of(40, 36), first_of(40, 10), 8 / 255)


def many_models() -> Iterator[Stored]:
    """Twenty models, of which one was not attacked."""
    for number in range(20):
        names = {"model": f"model {number:02d}", "model_digest": f"digest {number}"}
        yield clean(first_of(40, 40 - number), **names)
        for eps in (4, 8) if number != 7 else ():
            right = first_of(40, max(0, 30 - number - eps))
            yield attacked(f"pgd(eps={eps}/255)", first_of(40, 40 - number), right, eps / 255, **names)


def names() -> Iterator[Stored]:
    """Names of 200 characters, from right to left, and with markup."""
    for number, name in enumerate((LONG, RIGHT_TO_LEFT, SCRIPT)):
        given = {"model": name, "model_digest": f"digest {number}", "benchmark": BOLD, "preprocessing": SCRIPT}
        yield clean(first_of(20, 18), flags=(SCRIPT,), **given)
        yield attacked(f"mine.py:{BOLD}(eps=8/255)", first_of(20, 18), first_of(20, 4), 8 / 255, **given)


def a_thousand_classes() -> Iterator[Stored]:
    """Three samples of each of 1,000 classes, as of ImageNet."""
    n = 3 * CLASSES
    labels = np.arange(n) % CLASSES
    right = [row % 7 < 5 for row in range(n)]
    columns = {"label": labels, "clean_prediction": np.where(right, labels, 0), "prediction": labels}
    yield clean(right, benchmark="imagenet", columns=columns)
    robust = [row % 3 == 0 and ok for row, ok in enumerate(right)]
    columns |= {"correct": robust, "correct_8bit": robust}
    yield attacked("fgsm(eps=4/255)", right, robust, 4 / 255, benchmark="imagenet", columns=columns)


def published_files() -> Iterator[Stored]:
    """A published corrupted set, which has no clean images beside it."""
    for severity in range(1, 6):
        configuration = {"corruption": "fog", "severity": severity, "published": True}
        given = {"perturbation": f"fog(severity={severity})", "configuration": configuration}
        yield clean(first_of(20, 20 - 2 * severity), benchmark="cifar10-c", kind="corruption", **given)


def only_corruptions() -> Iterator[Stored]:
    """Corruptions without clean images."""
    for stored in STORES["corruptions"]:
        if stored.cell.kind == "corruption":
            yield stored


def only_an_attack() -> Iterator[Stored]:
    """An attack whose clean cell is not in the store."""
    yield attacked("fgsm(eps=8/255)", first_of(8, 6), first_of(8, 2), 8 / 255)


def undefended() -> Iterator[Stored]:
    """Clean images alone."""
    yield clean(first_of(8, 6))


ODD: Mapping[str, Callable[[], Iterator[Stored]]] = {
    "one attack": one_attack,
    "many models": many_models,
    "names": names,
    "a thousand classes": a_thousand_classes,
    "published files": published_files,
    "only corruptions": only_corruptions,
    "only an attack": only_an_attack,
    "clean alone": undefended,
    "empty": lambda: iter(()),
    **{name: lambda name=name: iter(STORES[name]) for name in STORES},  # type: ignore[misc]
}
"""Cells of a store by what is odd about it."""


def odd_store(name: str, place: Path) -> Path:
    """Write one of the stores."""
    return write(place, [*ODD[name]()])


def gallery(samples: int, side: int) -> bytes:
    """A picture as an earlier version drew it, which does not name its samples."""
    buffer = io.BytesIO()
    Image.new("RGB", (samples * (side + 4) + 4, 3 * (side + 4) + 18), "gray").save(buffer, "PNG")
    return buffer.getvalue()


def with_pictures(place: Path, png: bytes) -> Path:
    """Give every cell of a store that can have one the same picture."""
    store = Store.existing(place)
    with store.lock():
        for cell_id, cell in store.cells().items():
            if cell.kind != "none":
                store.write_picture(cell_id, png)
    return place


def of_format_6(place: Path) -> Path:
    """The same store as an earlier version wrote it: records without checksums."""
    for path in [*place.glob("cells/*/cell.json"), *place.glob("runs/*.json")]:
        record = json.loads(path.read_text())
        for field in ("checksum", "id", "run"):
            record.pop(field, None)
        if path.name != "cell.json":
            record["command"] = []
        path.write_text(json.dumps(record))
    (place / "store.json").write_text(json.dumps({"format": 6}))
    return place
