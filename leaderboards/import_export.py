"""Formats of other projects: RobustBench's files and timm's tables in, RobustBench's files and model cards out."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.metric import METRICS
from robustbench_eff.core.protocol import Protocol

from .entry import Entry, Result, plain_name
from .published_names import name_of, sized

ROBUSTBENCH, TIMM = "RobustBench model_info", "timm results csv"
THREATS = {"Linf": "linf", "L2": "l2"}
_CORRUPTION_FIELDS = (
    ("-c", "mean_corruption_top1", "corruptions_acc"),
    ("-c", "mce", "corruptions_mce"),
    ("-3dcc", "mean_corruption_top1", "corruptions_acc_3d"),
    ("-3dcc", "mce_3d", "corruptions_mce_3d"),
)
TABLES = {
    **{
        threat: (
            (f"-{norm}-{{eps}}", "autoattack_top1", "autoattack_acc"),
            (f"-{norm}-{{eps}}", "external_best_known_robust_top1", "external"),
            (f"-{norm}-{{eps}}", "reported_robust_top1", "reported"),
        )
        for threat, norm in THREATS.items()
    },
    "corruptions": _CORRUPTION_FIELDS,
    "corruptions_3d": _CORRUPTION_FIELDS,
}
"""By threat model, what RobustBench's files hold: suffix of the benchmark, published name of the metric, field."""
TIMM_TABLES = {"results-sketch": "imagenet-sketch"}
"""Benchmarks of the tables that are not named after their benchmark."""
_AUTOATTACK = re.compile(r"autoattack\(eps=(?P<eps>[\d./]+)(, norm='(?P<norm>l2)')?\)")


def from_robustbench(path: Path) -> list[Entry]:
    """Return the entry of one of RobustBench's files.

    Numbers are percentages, possibly as strings. The number that the model's authors report becomes a claim.

    Args:
        path: `model_info/DATASET/THREAT/ID.json`.

    Raises:
        EntryError: The file cannot be read, does not have this form, or lies in another folder.
    """
    record, threat = _json(path), path.resolve().parent.name
    if not isinstance(record, dict) or not {"dataset", "clean_acc"} <= record.keys():
        raise EntryError(f"{path} is not an entry of RobustBench: dataset or clean_acc is missing.")
    if threat not in TABLES:
        raise EntryError(
            f"{path} does not lie in the folder of a threat model.", f"Expected one of {', '.join(TABLES)}."
        )
    dataset, eps = str(record["dataset"]), record.get("eps")
    if threat in THREATS and not re.fullmatch(r"[\d./]+", str(eps)):
        raise EntryError(f"{path}: eps is {eps!r}, expected a radius such as 8/255.")
    fields = [(dataset, "top1", "clean_acc")]
    fields += [(f"{dataset}{suffix.format(eps=eps)}", metric, field) for suffix, metric, field in TABLES[threat]]
    results = {
        field: _result(benchmark, metric, record[field], path, ROBUSTBENCH)
        for benchmark, metric, field in fields
        if record.get(field) not in (None, "")
    }
    claimed = results.pop("reported", None)
    return [
        Entry(
            model=f"rb_{dataset}_{threat}_{path.stem}".lower(),
            family=str(record.get("architecture", "")),
            published=tuple(results.values()),
            claimed=() if claimed is None else (claimed,),
        )
    ]


def from_timm(path: Path) -> list[Entry]:
    """Return an entry for every row of one of timm's tables of results.

    Args:
        path: `results-BENCHMARK.csv`.

    Raises:
        EntryError: The file cannot be read or does not have this form.
    """
    benchmark = TIMM_TABLES.get(path.stem, path.stem.removeprefix("results-"))
    rows = list(csv.DictReader(io.StringIO(_text(path))))
    if not rows or not {"model", "top1", "top5"} <= rows[0].keys():
        raise EntryError(f"{path} is not a table of timm's results: columns model, top1 or top5 are missing.")
    largest: dict[str, int] = {}
    for row in rows:
        largest[row["model"]] = max(largest.get(row["model"], 0), int(row.get("img_size") or 0))
    return [
        Entry(
            model=sized(row["model"], int(row.get("img_size") or 0), largest[row["model"]]),
            published=tuple(_result(benchmark, metric, row[metric], path, TIMM) for metric in ("top1", "top5")),
        )
        for row in rows
    ]


