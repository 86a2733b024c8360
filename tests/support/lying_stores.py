"""Stores that are damaged in every way known: by single bits, by copies and exchanges, and by upgrades gone wrong."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entry_stores import attacked, clean, first_of
from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.masking_checks import store_verdicts
from robustbench_eff.storage.answers import Answers
from robustbench_eff.storage.record import sealed
from robustbench_eff.storage.shard import checksum
from robustbench_eff.storage.store import Store

SAMPLES = 12
RUN = "20261130T120000000000Z-abcdef"
ANSWERS = Answers(logits={"noise": np.eye(3, dtype=np.float32)}, tolerance=1e-3)
OTHER_ANSWERS = Answers(logits={"noise": np.eye(3, dtype=np.float32)[::-1].copy()}, tolerance=1e-3)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005fe02fe"
    "0def46b80000000049454e44ae426082"
)
Damage = Callable[[Path], None]


class Reading(NamedTuple):
    """What a user sees of a store."""

    seen: Any
    """Scores, runs, pictures and the numbers of the models; None after an error."""
    said: str
    """Warnings, and the error."""


def make(place: Path) -> Path:
    """A store of format 7 with a clean cell and two attacks, one of them in two shards."""
    store, right = Store(place), first_of(SAMPLES, 9)
    parts = [
        clean(right),
        attacked("fgsm(eps=4/255)", right, first_of(SAMPLES, 6), 4 / 255, uses="one gradient"),
        attacked("pgd(eps=4/255)", right, first_of(SAMPLES, 3), 4 / 255, uses="gradients", flags=("a flag",)),
    ]
    with store.lock():
        for number, part in enumerate(parts):
            assert part.outcomes is not None
            store.write_cell(part.cell)
            halves = [part.outcomes] if number < 2 else [part.outcomes.slice(0, 7), part.outcomes.slice(7)]
            for half in halves:
                store.write_shard(part.cell.id, half)
            store.write_picture(part.cell.id, PNG)
        run = {"command": ["robust-eval"], "versions": {"torch": "2"}, "cells": [part.cell.id for part in parts]}
        store.write_run(RUN, run | {"status": "finished", "failed": {parts[1].cell.id: "it gave up"}})
        store.variant("digest", "as it is", ANSWERS)
        store.variant("digest", "as it is", OTHER_ANSWERS)
    return place


def read(place: Path) -> Reading:
    """Read a store as `score`, `report` and a run do."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            store = Store.existing(place)
            seen: Any = (
                store_scores(store, verdicts=store_verdicts(store)),
                store.runs(),
                [store.picture(cell) for cell in store.cells()],
                [(cell.model, cell.uses, cell.flags) for cell in store.cells().values()],
                _numbers(store, place),
            )
            error = ""
        except RobustEvalError as failure:
            seen, error = None, failure.message
    return Reading(seen, "\n".join([*(str(warning.message) for warning in caught), error]))


def _numbers(store: Store, place: Path) -> list[int]:
    """The numbers of two models with one digest; what asking writes is undone."""
    files = [place / "store.json", *place.glob("models/*.json")]
    before = {path: path.read_bytes() for path in files if path.is_file()}
    with store.lock():
        numbers = [store.variant("digest", "as it is", answers) for answers in (ANSWERS, OTHER_ANSWERS)]
    for path, content in before.items():
        path.write_bytes(content)
    return numbers


def verdict(place: Path, sound: Reading, file: Path | None) -> str:
    """What came of a damage: `same`, `said` with the name of the file or its folder, or what is wrong with it."""
    try:
        found = read(place)
    except Exception as error:  # noqa: BLE001 - whatever leaves a reader is what is looked for
        return f"{type(error).__name__}: {error}"
    names = {file.name, file.parent.name} if file is not None else set()
    if found.said.strip() and (file is None or any(name in found.said for name in names)):
        return "said"
    if found.seen == sound.seen:
        return "same"
    if found.seen is not None and any("incomplete" in flag for score in found.seen[0] for flag in score.flags):
        return "said"
    return "SILENT" if not found.said.strip() else f"another file is named: {found.said}"


KINDS: Mapping[str, str] = {
    "cell": "cells/*/cell.json",
    "run": "runs/*.json",
    "answers": "models/*.json",
    "format": "store.json",
    "outcomes": "cells/*/*.parquet",
    "picture": "cells/*/*.png",
}


