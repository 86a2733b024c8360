"""Make leaderboards/data/published.parquet of the tables of published results in FOLDER.

    python scripts/ship_published.py FOLDER

Names become those used here, percent become fractions, and where the number of images is known a proportion gets its
Wilson interval. Nothing else is changed; the name a number was published under stays beside it.
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
from robustbench_eff.core.statistics import wilson
from robustbench_eff.leaderboards.published import FILE, SCHEMA
from robustbench_eff.leaderboards.published_names import Name, name_of, sized
from robustbench_eff.registry import build

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
"""Images of whole benchmarks, which timm, open_clip and the testbed evaluate; `clean` has 50 of each of 200 classes."""
TESTBED = "imagenet-testbed robustness_top1s.csv"
ANOTHER = "the timm weight is"
"""How a detail says that the number is of another model than the one that has the name here."""
SETS = {
    "RobustBench model_info": {"imagenet": 5_000, "imagenet-c": 5_000, "imagenet-3dcc": 5_000}
    | dict.fromkeys(("cifar10", "cifar10-c", "cifar100", "cifar100-c"), 10_000),
    TESTBED: WHOLE | {"objectnet": 18_514},
    "open_clip docs/openclip_results.csv": WHOLE,
    "timm results csv": WHOLE,
}
PROPORTIONS = ("accuracy", "top5_accuracy", "robust_accuracy", "error", "shape_bias")
_COUNTS = re.compile(r"shape=(\d+) texture=(\d+)")
_PAPER = re.compile(r"arXiv (\d{4}\.\d{5})")
_SIZE = re.compile(r"img_size=(\d+)")


def main() -> None:
    """Read all tables, write one file."""
    rows = list(_numbers(Path(sys.argv[1])))
    sizes: dict[str, int] = {}
    for row in rows:
        if size := _SIZE.search(row["source_detail"]):
            sizes[row["model"]] = max(sizes.get(row["model"], 0), int(size[1]))
    made = [_made(row, sizes) for row in rows]
    table = pa.Table.from_pylist(made, SCHEMA)
    keys = ["model", "benchmark", "perturbation", "metric", "protocol", "kind"]
    repeated = Counter(tuple(row[key] for key in keys) for row in made)
    pq.write_table(table, FILE, compression="zstd", compression_level=19)
    print(f"{len(made)} numbers, {FILE.stat().st_size} bytes. Said more than once:")
    for key, times in repeated.items():
        if times > 1:
            print(f"{times} times: {key}")


def _numbers(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        yield from csv.DictReader(io.StringIO(content.decode()))


def _made(row: dict[str, str], sizes: dict[str, int]) -> dict[str, Any]:
    table, _, commit = row["source"].partition(" @")
    if table.startswith("seed "):  # an abstract: the detail says whose
        paper = _PAPER.search(row["source_detail"])
        table, commit = f"abstract of arXiv:{paper[1]}" if paper else "abstracts of papers", ""
    name = name_of(row["benchmark"], row["metric"], table)
    said = table.startswith("abstract") or row["metric"] == "reported_robust_top1"
    value = float(row["value"]) / (1 if name.unit == "number" else 100)
    size = _SIZE.search(row["source_detail"])
    model = sized(row["model"], int(size[1]), sizes[row["model"]]) if size else row["model"]
    n = None if said else _images(table, name, row["source_detail"])
    low, high = wilson(value * n, n) if n is not None and name.metric in PROPORTIONS else (None, None)
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
        "kind": "claimed" if said else "published",
        "protocol": f"{table}, {name.variant}" if name.variant else table,
        "source": f"{table} @{commit}" if commit else table,
        "detail": row["source_detail"],
        "published_as": f"{row['benchmark']} {row['metric']}",
    }


def _images(table: str, name: Name, detail: str) -> int | None:
    """How many images a proportion is of, where that is known.

    The testbed evaluated some models on a tenth of the images under attack and corruption, and does not say which.
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
    """As a run would write it; a corruption without a severity stays so, it is all of them."""
    if "(" not in perturbation:
        return perturbation
    try:
        return build.perturbation_text(perturbation)
    except SpecError:
        return perturbation


if __name__ == "__main__":
    main()
