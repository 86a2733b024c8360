"""Results that others published: 65,000 numbers with their sources, as data."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache, reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .about import About
from .entry import Entry, Result, matches

FILE = Path(__file__).parent / "data" / "published.parquet"
_GIVEN = re.compile(r"(?:^|; )(\w+)=(.*?)(?=; \w+=|$)")
_CITED = re.compile(r"([A-Z][A-Za-z-]+)((?:19|20)\d\d)")
"""First author and year, with which RobustBench's names begin."""


def _text(name: str, meaning: str) -> pa.Field:
    return pa.field(name, pa.string(), nullable=False, metadata={"meaning": meaning})


SCHEMA = pa.schema(
    [
        _text("model", "as its source names it"),
        _text("alias", "the name it has here, or empty"),
        _text("family", "of architectures"),
        _text("defense", "how it was trained to be robust, or standard"),
        _text("benchmark", "as a run would name it"),
        _text("perturbation", "what changed the images; none where nothing did"),
        _text("metric", "as a run would name it"),
        pa.field("value", pa.float64(), nullable=False, metadata={"meaning": "a fraction, unless unit says otherwise"}),
        pa.field("low", pa.float64(), metadata={"meaning": "end of the 95 % interval, where it can be computed"}),
        pa.field("high", pa.float64(), metadata={"meaning": "the other end"}),
        pa.field("n", pa.int64(), metadata={"meaning": "images, where known"}),
        _text("unit", "fraction or number"),
        pa.field("higher_is_better", pa.bool_(), nullable=False),
        _text("kind", "published, or claimed of one's own work"),
        _text("protocol", "numbers under different ones are not compared"),
        _text("source", "repository or file, and its commit"),
        _text("detail", "where in the source, and what else it says"),
        _text("published_as", "benchmark and metric as the source has them"),
        _text("flag", "what a reader must know before trusting the number, or empty"),
    ],
    metadata={"format": "robustbench_eff published results 1"},
)
"""The meanings are part of the shipped file."""


@cache
def published() -> pa.Table:
    """Return all published results, in the order of their sources."""
    return pq.ParquetFile(FILE).read()  # read_table imports pyarrow.dataset, which takes a second


def select(
    *,
    families: Sequence[str] = (),
    benchmarks: Sequence[str] = (),
    defenses: Sequence[str] = (),
    models: Sequence[str] = (),
) -> pa.Table:
    """Return the rows that match one glob of each list, ignoring case; an empty list matches every row.

    Args:
        families: Globs of architecture families.
        benchmarks: Globs of benchmarks.
        defenses: Globs of defenses.
        models: Globs of the model names that `entries` gives.
    """
    table = published()
    names = pc.if_else(pc.equal(table["alias"], ""), table["model"], table["alias"])
    masks = [
        _matching(column, globs)
        for column, globs in (
            (table["family"], families),
            (table["benchmark"], benchmarks),
            (table["defense"], defenses),
            (names, models),
        )
        if globs
    ]
    return table.filter(reduce(pc.and_, masks)) if masks else table


def entries(rows: pa.Table) -> list[Entry]:
    """Return an entry for every model, named by its alias if it has one, in the order of the rows.

    Args:
        rows: Rows of `published`.
    """
    models: dict[str, dict[str, Any]] = {}
    for row in rows.to_pylist():
        name = row["alias"] or row["model"]
        model = models.setdefault(
            name, {"family": row["family"], "defense": row["defense"], "published": [], "claimed": []}
        )
        if "about" not in model and row["model"].startswith("robustbench/"):
            model["about"] = _about(row["model"], row["detail"])
        model[row["kind"]].append(_result(row))
    return [
        Entry(
            model=name,
            family=model["family"],
            defense=model["defense"],
            about=model.get("about", About()),
            published=tuple(model["published"]),
            claimed=tuple(model["claimed"]),
        )
        for name, model in models.items()
    ]


def _about(model: str, detail: str) -> About:
    """Return what RobustBench says about a model, from the details of one of its numbers.

    Args:
        model: RobustBench's name of the model, such as `robustbench/cifar10/Linf/Wu2020Do`.
        detail: `FILE; field=…; arch=…; eps=…; extra_data=…; venue=…; …; link=…`.
    """
    given = defaultdict(str, {name: text for name, text in _GIVEN.findall(detail) if text not in ("None", "N/A")})
    _, dataset, threat, name = model.split("/")
    cited = _CITED.match(name)
    return About(
        name=f"{name} ({dataset}, {threat})" if name in _shared_names() else name,
        architecture=given["arch"],
        authors=f"{cited[1]} {cited[2]}" if cited else "",
        venue=given["venue"],
        link=given["link"],
        extra_data={"True": True, "False": False}.get(given["extra_data"]),
    )


@cache
def _shared_names() -> frozenset[str]:
    """Return the names that RobustBench gives to several models."""
    models = pc.unique(published()["model"]).to_pylist()
    counts = Counter(model.split("/")[3] for model in models if model.startswith("robustbench/"))
    return frozenset(name for name, count in counts.items() if count > 1)


def _result(row: dict[str, Any]) -> Result:
    fields = (
        "benchmark",
        "perturbation",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "unit",
        "higher_is_better",
        "protocol",
    )
    source = ", ".join(part for part in (row["source"], row["detail"]) if part)
    return Result(**{name: row[name] for name in fields}, source=source, flags=tuple(filter(None, [row["flag"]])))


def _matching(column: pa.ChunkedArray, globs: Sequence[str]) -> pa.Array:
    """Return a mask of the rows that match one of the globs, ignoring case."""
    values = pc.unique(column).to_pylist()
    wanted = [value for value in values if matches(value, globs)]
    return pc.is_in(column, value_set=pa.array(wanted, pa.string()))
