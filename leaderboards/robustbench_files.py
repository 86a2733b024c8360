"""RobustBench's files, one for each model below `model_info/DATASET/THREAT`: in and out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.flags import UNRELIABLE_AUTOATTACK

from .about import About, about_of
from .entry import Entry, Kind, Result, plain_name
from .published_files import json_of, published_result
from .published_names import AUTOATTACK, name_of

ROBUSTBENCH = "RobustBench model_info"
THREATS = {"Linf": "linf", "L2": "l2"}
_CORRUPTION_FIELDS = (
    ("-c", "reported_robust_top1", "reported"),
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
_SAID = {"architecture": "architecture", "title": "name", "authors": "authors", "venue": "venue", "link": "link"}
"""Texts of an entry's `about`, and the fields of RobustBench's files that hold them."""
_ABSENT = (None, "", "null")
"""Values that stand for a missing number in RobustBench's files."""
_DATASETS = ("cifar10", "cifar100", "imagenet")
"""Folders of RobustBench's files below `model_info`, each with the models of one dataset."""


def from_robustbench(path: Path) -> list[Entry]:
    """Return the entry of one of RobustBench's files.

    Numbers are percentages, possibly as strings. The number that the model's authors report becomes a claim. As in
    RobustBench's tables, the folder gives the dataset, whatever the file says; see `wrong_datasets`.

    Args:
        path: `model_info/DATASET/THREAT/ID.json`.

    Raises:
        EntryError: The file cannot be read, does not have this form, or lies in another folder.
    """
    record, threat = _robustbench_record(path), path.resolve().parent.name
    if threat not in TABLES:
        raise EntryError(
            f"{path} does not lie in the folder of a threat model.", f"Expected one of {', '.join(TABLES)}."
        )
    dataset, eps = _dataset(path, record), record.get("eps")
    if threat in THREATS and not re.fullmatch(r"[\d./]+", str(eps)):
        raise EntryError(f"{path}: eps is {eps!r}, expected a radius such as 8/255.")
    results = {
        field: published_result(benchmark, metric, record[field], path, ROBUSTBENCH)
        for benchmark, metric, field in _fields(dataset, threat, str(eps))
        if record.get(field) not in _ABSENT
    }
    if record.get("unreliable") and "autoattack_acc" in results:
        results["autoattack_acc"] = results["autoattack_acc"].model_copy(update={"flags": (UNRELIABLE_AUTOATTACK,)})
    claimed = results.pop("reported", None)
    model = f"rb_{dataset}_{threat}_{path.stem}".lower().replace("-", "_")
    return [
        Entry(
            model=model,
            family=str(record.get("architecture", "")),
            about=_about(path, {**record, "name": "" if record.get("name") == model else record.get("name")}),
            published=tuple(results.values()),
            claimed=() if claimed is None else (claimed,),
        )
    ]


def _about(path: Path, record: Mapping[str, Any]) -> About:
    """Return what a file says about the model; the name of the file is the name of the model."""
    texts = {name: text.strip() for name, field in _SAID.items() if isinstance(text := record.get(field), str)}
    fields = {**texts, "name": path.stem, "extra_data": record.get("additional_data")}
    return about_of(fields, {**_SAID, "extra_data": "additional_data"}, str(path))


def wrong_datasets(paths: Iterable[Path]) -> list[str]:
    """Return a sentence for every dataset that some of RobustBench's files name although they lie in another's folder.

    Args:
        paths: `model_info/DATASET/THREAT/ID.json`; one that is given twice counts once.

    Raises:
        EntryError: A file cannot be read or does not have this form.
    """
    contradictions: dict[tuple[str, str], list[str]] = {}
    for path in {path.resolve(): path for path in paths}.values():
        record = _robustbench_record(path)
        if (dataset := _dataset(path, record)) != str(record["dataset"]):
            contradictions.setdefault((str(record["dataset"]), dataset), []).append(f"{path.parent.name}/{path.name}")
    return [
        f"{_files_say(len(names), folder)} {said}; as in RobustBench's tables the folder counts: {', '.join(names)}."
        for (said, folder), names in contradictions.items()
    ]


def _files_say(count: int, folder: str) -> str:
    return f"1 file in the folder {folder} says" if count == 1 else f"{count} files in the folder {folder} say"


def _fields(dataset: str, threat: str, eps: str) -> list[tuple[str, str, str]]:
    """Return published benchmark, published metric and field of every number that a file may hold."""
    attacked = [(f"{dataset}{suffix.format(eps=eps)}", metric, field) for suffix, metric, field in TABLES[threat]]
    return [(dataset, "top1", "clean_acc"), *attacked]


def _dataset(path: Path, record: Mapping[str, Any]) -> str:
    """Return the dataset that the folder names; outside RobustBench's folders, the one that the file names."""
    folder = path.resolve().parent.parent.name.lower()
    return folder if folder in _DATASETS else str(record["dataset"])


