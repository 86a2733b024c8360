"""Other people's formats: RobustBench's files and timm's tables in, RobustBench's files and model cards out."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from robustbench_eff.errors import EntryError

from .entry import Entry, Result, plain_name
from .naming import name_of

ROBUSTBENCH, TIMM = "RobustBench model_info", "timm results csv"
THREATS = {"Linf": "linf", "L2": "l2"}
TIMM_TABLES = {"results-sketch": "imagenet-sketch"}
"""Tables whose benchmark is not in their name."""
_AUTOATTACK = re.compile(r"autoattack\(eps=(?P<eps>[\d./]+)(, norm='(?P<norm>l2)')?\)")


def from_robustbench(path: Path) -> list[Entry]:
    """The entry of `model_info/DATASET/THREAT/ID.json`; EntryError for a file that is none.

    Numbers may be texts, and are percent. The authors' own number is a claim.
    """
    said = _json(path)
    threat = path.parent.name
    try:
        dataset, clean = str(said["dataset"]), said["clean_acc"]
    except (KeyError, TypeError) as error:
        raise EntryError(f"{path} is no entry of RobustBench: it has no {error}.") from error
    tables = [(dataset, "top1", clean)]
    if threat in THREATS:
        attacked = f"{dataset}-{THREATS[threat]}-{said.get('eps')}"
        tables += [
            (attacked, "autoattack_top1", said.get("autoattack_acc")),
            (attacked, "external_best_known_robust_top1", said.get("external")),
            (attacked, "reported_robust_top1", said.get("reported")),
        ]
    else:
        tables += [
            (f"{dataset}-c", "mean_corruption_top1", said.get("corruptions_acc")),
            (f"{dataset}-c", "mce", said.get("corruptions_mce")),
            (f"{dataset}-3dcc", "mean_corruption_top1", said.get("corruptions_acc_3d")),
            (f"{dataset}-3dcc", "mce_3d", said.get("corruptions_mce_3d")),
        ]
    results = [
        (metric, _result(benchmark, metric, value, path, ROBUSTBENCH))
        for benchmark, metric, value in tables
        if value not in (None, "")
    ]
    return [
        Entry(
            model=f"rb_{dataset}_{threat}_{path.stem}".lower(),
            family=str(said.get("architecture", "")),
            published=tuple(result for metric, result in results if metric != "reported_robust_top1"),
            claimed=tuple(result for metric, result in results if metric == "reported_robust_top1"),
        )
    ]


def from_timm(path: Path) -> list[Entry]:
    """An entry for every row of `results-BENCHMARK.csv`; EntryError for another table."""
    benchmark = TIMM_TABLES.get(path.stem, path.stem.removeprefix("results-"))
    with _opened(path) as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"model", "top1", "top5"} <= rows[0].keys():
        raise EntryError(f"{path} is no table of timm's results: it has no columns model, top1 and top5.")
    return [
        Entry(
            model=row["model"],
            published=tuple(_result(benchmark, metric, row[metric], path, TIMM) for metric in ("top1", "top5")),
        )
        for row in rows
    ]


def to_robustbench(entry: Entry) -> Iterator[tuple[Path, str]]:
    """Files as RobustBench keeps them, by their path below `model_info`: one for each benchmark and ball that
    AutoAttack was measured in. What only the authors know is left empty.
    """
    clean = {
        result.benchmark: result
        for result in entry.measured
        if result.metric == "accuracy" and result.perturbation == "none"
    }
    for result in entry.measured:
        attack = _AUTOATTACK.fullmatch(result.perturbation)
        if attack is None or result.metric != "robust_accuracy" or result.benchmark not in clean:
            continue
        suspected = any(check.finding == "suspect" and check.benchmark == result.benchmark for check in entry.checks)
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
            "clean_acc": _percent(clean[result.benchmark]),
            "reported": "",
            "autoattack_acc": _percent(result),
            "unreliable": suspected,
        }
        threat = "L2" if attack["norm"] else "Linf"
        yield Path(result.benchmark, threat, f"{plain_name(entry.model)}.json"), json.dumps(content, indent=2) + "\n"


def to_model_index(entry: Entry) -> Iterator[tuple[Path, str]]:
    """The head of a Hugging Face model card: every measured number with its interval and protocol."""
    results = [
        {
            "task": {"type": "image-classification"},
            "dataset": {"name": result.benchmark, "type": result.benchmark, "config": result.perturbation},
            "metrics": [
                {
                    "type": result.metric,
                    "value": result.value,
                    "name": f"{result.metric} of {result.benchmark}, {result.perturbation}",
                    "args": {"low": result.low, "high": result.high, "n": result.n, "protocol": result.protocol},
                }
            ],
        }
        for result in entry.measured
        if result.value is not None
    ]
    if results:
        content = {"model-index": [{"name": entry.model, "results": results}]}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
        yield Path(plain_name(entry.model), "README.md"), f"---\n{text}---\n"


READERS: Mapping[str, Callable[[Path], list[Entry]]] = {"robustbench": from_robustbench, "timm": from_timm}
WRITERS: Mapping[str, Callable[[Entry], Iterator[tuple[Path, str]]]] = {
    "model-index": to_model_index,
    "robustbench": to_robustbench,
}


def _result(benchmark: str, metric: str, value: Any, path: Path, protocol: str) -> Result:
    name = name_of(benchmark, metric)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise EntryError(f"{path}: {metric} is {value!r}, which is no number.") from error
    return Result(
        benchmark=name.benchmark,
        perturbation=name.perturbation,
        metric=name.metric,
        value=number / 100,
        protocol=protocol,
        higher_is_better=not name.metric.startswith("mCE"),
        source=path.name,
    )


def _percent(result: Result) -> str:
    return "" if result.value is None else f"{100 * result.value:.2f}"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EntryError(f"{path} cannot be read: {error}.") from error


def _opened(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise EntryError(f"{path} cannot be read: {error.strerror}.") from error
