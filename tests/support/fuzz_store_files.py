"""Files of a store: one of them is changed, and the whole store is read as `score`, `store check` and a run do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fuzzing import Kind
from lying_stores import KINDS, make
from robustbench_eff.storage.repair import check_store
from robustbench_eff.storage.store import Store


def kind_of_file(kind: str) -> Kind:
    """Return the kind of input that is one sort of file of a store.

    Args:
        kind: One of `lying_stores.KINDS`.
    """
    return Kind(_samples(kind), _read(kind), is_text=kind not in ("outcomes", "picture"))


def _samples(kind: str) -> Callable[[Path], Sequence[bytes]]:
    def samples(folder: Path) -> Sequence[bytes]:
        return [file.read_bytes() for file in sorted(make(folder / "store").glob(KINDS[kind]))]

    return samples


def _read(kind: str) -> Callable[[bytes, Path], None]:
    """Put the content into a sound store, which earlier inputs have left in the folder."""

    def look(content: bytes, folder: Path) -> None:
        place = folder / "store"
        if not place.exists():
            make(place)
        file = min(place.glob(KINDS[kind]))
        before = file.read_bytes()
        file.write_bytes(content)
        try:
            check_store(place)
            store = Store.existing(place)
            for cell in store.cells():
                store.outcomes(cell)
            store.runs()
        finally:
            file.write_bytes(before)

    return look