def _robustbench_record(path: Path) -> Mapping[str, Any]:
    record = json_of(path)
    if not isinstance(record, dict) or not {"dataset", "clean_acc"} <= record.keys():
        raise EntryError(f"{path} is not an entry of RobustBench: dataset or clean_acc is missing.")
    if record.get("unreliable") not in (True, False, None):
        raise EntryError(f"{path}: unreliable is {record['unreliable']!r}, expected true or false.")
    return record


def to_robustbench(entry: Entry) -> Iterator[tuple[Path, str]]:
    """Yield RobustBench's files, each as its path below `model_info` and its content.

    There is one file for every ball in which the standard AutoAttack was measured on the same images as the clean
    accuracy, and one for every file of RobustBench that the entry was read from, with the numbers that it had. Fields
    that nobody filled in are empty. The footnote has the flags of both numbers.

    Args:
        entry: Entry of a model.
    """
    yield from _read_before(entry)
    for result in entry.measured:
        attack = AUTOATTACK.fullmatch(result.perturbation)
        clean = next((other for other in entry.measured if _is_clean_counterpart(other, result)), None)
        if attack is None or result.metric != "robust_accuracy" or clean is None:
            continue
        content = {
            **_said(entry),
            "number_forward_passes": 1,
            "dataset": result.benchmark,
            "eps": attack["eps"],
            "clean_acc": _percent(clean),
            "reported": "",
            "autoattack_acc": _percent(result),
            "unreliable": any(
                check.finding == "suspect" and check.benchmark == result.benchmark for check in entry.checks
            ),
            "footnote": "; ".join(
                [f"{result.n} images", str(result.protocol), *dict.fromkeys(clean.flags + result.flags)]
            ),
        }
        name = plain_name(f"{entry.model}_{attack['eps'].replace('/', '-')}")
        threat = "L2" if attack["norm"] else "Linf"
        yield Path(plain_name(result.benchmark), threat, f"{name}.json"), json.dumps(content, indent=2) + "\n"


def _said(entry: Entry) -> dict[str, Any]:
    """Return what the authors of a model say, in RobustBench's fields; `name` is the title of the paper there."""
    about = entry.about
    return {
        "link": about.link,
        "name": about.title or entry.model,
        "authors": about.authors,
        "additional_data": about.extra_data,
        "venue": about.venue,
        "architecture": about.architecture or entry.family,
    }


def _read_before(entry: Entry) -> Iterator[tuple[Path, str]]:
    """Yield the files of RobustBench that the numbers of an entry were read from, without what an entry leaves out."""
    theirs: dict[tuple[str, str, str, Kind], Result] = {
        (result.benchmark, result.perturbation, result.metric, kind): result
        for kind, result in entry.results()
        if kind != "measured" and str(result.protocol) == ROBUSTBENCH
    }
    means = [key for key in theirs if key[2:] == ("mean_accuracy", "published")]
    of_dataset = {_without_corruptions(key[0]): key for key in reversed(means)}
    for key, result in theirs.items():
        attack = AUTOATTACK.fullmatch(result.perturbation)
        if attack is None and key not in of_dataset.values():
            continue
        threat, eps = "corruptions_3d" if "_corruptions_3d_" in entry.model else "corruptions", None
        if attack is not None:
            threat, eps = "L2" if attack["norm"] else "Linf", attack["eps"]
        dataset = _without_corruptions(result.benchmark)
        content: dict[str, Any] = {**_said(entry), "dataset": dataset, "eps": eps}
        for published, published_metric, field in _fields(dataset, threat, str(eps)):
            kind: Kind = "claimed" if field == "reported" else "published"
            name = name_of(published, published_metric, ROBUSTBENCH)
            number = theirs.get((name.benchmark, name.perturbation, name.metric, kind))
            content |= {} if number is None else {field: _percent(number)}
        if UNRELIABLE_AUTOATTACK in result.flags:
            content["unreliable"] = True
        stem = result.source.removesuffix(".json") if result.source.endswith(".json") else entry.model
        yield Path(dataset, threat, f"{plain_name(stem)}.json"), json.dumps(content, indent=2) + "\n"


def _without_corruptions(benchmark: str) -> str:
    """Return the dataset of a benchmark: `imagenet` for `imagenet-c` and `imagenet-3dcc`."""
    return re.sub(r"-(c|3dcc)$", "", benchmark)


def _is_clean_counterpart(clean: Result, attacked: Result) -> bool:
    """Return whether a result is the clean accuracy on the images that were attacked."""
    return (
        (clean.metric, clean.perturbation) == ("accuracy", "none")
        and (clean.benchmark, clean.n) == (attacked.benchmark, attacked.n)
        and clean.protocol.of_images() == attacked.protocol.of_images()
    )


def _percent(result: Result) -> str:
    return "" if result.value is None else f"{100 * result.value:.2f}"
