"""Formats of other projects by name: those that can be read, and those that can be written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.infinity import strict_json

from .entry import Entry, Result, plain_name
from .published_files import published_result, text_of
from .published_names import sized
from .robustbench_files import from_robustbench, to_robustbench, wrong_datasets

TIMM = "timm results csv"
_MAX_DIGITS = 6
"""Digits of the largest size of images."""
TIMM_TABLES = {"results-sketch": "imagenet-sketch"}
"""Benchmarks of the tables that are not named after their benchmark."""


def from_timm(path: Path) -> list[Entry]:
    """Return an entry for every row of one of timm's tables of results.

    Args:
        path: `results-BENCHMARK.csv`.

    Raises:
        EntryError: The file cannot be read or does not have this form.
    """
    benchmark = TIMM_TABLES.get(path.stem, path.stem.removeprefix("results-"))
    try:
        rows = list(csv.DictReader(io.StringIO(text_of(path), newline="")))
    except csv.Error as error:
        raise EntryError(f"{path} cannot be read as CSV: {error}.", "Check its quotation marks.") from error
    if not rows or not {"model", "top1", "top5"} <= rows[0].keys():
        raise EntryError(f"{path} is not a table of timm's results: columns model, top1 or top5 are missing.")
    largest: dict[str, int] = {}
    for row in rows:
        largest[row["model"]] = max(largest.get(row["model"], 0), _image_size(row, path))
    return [
        Entry(
            model=sized(row["model"], _image_size(row, path), largest[row["model"]]),
            published=tuple(
                published_result(benchmark, metric, row[metric], path, TIMM) for metric in ("top1", "top5")
            ),
        )
        for row in rows
    ]


def _image_size(row: Mapping[str, Any], path: Path) -> int:
    size, name = row.get("img_size") or "0", row["model"]
    if not name or not (size.isascii() and size.isdecimal() and len(size) <= _MAX_DIGITS):
        raise EntryError(f"{path}: the model {str(name)[:100]!r} has the img_size {size[:100]!r}, expected pixels.")
    return int(size)


def to_model_index(entry: Entry) -> Iterator[tuple[Path, str]]:
    """Yield the metadata block of a Hugging Face model card, as the path of its file and its content.

    It holds every measured number with its interval, protocol and flags, an infinite one as the text `inf`; without
    measured numbers nothing is yielded.

    Args:
        entry: Entry of a model.
    """
    results = [
        {
            "task": {"type": "image-classification"},
            "dataset": {"name": result.benchmark, "type": result.benchmark, "config": result.perturbation},
            "metrics": [
                {
                    "type": result.metric,
                    "value": strict_json(result.value),
                    "name": f"{result.metric} of {result.benchmark}, {result.perturbation}",
                    "args": _arguments(result),
                }
            ],
        }
        for result in entry.measured
        if result.value is not None
    ]
    if results:
        content = {"model-index": [{"name": entry.model, "results": results}]}
        block = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
        yield Path(plain_name(entry.model), "README.md"), f"---\n{block}---\n"


def _arguments(result: Result) -> dict[str, Any]:
    """Interval, number of samples, protocol and flags of a result, and the limit of a search that had one."""
    limit = {} if result.searched_to is None else {"searched_to": result.searched_to}
    ends = {"low": strict_json(result.low), "high": strict_json(result.high)}
    flags = {"flags": list(result.flags)} if result.flags else {}
    return ends | limit | {"n": result.n, "protocol": str(result.protocol)} | flags


READERS: Mapping[str, Callable[[Path], list[Entry]]] = {"robustbench": from_robustbench, "timm": from_timm}
CONTRADICTIONS: Mapping[str, Callable[[Iterable[Path]], list[str]]] = {"robustbench": wrong_datasets}
"""By format, what returns a sentence for everything in the files that contradicts itself."""
WRITERS: Mapping[str, Callable[[Entry], Iterator[tuple[Path, str]]]] = {
    "model-index": to_model_index,
    "robustbench": to_robustbench,
}
