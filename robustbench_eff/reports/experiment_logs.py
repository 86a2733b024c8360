"""Scores in the log of an experiment: a CSV file, TensorBoard, MLflow or W&B, through their own libraries."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from robustbench_eff import __version__
from robustbench_eff.core.errors import MissingExtra, UsageError, did_you_mean, in_one_line
from robustbench_eff.core.result_file import refuse_to_overwrite
from robustbench_eff.scores.data_frame import TYPES, row_of
from robustbench_eff.scores.headline import headlines
from robustbench_eff.scores.score import Score

from . import csv_file

ENDS = ("low", "high")
LONGEST_KEY = 200
"""Characters of a name of MLflow, which has room for 250."""


class Log(NamedTuple):
    """Where scores go."""

    kind: str
    """csv, tensorboard, mlflow or wandb."""
    place: str
    """A file, a folder, the address of a tracking server, or a project."""


def parse_log(text: str, others: Sequence[Path | str | None] = ()) -> Log:
    """Return the log that `KIND=PLACE` names, once it is known that its library is installed.

    Args:
        text: `csv=FILE`, `tensorboard=FOLDER`, `mlflow=ADDRESS` of a database or a tracking server, or `wandb=PROJECT`
            or `wandb=TEAM/PROJECT` of Weights & Biases. A folder for MLflow 3 needs MLFLOW_ALLOW_FILE_STORE=true.
        others: Files and folders that the command reads or writes.

    Raises:
        UsageError: The text has another form, the kind is unknown, or the file would overwrite another.
        MissingExtra: The library is not installed.
    """
    kind, equals, place = text.partition("=")
    if kind not in WRITERS:
        hint = did_you_mean(kind, WRITERS) or f"Kinds: {', '.join(WRITERS)}."
        raise UsageError(f"--log {text!r}: {kind!r} is not a kind of log.", hint)
    if not equals or not place.strip():
        raise UsageError(f"--log must be {kind}=PLACE, got {text!r}.", f"For example --log {kind}={_EXAMPLES[kind]}.")
    if kind != "csv" and find_spec(kind) is None:
        raise MissingExtra(kind, kind)
    if "://" not in place and kind != "wandb":
        refuse_to_overwrite(Path(place), others)
    if kind == "csv" and not Path(place).parent.is_dir():
        raise UsageError(
            f"{place} cannot be written: {Path(place).parent} is not a folder.", "Create the folder first."
        )
    return Log(kind, place)


def write_logs(logs: Sequence[Log], scores: Sequence[Score]) -> None:
    """Write scores to every log.

    TensorBoard has a run for each model, and a scalar for each finite value and end of an interval at step 0. MLflow
    and W&B have the same as metrics of a run. Infinite distances are in the CSV file alone, as `inf`.

    Args:
        logs: The logs.
        scores: The scores.

    Raises:
        UsageError: A log cannot be written.
    """
    for log in logs:
        try:
            with redirect_stdout(sys.stderr):  # which MLflow would spoil with the addresses of its pages
                WRITERS[log.kind](log.place, scores)
        except UsageError:
            raise
        except Exception as error:  # of their library
            hint = f"The outcomes are stored: repeat it with robust-eval score STORE --log {log.kind}=PLACE."
            message = f"--log {log.kind}={log.place} cannot be written: {in_one_line(error)}"
            raise UsageError(message, hint) from error


def scalars(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Return the finite numbers by model and name; a name that repeats, as with another seed, has a number.

    Args:
        scores: The scores.
    """
    found: dict[str, dict[str, float]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for score in scores:
        name = "/".join((score.benchmark, score.perturbation.replace("/", "÷"), score.metric.replace("/", "÷")))
        seen[score.model, name] += 1
        count = seen[score.model, name]
        name = name if count == 1 else f"{name} #{count}"
        numbers = {name: score.value} | {f"{name} {end}": getattr(score, end) for end in ENDS}
        finite = {key: value for key, value in numbers.items() if value is not None and math.isfinite(value)}
        found.setdefault(score.model, {}).update(finite)
    return found


def _write_csv(place: str, scores: Sequence[Score]) -> None:
    rows = [row_of(score, leads) for score, leads in zip(scores, headlines(scores), strict=True)]
    csv_file.write(rows, list(TYPES), Path(place))


def _write_tensorboard(place: str, scores: Sequence[Score]) -> None:
    from tensorboard.summary import Writer

    of_models = scalars(scores)
    for model, folder in _unique(of_models, r"[^\w.-]+").items():
        writer = Writer(str(Path(place) / (folder.strip(".") or "model")))
        for name, value in of_models[model].items():
            writer.add_scalar(name, value, step=0)
        writer.close()


def _write_mlflow(place: str, scores: Sequence[Score]) -> None:
    import mlflow  # pyright: ignore[reportMissingImports]

    mlflow.set_tracking_uri(place if "://" in place or place == "databricks" else Path(place).resolve().as_uri())
    for model, numbers in scalars(scores).items():
        protocols = dict.fromkeys(f"{score.benchmark}: {score.protocol}" for score in scores if score.model == model)
        with mlflow.start_run(run_name=model):
            mlflow.set_tags({"robustbench_eff": __version__, "protocols": "\n".join(protocols)[:4000]})
            names = _unique(numbers, r"[^A-Za-z0-9_./ -]+")
            mlflow.log_metrics({names[name]: value for name, value in numbers.items()})


def _write_wandb(place: str, scores: Sequence[Score]) -> None:
    import wandb  # pyright: ignore[reportMissingImports]

    team, _, project = place.rpartition("/")
    for model, numbers in scalars(scores).items():
        protocols = dict.fromkeys(f"{score.benchmark}: {score.protocol}" for score in scores if score.model == model)
        config = {"robustbench_eff": __version__, "protocols": list(protocols)}
        settings = wandb.Settings(silent=True)
        with wandb.init(project=project, entity=team or None, name=model, config=config, settings=settings) as run:
            run.log(numbers)


def _unique(names: Mapping[str, object], other: str) -> dict[str, str]:
    """The names with everything but some characters replaced; those that are alike then end in a hash."""
    plain = {name: re.sub(other, "_", name, flags=re.ASCII)[:LONGEST_KEY] for name in names}
    counts = Counter(key.lower() for key in plain.values())
    return {
        name: key if counts[key.lower()] == 1 else f"{key}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        for name, key in plain.items()
    }


WRITERS: Mapping[str, Callable[[str, Sequence[Score]], None]] = {
    "csv": _write_csv,
    "tensorboard": _write_tensorboard,
    "mlflow": _write_mlflow,
    "wandb": _write_wandb,
}
_EXAMPLES = {"csv": "scores.csv", "tensorboard": "runs", "mlflow": "sqlite:///mlflow.db", "wandb": "robustness"}
