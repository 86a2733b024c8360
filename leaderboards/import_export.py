"""Other people's formats: RobustBench's files and timm's tables in, RobustBench's files and model cards out."""

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

from .entry import Entry, Result, base_of, plain_name
from .published_names import name_of, sized

ROBUSTBENCH, TIMM = "RobustBench model_info", "timm results csv"
THREATS = {"Linf": "linf", "L2": "l2"}
_OF_CORRUPTIONS = (
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
    "corruptions": _OF_CORRUPTIONS,
    "corruptions_3d": _OF_CORRUPTIONS,
}
"""What the files of a threat model say: of the benchmark with that suffix the metric in that field."""
TIMM_TABLES = {"results-sketch": "imagenet-sketch"}
"""Tables whose benchmark is not in their name."""
_AUTOATTACK = re.compile(r"autoattack\(eps=(?P<eps>[\d./]+)(, norm='(?P<norm>l2)')?\)")


def from_robustbench(path: Path) -> list[Entry]:
    """The entry of `model_info/DATASET/THREAT/ID.json`; EntryError for a file that is none.

    Numbers may be texts, and are percent. The authors' own number is a claim.
    """
    said, threat = _json(path), path.resolve().parent.name
    if not isinstance(said, dict) or not {"dataset", "clean_acc"} <= said.keys():
        raise EntryError(f"{path} is no entry of RobustBench: it has no dataset or no clean_acc.")
    if threat not in TABLES:
        raise EntryError(f"{path} lies in no folder of a threat model.", f"Its folder can be {', '.join(TABLES)}.")
    dataset, eps = str(said["dataset"]), said.get("eps")
    if threat in THREATS and not re.fullmatch(r"[\d./]+", str(eps)):
        raise EntryError(f"{path}: eps is {eps!r}, which is no radius such as 8/255.")
    tables = [(dataset, "top1", "clean_acc")]
    tables += [(f"{dataset}{suffix.format(eps=eps)}", metric, field) for suffix, metric, field in TABLES[threat]]
    results = {
        field: _result(benchmark, metric, said[field], path, ROBUSTBENCH)
        for benchmark, metric, field in tables
        if said.get(field) not in (None, "")
    }
    claimed = results.pop("reported", None)
    return [
        Entry(
            model=f"rb_{dataset}_{threat}_{path.stem}".lower(),
            family=str(said.get("architecture", "")),
            published=tuple(results.values()),
            claimed=() if claimed is None else (claimed,),
        )
    ]


def from_timm(path: Path) -> list[Entry]:
    """An entry for every row of `results-BENCHMARK.csv`; EntryError for another table."""
    benchmark = TIMM_TABLES.get(path.stem, path.stem.removeprefix("results-"))
    rows = list(csv.DictReader(io.StringIO(_text(path))))
    if not rows or not {"model", "top1", "top5"} <= rows[0].keys():
        raise EntryError(f"{path} is no table of timm's results: it has no columns model, top1 and top5.")
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
    """Files as RobustBench keeps them, by their path below `model_info`: one for every ball of a benchmark that the
    standard AutoAttack was measured in, on the same images as clean accuracy. What only the authors know is left empty.
    """
    for result in entry.measured:
        attack = _AUTOATTACK.fullmatch(result.perturbation)
        clean = next((one for one in entry.measured if _is_clean_twin(one, result)), None)
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
            "unreliable": any(one.finding == "suspect" and one.benchmark == result.benchmark for one in entry.checks),
            "footnote": f"{result.n} images; {result.protocol}",
        }
        name = plain_name(f"{entry.model}_{attack['eps'].replace('/', '-')}")
        threat = "L2" if attack["norm"] else "Linf"
        yield Path(plain_name(result.benchmark), threat, f"{name}.json"), json.dumps(content, indent=2) + "\n"


def _is_clean_twin(clean: Result, attacked: Result) -> bool:
    """Clean accuracy on the very images that were attacked."""
    return (
        (clean.metric, clean.perturbation) == ("accuracy", "none")
        and (clean.benchmark, clean.n) == (attacked.benchmark, attacked.n)
        and base_of(clean.protocol) == base_of(attacked.protocol)
    )


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
    name = name_of(benchmark, metric, protocol)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise EntryError(f"{path}: {metric} is {value!r}, which is no number.") from error
    if not 0 <= number <= (100 if name.metric.endswith("accuracy") else math.inf) or math.isinf(number):
        raise EntryError(f"{path}: {metric} is {value!r}, which is no percentage.")
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
        return json.loads(_text(path))
    except ValueError as error:
        raise EntryError(f"{path} cannot be read: {error}.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise EntryError(f"{path} cannot be read: {error}.") from error