def flips(place: Path, kind: str, number: int) -> Iterator[str]:
    """What comes of single flipped bits in the files of one kind of a store, which stays as it was."""
    sound, draw = read(place), random.Random(kind)
    files = sorted(place.glob(KINDS[kind]))
    for _ in range(number):
        file = draw.choice(files)
        content = file.read_bytes()
        changed = bytearray(content)
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        file.write_bytes(changed)
        yield verdict(place, sound, file)
        file.write_bytes(content)


def cell_folders(place: Path) -> list[Path]:
    """Folders of the cells: clean, FGSM, PGD."""
    order = json.loads((place / f"runs/{RUN}.json").read_text())["cells"]
    return [place / "cells" / cell for cell in order]


def shard_of(place: Path, cell: int = 1) -> Path:
    return min(cell_folders(place)[cell].glob("*.parquet"))


def rewritten(change: Callable[[pa.Table], pa.Table]) -> Damage:
    """A shard that a script rewrote, with a checksum of its own and the metadata that the change leaves."""

    def damage(place: Path) -> None:
        old = shard_of(place)
        pq.write_table(change(pq.read_table(old)), old)
        renamed(old)

    return damage


def cut(place: Path) -> None:
    shard_of(place).write_bytes(shard_of(place).read_bytes()[:-5])


def renamed(shard: Path, span: str = "") -> None:
    """Give a shard the checksum of its content."""
    shard.rename(shard.with_name(f"{span or shard.name.split('.')[0]}.{checksum(shard.read_bytes())}.parquet"))


def retyped(column: str, kind: pa.DataType) -> Damage:
    def change(table: pa.Table) -> pa.Table:
        position = table.column_names.index(column)
        return table.set_column(position, column, table[column].cast(kind))

    return rewritten(change)


def with_column(column: str, values: Callable[[pa.Table], Any]) -> Damage:
    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field(column).with_nullable(True)
        return table.set_column(table.column_names.index(column), field, pa.array(values(table), field.type))

    return rewritten(change)


def text(name: str, content: str | bytes) -> Damage:
    """A file whose content is this; of several, the first."""

    def damage(place: Path) -> None:
        file = min(place.glob(name))
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def field(name: str, key: str, value: Any = ...) -> Damage:
    """A record of which a script changed or removed one field, and the checksum with it."""

    def damage(place: Path) -> None:
        file = min(place.glob(name))
        record = json.loads(file.read_text())
        record.pop("checksum", None)
        record.pop(key, None)
        file.write_text(json.dumps(record if value is ... else record | {key: value}))

    return damage


def moved(one: Callable[[Path], Path], other: Callable[[Path], Path], *, how: str) -> Damage:
    """A file or folder that was copied, renamed, exchanged or linked."""

    def damage(place: Path) -> None:
        source, target = one(place), other(place)
        if how == "copy":
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        elif how == "link":
            target.unlink()
            target.symlink_to(source)
        elif how == "exchange":
            spare = source.with_name("spare")
            source.rename(spare)
            target.rename(source)
            spare.rename(target)
        else:
            source.rename(target)

    return damage


def odd(name: str, kind: str) -> Damage:
    """A file in whose place there is something else."""

    def damage(place: Path) -> None:
        file = min(place.glob(name))
        file.unlink()
        if kind == "folder":
            file.mkdir()
        elif kind == "link to nothing":
            file.symlink_to(place / "nothing")

    return damage


def added(shift: int, **columns: Any) -> Damage:
    """One more shard of the first attack, with other samples or other outcomes."""

    def damage(place: Path) -> None:
        folder = cell_folders(place)[1]
        table = Store(place).outcomes(folder.name).slice(2, 5)
        values = columns | {"index": [row + shift for row in table["index"].to_pylist()]}
        for name, value in values.items():
            found = table.schema.field(name)
            many = value if isinstance(value, list) else [value] * table.num_rows
            table = table.set_column(table.column_names.index(name), found, pa.array(many, found.type))
        with Store(place).lock():
            Store(place).write_shard(folder.name, table)

    return damage


def other(place: Path) -> Path:
    return shard_of(place, 0)


def named(suffix: str) -> Callable[[Path], Path]:
    return lambda place: shard_of(place).with_name(f"{shard_of(place).stem}{suffix}.parquet")


def run(name: str) -> Callable[[Path], Path]:
    return lambda place: place / "runs" / f"{name}.json"


