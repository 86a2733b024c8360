"""`run_sweep`: train and evaluate every row of a sweep with every seed, in several processes; resumable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from robustbench_eff.benchmarks import locations
from robustbench_eff.core import spec
from robustbench_eff.core.disk import atomic_write, make_folder, reporting_os_errors, store_errors
from robustbench_eff.core.errors import Missing, MissingInputs, RobustEvalError, UsageError
from robustbench_eff.evaluation.evaluate import evaluate
from robustbench_eff.evaluation.settings import Settings
from robustbench_eff.models import architectures
from robustbench_eff.registry import build_benchmark, build_model
from robustbench_eff.registry.open_benchmark import missing_data
from robustbench_eff.registry.perturbation import perturbations
from robustbench_eff.system import devices
from robustbench_eff.system.child_processes import safe_path

from .inputs import PROBE_NUM_CLASSES, missing_inputs
from .settings import TrainSettings
from .sweep_columns import column_flags, columns
from .sweep_spec import Summary, Sweep, differences, folder_name, summaries
from .train import train

RESULTS = "results.json"
"""File name of the results in the folder of a sweep."""
DATA_FIELDS = ("data", "validation", "unlabelled")
"""Fields of a training that hold locations on this machine, which are left out of the results."""


class Job(NamedTuple):
    """A training of a sweep."""

    row: str
    """Name of the row."""
    seed: int
    """Seed of the training."""


class Outcome(NamedTuple):
    """The result of a job."""

    passes: float
    """Forward and backward passes of the training per image."""
    values: dict[str, float]
    """Values by column, as fractions."""
    flags: dict[str, tuple[str, ...]]
    """Flags of the values by column."""


SweepCallback = Callable[[str, int, str], None]
"""Receives the row and the seed of every finished job, and `done` or the error message."""


@dataclass(slots=True)
class SweepResult:
    """The results of a sweep; all values are fractions."""

    sweep: Sweep
    """The rows, seeds and evaluations."""
    passes: dict[str, float] = field(default_factory=dict)
    """Forward and backward passes of a row's trainings per image."""
    values: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    """Values by row, seed and column."""
    failed: dict[str, dict[int, str]] = field(default_factory=dict)
    """Error messages by row and seed."""
    flags: dict[str, dict[int, dict[str, tuple[str, ...]]]] = field(default_factory=dict)
    """Flags of the values by row, seed and column; without those that have none."""

    @property
    def means(self) -> dict[str, dict[str, Summary]]:
        """Means over the seeds by row and column."""
        return summaries(self.values)

    @property
    def differences(self) -> dict[str, dict[str, Summary]]:
        """Mean differences from the baseline with the same seed, by row and column."""
        return differences(self.values, self.sweep.compared_with)

    def text(self) -> str:
        """Return everything as JSON."""

        def plain(table: dict[str, dict[str, Summary]]) -> dict[str, dict[str, Any]]:
            return {
                row: {column: dataclasses.asdict(summary) for column, summary in columns.items()}
                for row, columns in table.items()
            }

        content = {
            "title": self.sweep.title,
            "expected": self.sweep.expected,
            "baseline": self.sweep.compared_with,
            "recipes": self.sweep.recipes(),
            "train": {key: value for key, value in self.sweep.train.items() if key not in DATA_FIELDS},
            "passes_per_image": self.passes,
            "values": self.values,
            "means": plain(self.means),
            "differences": plain(self.differences),
            "failed": self.failed,
            "flags": self.flags,
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def run_sweep(
    sweep: Sweep,
    out: Path,
    workers: int = 1,
    on_job: SweepCallback | None = None,
    *,
    trust_code: bool = False,
) -> SweepResult:
    """Train and evaluate everything that is not finished yet, and write OUT/results.json.

    The sweep continues when a training fails.

    Args:
        sweep: Rows, seeds and evaluations.
        out: Folder of the sweep, with one folder per training.
        workers: Number of trainings that run at the same time, at least 1.
        on_job: Called after every job.
        trust_code: Run the programs that the sweep names as an architecture, an attack or a model.

    Returns:
        The results, including the error messages of failed jobs.

    Raises:
        UsageError: A setting is wrong, an input is missing, a text has an unknown name or field (SpecError,
            MissingInputs), or the sweep names a program and is not trusted; before any work.
        StoreError: The results cannot be written.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1, got {workers}.")
    recipes = sweep.recipes()
    jobs = {
        Job(row, seed): replace(_settings(sweep, text, out / folder_name(row, seed), seed), trust_code=trust_code)
        for seed in sweep.seeds
        for row, text in recipes.items()
    }
    _check(sweep, list(jobs.values()))
    with reporting_os_errors(out):
        make_folder(out)
    result = _collect(sweep, _run_jobs(jobs, sweep, workers), on_job)
    with store_errors(out):
        atomic_write(out / RESULTS, result.text().encode())
    return result


def _collect(
    sweep: Sweep, outcomes: Iterator[tuple[Job, Callable[[], Outcome]]], on_job: SweepCallback | None
) -> SweepResult:
    result = SweepResult(sweep)
    values: dict[Job, dict[str, float]] = {}
    for job, get_outcome in outcomes:
        try:
            outcome = get_outcome()
            result.passes[job.row], values[job] = outcome.passes, outcome.values
            if outcome.flags:
                result.flags.setdefault(job.row, {})[job.seed] = outcome.flags
            message = "done"
        except (RobustEvalError, RuntimeError, AssertionError) as error:  # also of torch, timm and lost workers
            message = error.message if isinstance(error, RobustEvalError) else f"{type(error).__name__}: {error}"
            result.failed.setdefault(job.row, {})[job.seed] = message
        if on_job is not None:
            on_job(job.row, job.seed, message)
    result.values = {
        row: {seed: values[Job(row, seed)] for seed in sweep.seeds if Job(row, seed) in values}
        for row in sweep.recipes()
    }
    return result


def _run_jobs(
    jobs: Mapping[Job, TrainSettings], sweep: Sweep, workers: int
) -> Iterator[tuple[Job, Callable[[], Outcome]]]:
    """Every job as it finishes, and a function that returns its outcome or raises its error.

    A single worker is this process.
    """
    if workers == 1:
        for job, settings in jobs.items():
            yield job, partial(train_and_evaluate, settings, sweep)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    with safe_path():
        futures = {pool.submit(train_and_evaluate, settings, sweep): job for job, settings in jobs.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:  # otherwise they would finish their job and take the next one
            process.terminate()
        raise
    pool.shutdown()


def train_and_evaluate(settings: TrainSettings, sweep: Sweep) -> Outcome:
    """Train a network and evaluate it.

    Args:
        settings: Settings of the training.
        sweep: Benchmarks and perturbations of the evaluation.

    Raises:
        RobustEvalError: The training or the evaluation failed.
    """
    card = train(settings)
    values: dict[str, float] = {}
    flags: dict[str, tuple[str, ...]] = {}
    for part in sweep.evaluate:
        options = Settings(
            benchmarks=part.benchmarks,
            attacks=part.perturbations,
            data=sweep.data,
            limit=sweep.limit,
            store=settings.out / "store",
            device=settings.device,
            trust_code=settings.trust_code,
        )
        result = evaluate(str(settings.out), settings=options)
        result.check()
        values |= columns(result.scores)
        flags |= column_flags(result.scores)
    return Outcome(card.passes_per_sample, values, flags)


def _settings(sweep: Sweep, defense: str, out: Path, seed: int) -> TrainSettings:
    fields = dict(sweep.train)
    data = fields.pop("data", {})
    if not isinstance(data, dict):
        raise UsageError(f"train: data must map names to places, got {data!r}.")
    given = {"data": data, "defense": defense, "out": out, "seed": seed}
    own = {"named_in": f"Sweep {sweep.title!r}", "trust_code": False}  # not for the file to say
    return spec.build(TrainSettings, spec.Spec("train", fields), **given, **own)


def _check(sweep: Sweep, settings_of_jobs: list[TrainSettings]) -> None:
    """Parse and resolve everything once before any training."""
    missing: list[Missing] = []
    for settings in settings_of_jobs:
        settings.plan(settings.recipe.passes)
        _ = settings.validation_attack_text
        missing += missing_inputs(settings)
    first = settings_of_jobs[0]
    architectures.build(first.arch, PROBE_NUM_CLASSES, first.origin)
    devices.resolve_device(first.device)
    for part in sweep.evaluate:
        for change in perturbations(part.perturbations, first.origin):
            if change.transfer_from is not None:
                missing += build_model.missing(first.request(change.transfer_from))
        for name in part.benchmarks:
            benchmark = build_benchmark.benchmark(name, sweep.data.get(name))
            missing += missing_data(benchmark, locations.place(benchmark, sweep.data))
    if missing:
        raise MissingInputs(list(dict.fromkeys(missing)))