def to_robustbench(entry: Entry) -> Iterator[tuple[Path, str]]:
    """Yield RobustBench's files, each as its path below `model_info` and its content.

    There is one file for every ball in which the standard AutoAttack was measured on the same images as the clean
    accuracy. Fields that only the model's authors can fill in are empty.

    Args:
        entry: Entry of a model.
    """
    for result in entry.measured:
        attack = _AUTOATTACK.fullmatch(result.perturbation)
        clean = next((other for other in entry.measured if _is_clean_counterpart(other, result)), None)
        if attack is None or result.metric != "robust_accuracy" or clean is None:
            continue
        content = {
            "link": "",
            "name": entry.model,
            "authors": "",
            "additional_data": None,
            "number_forward_passes": 1,
            "dataset": result.benchmark,
            "venue": "",
            "architecture": entry.family,
            "eps": attack["eps"],
            "clean_acc": _percent(clean),
            "reported": "",
            "autoattack_acc": _percent(result),
            "unreliable": any(
                check.finding == "suspect" and check.benchmark == result.benchmark for check in entry.checks
            ),
            "footnote": f"{result.n} images; {result.protocol}",
        }
        name = plain_name(f"{entry.model}_{attack['eps'].replace('/', '-')}")
        threat = "L2" if attack["norm"] else "Linf"
        yield Path(plain_name(result.benchmark), threat, f"{name}.json"), json.dumps(content, indent=2) + "\n"


def _is_clean_counterpart(clean: Result, attacked: Result) -> bool:
    """Return whether a result is the clean accuracy on the images that were attacked."""
    return (
        (clean.metric, clean.perturbation) == ("accuracy", "none")
        and (clean.benchmark, clean.n) == (attacked.benchmark, attacked.n)
        and clean.protocol.of_images() == attacked.protocol.of_images()
    )


def to_model_index(entry: Entry) -> Iterator[tuple[Path, str]]:
    """Yield the metadata block of a Hugging Face model card, as the path of its file and its content.

    It holds every measured number with its interval and protocol; without measured numbers nothing is yielded.

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
                    "value": result.value,
                    "name": f"{result.metric} of {result.benchmark}, {result.perturbation}",
                    "args": {"low": result.low, "high": result.high, "n": result.n, "protocol": str(result.protocol)},
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


READERS: Mapping[str, Callable[[Path], list[Entry]]] = {"robustbench": from_robustbench, "timm": from_timm}
WRITERS: Mapping[str, Callable[[Entry], Iterator[tuple[Path, str]]]] = {
    "model-index": to_model_index,
    "robustbench": to_robustbench,
}


def _result(benchmark: str, published_metric: str, value: Any, path: Path, source: str) -> Result:
    name = name_of(benchmark, published_metric, source)
    metric = METRICS[name.metric]
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise EntryError(f"{path}: {published_metric} is {value!r}, expected a number.") from error
    if not 0 <= number <= (math.inf if metric.high is None else 100 * metric.high) or math.isinf(number):
        raise EntryError(f"{path}: {published_metric} is {value!r}, expected a percentage.")
    return Result(
        benchmark=name.benchmark,
        perturbation=name.perturbation,
        metric=name.metric,
        value=number / 100,
        protocol=Protocol(description=source),
        higher_is_better=metric.higher_is_better,
        source=path.name,
    )


def _percent(result: Result) -> str:
    return "" if result.value is None else f"{100 * result.value:.2f}"


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except ValueError as error:
        raise EntryError(f"{path} cannot be read: {error}.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise EntryError(f"{path} cannot be read: {error}.") from error