def answers(place: Path) -> Path:
    return min(place.glob("models/*.json"))


def content_of_shard(content: str | bytes) -> Damage:
    """A shard with another content, and its checksum."""

    def damage(place: Path) -> None:
        shard_of(place).write_bytes(content.encode() if isinstance(content, str) else content)
        renamed(shard_of(place))

    return damage


def named_for(span: str) -> Damage:
    return lambda place: renamed(shard_of(place), span)


def without(column: str) -> Damage:
    return rewritten(lambda table: table.drop_columns([column]))


def doubled(column: str) -> Damage:
    return rewritten(lambda table: table.append_column(column, table[column]))


def beside(name: str) -> Callable[[Path], Path]:
    return lambda place: cell_folders(place)[1] / name


def _folder(suffix: str) -> Callable[[Path], Path]:
    return lambda place: cell_folders(place)[1].with_name(cell_folders(place)[1].name + suffix)


def _gallery(number: int) -> Callable[[Path], Path]:
    return lambda place: cell_folders(place)[number] / "gallery.png"


def _format(**fields: Any) -> Damage:
    return text("store.json", sealed(fields))


def damages() -> Iterator[tuple[str, Damage]]:
    """Every damage by its name."""
    yield from _of_formats()
    yield from _of_records()
    yield from _of_shards()
    yield from _of_copies()


def _of_formats() -> Iterator[tuple[str, Damage]]:
    for content in ("", "[]", "{}", "null", "7", "{", '{"format": 7, "format": 6}', "\ufeff{}", "[" * 5000):
        yield f"store.json is {content[:30]!r}", text("store.json", content)
    odd_formats: list[Any] = ["7", 7.0, True, None, [7], {}, 8, 3, -1, 10**30, 7]
    for value in odd_formats:
        yield f"store.json states {value!r} without checksum", text("store.json", json.dumps({"format": value}))
    for value in (4, 5, 6):
        yield f"store.json states {value}, as an earlier version did", text("store.json", json.dumps({"format": value}))
    yield "store.json states a future format", _format(format=8, oldest=8)
    yield "store.json states an older format with a checksum", _format(format=6)
    yield "store.json states older files newer than itself", _format(format=7, oldest=8)
    yield "store.json in UTF-16", text("store.json", '{"format": 7}'.encode("utf-16"))
    for kind in ("missing", "folder", "link to nothing"):
        yield f"store.json: {kind}", odd("store.json", kind)


def _of_records() -> Iterator[tuple[str, Damage]]:
    for name in ("cells/*/cell.json", "runs/*.json", "models/*.json"):
        for content in ("", "[]", "{}", "null", "{", "[" * 5000, '{"a": 1, "a": 2}', "\x00" * 50, "<html>"):
            yield f"{name} is {content[:20]!r}", text(name, content)
        for kind in ("folder", "link to nothing"):
            yield f"{name}: {kind}", odd(name, kind)
    cell = "cells/*/cell.json"
    for key in ("id", "model", "benchmark", "protocol", "samples", "kind", "uses", "configuration", "seed", "flags"):
        yield f"a cell without {key} and checksum", field(cell, key)
        yield f"a cell whose {key} is a list, without checksum", field(cell, key, [1])
    yield "a cell whose record is missing", odd(cell, "missing")
    yield "a cell with a field of the future", field(cell, "new", 1)
    for key, value in (("cells", {}), ("failed", []), ("failed", {"a": 1}), ("command", 1)):
        yield f"a run whose {key} is {value!r}", field("runs/*.json", key, value)
    odd_answers: list[Any] = [{}, [{"noise": [[1], [1, 2]]}], [{"noise": "x"}], [[]], [{"noise": [["x"]]}]]
    for answer in odd_answers:
        yield f"answers are {answer!r}", field("models/*.json", "answers", answer)
    pictures: list[str | bytes] = ["", "no picture", PNG[:-9], PNG + b"x"]
    for picture in pictures:
        yield f"a gallery is {picture[-20:]!r}", text("cells/*/gallery.png", picture)


