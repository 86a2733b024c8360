"""Make leaderboards/data/published.parquet from the tables of published results in FOLDER.

    python scripts/ship_published.py FOLDER

Names become those used here, percentages become fractions, and a proportion of a known number of images gets its
exact interval. Nothing else changes; the published names are a column of the result.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.flags import UNRELIABLE_AUTOATTACK
from robustbench_eff.core.metric import metric_of
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.published import FILE, SCHEMA
from robustbench_eff.leaderboards.published_names import Name, name_of, sized
from robustbench_eff.registry.perturbation import parse_perturbation

WHOLE = {
    "imagenet": 50_000,
    "imagenet-a": 7_500,
    "imagenet-a-clean": 10_000,
    "imagenet-c": 50_000,
    "imagenet-r": 30_000,
    "imagenet-r-clean": 10_000,
    "imagenet-sketch": 50_889,
    "imagenetv2-matched-frequency": 10_000,
    "imagenetv2-threshold-0.7": 10_000,
    "imagenetv2-top-images": 10_000,
}
"""Number of images of whole benchmarks, which timm, open_clip and the testbed evaluate; `-clean` has 50 of each of 200
classes."""
TESTBED = "imagenet-testbed robustness_top1s.csv"
ANOTHER = "the timm weight is"
"""Words of a detail by which the number belongs to another model than the one with the alias."""
SETS = {
    "RobustBench model_info": {"imagenet": 5_000, "imagenet-c": 5_000, "imagenet-3dcc": 5_000}
    | dict.fromkeys(("cifar10", "cifar10-c", "cifar100", "cifar100-c"), 10_000),
    TESTBED: WHOLE | {"objectnet": 18_514},
    "open_clip docs/openclip_results.csv": WHOLE,
    "timm results csv": WHOLE,
}
"""Number of images that each source evaluates, by benchmark."""
COLUMNS = {"model", "alias", "family", "defense", "benchmark", "metric", "value", "source", "source_detail"}
"""Columns of a table of published results; the folder may hold other tables."""
_COUNTS = re.compile(r"shape=(\d+) texture=(\d+)")
_PAPER = re.compile(r"arXiv (\d{4}\.\d{5})")
_SIZE = re.compile(r"img_size=(\d+)")


def main() -> None:
    """Read all tables and write one file."""
    rows = list(_numbers(Path(sys.argv[1])))
    sizes: dict[str, int] = {}
    for row in rows:
        if size := _SIZE.search(row["source_detail"]):
            sizes[row["model"]] = max(sizes.get(row["model"], 0), int(size[1]))
    records = [_record(row, sizes) for row in rows]
    table = pa.Table.from_pylist(records, SCHEMA)
    keys = ["model", "benchmark", "perturbation", "metric", "protocol", "kind"]
    repeated = Counter(tuple(record[key] for key in keys) for record in records)
    pq.write_table(table, FILE, compression="zstd", compression_level=19)
    print(f"{len(records)} numbers, {FILE.stat().st_size} bytes. Given more than once:")
    for key, times in repeated.items():
        if times > 1:
            print(f"{times} times: {key}")


def _numbers(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = csv.DictReader(io.StringIO(content.decode()))
        if set(rows.fieldnames or ()) >= COLUMNS:
            yield from rows
        else:
            print(f"{path.name} is skipped: its columns are not those of published results.")


def _record(row: dict[str, str], sizes: dict[str, int]) -> dict[str, Any]:
    """Return a row of the shipped file; `sizes` are the largest input sizes of models, by name."""
    table, _, commit = row["source"].partition(" @")
    if table.startswith("seed "):  # an abstract, whose paper the detail names
        paper = _PAPER.search(row["source_detail"])
        table, commit = f"abstract of arXiv:{paper[1]}" if paper else "abstracts of papers", ""
    name = name_of(row["benchmark"], row["metric"], table)
    is_claim = table.startswith("abstract") or row["metric"] == "reported_robust_top1"
    value = float(row["value"]) / (1 if name.unit == "number" else 100)
    size = _SIZE.search(row["source_detail"])
    model = sized(row["model"], int(size[1]), sizes[row["model"]]) if size else row["model"]
    n = None if is_claim else _images(table, name, row["source_detail"])
    low, high = proportion_interval(value * n, n) if n is not None and _is_proportion(name.metric) else (None, None)
    return {
        "model": model,
        "alias": "" if ANOTHER in row["source_detail"] else row["alias"],
        "family": row["family"],
        "defense": row["defense"],
        "benchmark": name.benchmark,
        "perturbation": _canonical(name.perturbation),
        "metric": name.metric,
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "unit": name.unit,
        "higher_is_better": row["higher_is_better"] == "1",
        "kind": "claimed" if is_claim else "published",
        "protocol": f"{table}, {name.variant}" if name.variant else table,
        "source": f"{table} @{commit}" if commit else table,
        "detail": row["source_detail"],
        "published_as": f"{row['benchmark']} {row['metric']}",
        "flag": _flag(row),
    }


def _flag(row: dict[str, str]) -> str:
    """Return what the source doubts about a number: RobustBench doubts AutoAttack on single models."""
    is_doubted = row["metric"] == "autoattack_top1" and "; unreliable=True;" in row["source_detail"]
    return UNRELIABLE_AUTOATTACK if is_doubted else ""


def _is_proportion(name: str) -> bool:
    """Return whether a metric is a count of images, or of decisions for shape or texture, over all of them."""
    metric = metric_of(name)
    return name == "shape_bias" or (metric is not None and metric.is_proportion)


def _images(table: str, name: Name, detail: str) -> int | None:
    """Return the number of images behind a proportion, or None if it is unknown.

    The testbed evaluated some models on a tenth of the images under attack and corruption, and does not list them.
    """
    if table == TESTBED and (name.metric == "robust_accuracy" or name.benchmark == "imagenet-c"):
        return None
    if counts := _COUNTS.search(detail):
        return int(counts[1]) + int(counts[2])
    if name.variant.startswith("1000"):
        return 1_000
    return SETS.get(table, {}).get(name.benchmark) if not name.variant.startswith("format-val_") else None


@cache
def _canonical(perturbation: str) -> str:
    """Return the spec text of a run; a corruption without a severity remains, because it stands for all severities."""
    if "(" not in perturbation:
        return perturbation
    try:
        return parse_perturbation(perturbation).text
    except SpecError:
        return perturbation


if __name__ == "__main__":
    main()
