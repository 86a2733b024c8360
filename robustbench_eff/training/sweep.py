"""`run_sweep`: every row of a sweep trained and evaluated with every seed, in several processes; resumable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from robustbench_eff.benchmarks import locations
from robustbench_eff.core import spec
from robustbench_eff.core.disk import atomic_write
from robustbench_eff.core.errors import Missing, MissingInputs, RobustEvalError, UsageError
from robustbench_eff.evaluation.evaluate import evaluate
from robustbench_eff.evaluation.plan import CLEAN
from robustbench_eff.evaluation.settings import Settings
from robustbench_eff.models import architectures
from robustbench_eff.registry import build, build_benchmark, perturbation_text
from robustbench_eff.registry.open_benchmark import missing_data
from robustbench_eff.scores.score import Score
from robustbench_eff.system import devices

from .settings import TrainSettings
from .sweep_spec import Summary, Sweep, differences, folder_name, summaries
from .train import missing, train

RESULTS = "results.json"
DATA_FIELDS = ("data", "validation", "unlabelled")
"""Fields of a training that say where images are, which is nobody else's matter."""
MEASURED = ("accuracy", "robust_accuracy", "shape_bias")

Job = tuple[str, int]
"""A row and a seed."""
Outcome = tuple[float, dict[str, float]]
"""Passes for each image, and the values of columns."""
SweepCallback = Callable[[str, int, str], None]
"""Hears of every row and seed that is done, and how it went."""


@dataclass(slots=True)
class SweepResult:
    """Fractions."""

    sweep: Sweep
    passes: dict[str, float] = field(default_factory=dict)
    """Forward and backward passes of a row's trainings for each image."""
    values: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    failed: dict[str, dict[int, str]] = field(default_factory=dict)
    """Rows and seeds that have no values, and why."""

    @property
    def means(self) -> dict[str, dict[str, Summary]]:
        return summaries(self.values)

    @property
    def differences(self) -> dict[str, dict[str, Summary]]:
        """From the baseline with the same seed."""
        return differences(self.values, self.sweep.compared_with)

    def text(self) -> str:
        """Everything as JSON."""

        def plain(table: dict[str, dict[str, Summary]]) -> dict[str, dict[str, Any]]:
            return {row: {key: dataclasses.asdict(each) for key, each in found.items()} for row, found in table.items()}

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
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def run_sweep(sweep: Sweep, out: Path, workers: int = 1, telling: SweepCallback | None = None) -> SweepResult:
    """Train and evaluate what is not there yet, `workers` trainings at a time, and write OUT/results.json.

    A training that fails is noted and the others go on. Raises UsageError, SpecError and the like for what cannot be
    trained or evaluated, before any work.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1, got {workers}.")
    recipes = sweep.recipes()
    jobs = {
        (row, seed): _settings(sweep, text, out / folder_name(row, seed), seed)
        for seed in sweep.seeds
        for row, text in recipes.items()
    }
    _check(sweep, list(jobs.values()))
    result = SweepResult(sweep)
    done: dict[Job, dict[str, float]] = {}
    for (row, seed), outcome in _each(jobs, sweep, workers):
        try:
            result.passes[row], done[row, seed] = outcome()
            said = "done"
        except (RobustEvalError, RuntimeError, AssertionError) as error:  # also of torch, timm and lost workers
            said = error.message if isinstance(error, RobustEvalError) else f"{type(error).__name__}: {error}"
            result.failed.setdefault(row, {})[seed] = said
        if telling is not None:
            telling(row, seed, said)
    result.values = {row: {seed: done[row, seed] for seed in sweep.seeds if (row, seed) in done} for row in recipes}
    atomic_write(out / RESULTS, result.text().encode())
    return result


def _each(jobs: Mapping[Job, TrainSettings], sweep: Sweep, workers: int) -> Iterator[tuple[Job, Callable[[], Outcome]]]:
    """Every job as it is done, and what gives or raises what came of it; one worker is this process."""
    if workers == 1:
        for job, settings in jobs.items():
            yield job, partial(trained_and_evaluated, settings, sweep)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    futures = {pool.submit(trained_and_evaluated, settings, sweep): job for job, settings in jobs.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:  # they would go on with what they have begun, and take the next
            process.terminate()
        raise
    pool.shutdown()


def trained_and_evaluated(settings: TrainSettings, sweep: Sweep) -> Outcome:
    """The passes of a training for each image, and the value of every column."""
    card = train(settings)
    values: dict[str, float] = {}
    for part in sweep.evaluate:
        options = Settings(
            benchmarks=part.benchmarks,
            attacks=part.perturbations,
            data=sweep.data,
            limit=sweep.limit,
            store=settings.out / "store",
            device=settings.device,
        )
        values |= columns(evaluate(str(settings.out), settings=options).scores)
    return card.passes_per_sample, values


def columns(scores: list[Score]) -> dict[str, float]:
    """Accuracies by benchmark and perturbation, those under corruptions as one mean, and shape biases."""
    found: dict[str, float] = {}
    corrupted: dict[str, list[float]] = {}
    for score in scores:
        if score.metric not in MEASURED or score.value is None or score.perturbation.startswith("worst of"):
            continue
        clean = score.perturbation in ("none", CLEAN)
        if score.metric == "shape_bias":
            found[f"{score.benchmark}, shape bias"] = score.value
        elif not clean and perturbation_text.kind(score.perturbation) == "corruption":
            corrupted.setdefault(score.benchmark, []).append(score.value)
        elif clean or perturbation_text.kind(score.perturbation) == "attack":
            found[score.benchmark if clean else f"{score.benchmark}, {score.perturbation}"] = score.value
    for benchmark, values in corrupted.items():
        found[f"{benchmark}, mean of {len(values)} corruptions"] = sum(values) / len(values)
    return found


def _settings(sweep: Sweep, defense: str, out: Path, seed: int) -> TrainSettings:
    fields = dict(sweep.train)
    data = fields.pop("data", {})
    if not isinstance(data, dict):
        raise UsageError(f"train: data must map names to places, got {data!r}.")
    return spec.build(TrainSettings, spec.Spec("train", fields), data=data, defense=defense, out=out, seed=seed)


def _check(sweep: Sweep, jobs: list[TrainSettings]) -> None:
    """Everything that can be read wrong is read once before anything is trained."""
    absent: list[Missing] = []
    for settings in jobs:
        settings.plan(build.defense(settings.defense).passes)
        _ = settings.validation_attack_text
        absent += missing(settings)
    architectures.build(jobs[0].arch, 10)
    devices.resolve_device(jobs[0].device)
    for part in sweep.evaluate:
        for text in perturbation_text.expand_sets(part.perturbations):
            if text != CLEAN:
                build.perturbation_text(text)
        for name in part.benchmarks:
            benchmark = build_benchmark.benchmark(name, sweep.data.get(name))
            absent += missing_data(benchmark, locations.place(benchmark, sweep.data))
    if absent:
        raise MissingInputs(list(dict.fromkeys(absent)))