def _of_shards() -> Iterator[tuple[str, Damage]]:
    yield "a shard without the metadata", rewritten(lambda table: table.replace_schema_metadata(None))
    yield (
        "a shard of another cell by its metadata",
        rewritten(lambda table: table.replace_schema_metadata({"cell": "x"})),
    )
    yield (
        "two columns renamed",
        rewritten(
            lambda table: table.rename_columns(
                [{"correct": "correct_8bit", "correct_8bit": "correct"}.get(n, n) for n in table.column_names]
            )
        ),
    )
    for column in ("index", "label", "correct", "won_by", "votes", "radius"):
        yield f"column {column} missing", without(column)
        yield (
            f"column {column} twice",
            doubled(column),
        )
    for column, kind in (
        ("label", pa.int64()),
        ("index", pa.int32()),
        ("confidence", pa.float64()),
        ("correct", pa.int8()),
    ):
        yield f"column {column} as {kind}", retyped(column, kind)
    for column, kind in (("won_by", pa.large_string()), ("label", pa.string()), ("votes", pa.list_(pa.int8()))):
        yield f"column {column} as {kind}", retyped(column, kind)
    yield "columns of the future", rewritten(lambda table: table.append_column("new", table["label"]))
    yield "columns of format 5", rewritten(lambda table: table.drop_columns(["votes", "radius"]))
    yield "labels are missing", with_column("label", lambda table: [None] * table.num_rows)
    yield "samples shifted by one", with_column("index", lambda table: [row + 1 for row in table["index"].to_pylist()])
    yield "samples negative", with_column("index", lambda table: [-row for row in table["index"].to_pylist()])
    yield "one sample twice", with_column("index", lambda table: [0, *table["index"].to_pylist()[:-1]])
    yield "uneven votes", with_column("votes", lambda table: [[True], *([[]] * (table.num_rows - 1))])
    yield "rows reversed", rewritten(lambda table: table.take(list(range(table.num_rows))[::-1]))
    yield "one row less", rewritten(lambda table: table.slice(1))
    yield "no row", rewritten(lambda table: table.slice(0, 0))
    for content in ("", "no Parquet", "PAR1PAR1", b"PAR1" + b"\xff" * 40 + b"PAR1"):
        yield f"a shard is {content[:12]!r} with its checksum", content_of_shard(content)
    yield "a shard with another checksum", text("cells/*/*.parquet", "")
    yield "a shard cut short", cut
    yield "a shard named for other samples", named_for("00000100-00000112")
    yield "a shard named for fewer samples", named_for("00000000-00000012x3")
    for kind in ("folder", "link to nothing"):
        yield f"a shard: {kind}", odd("cells/*/*.parquet", kind)
    yield "samples beyond the benchmark", added(SAMPLES)
    yield "samples twice, with the same outcomes", added(0)
    yield "samples twice, with other outcomes", added(0, correct=False, prediction=3)


def _of_copies() -> Iterator[tuple[str, Damage]]:
    one = shard_of
    yield "shards of two cells exchanged", moved(one, other, how="exchange")
    yield "pictures of two cells exchanged", moved(_gallery(1), _gallery(2), how="exchange")
    yield "a shard of another cell", moved(other, lambda place: cell_folders(place)[1] / other(place).name, how="copy")
    yield "a shard that is a link to another cell's", moved(other, one, how="link")
    for name in (" (1)", " copy", " (conflicted copy 2026-11-30)", "~", ".sync-conflict-20261130"):
        yield f"a shard copied: {name}", moved(one, named(name), how="copy")
        yield f"a shard renamed: {name}", moved(one, named(name), how="rename")
        yield f"a cell copied: {name}", moved(_folder(""), _folder(name), how="copy")
        yield f"a cell renamed: {name}", moved(_folder(""), _folder(name), how="rename")
    yield (
        "records of two cells exchanged",
        moved(beside("cell.json"), lambda place: cell_folders(place)[2] / "cell.json", how="exchange"),
    )
    yield "folders of two cells exchanged", moved(_folder(""), lambda place: cell_folders(place)[2], how="exchange")
    for name in ("cell (1).json", "cell copy.json", ".nfs000000000001", ".DS_Store", "Thumbs.db", ".cell.json.ab.part"):
        yield f"{name} next to a record", moved(beside("cell.json"), beside(name), how="copy")
    yield "a run copied", moved(run(RUN), run(f"{RUN} (1)"), how="copy")
    yield "a run renamed", moved(run(RUN), run(f"{RUN} (1)"), how="rename")
    yield "answers of a model copied", moved(answers, lambda place: place / "models" / "x (1).json", how="copy")
    yield "a shard missing", odd("cells/*/00000000-00000012.*.parquet", "missing")
