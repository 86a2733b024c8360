"""Everything a run needs, checked before any work: all that is missing is found at once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from torch import nn

from robustbench_eff import catalog
from robustbench_eff.benchmarks import locations, sources
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.classifier import Classifier
from robustbench_eff.errors import Missing, MissingInputs, UsageError
from robustbench_eff.plan import CLEAN
from robustbench_eff.zoo import load as zoo
from robustbench_eff.zoo.request import ModelRequest

from .models import from_module
from .settings import Settings

Model = str | nn.Module | ModelRequest
Subject = ModelRequest | Classifier
"""A model that is not loaded yet, where loading is expensive, or one that is."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What survived the checks, and what did not."""

    subjects: list[tuple[Subject, list[Benchmark]]]
    missing: list[Missing]


def check(models: Sequence[Model], settings: Settings, device: str) -> Ready:
    """Find what is missing; MissingInputs with all of it, unless `skip_missing` leaves something to do."""
    suite = catalog.suite(settings.suite)
    for text in (*settings.attacks, *(text for part in suite.parts for text in part.perturbations)):
        if text != CLEAN:
            catalog.attack(text)
    subjects: list[tuple[Subject, list[Benchmark]]] = []
    of_models: dict[str, list[Missing]] = {}
    of_benchmarks: dict[str, list[Missing]] = {}
    for model in models:
        subject, lacking = _subject(model, device)
        if lacking:
            of_models[subject.name] = lacking
        names = settings.benchmarks or _own_benchmarks(subject, suite.benchmarks(), settings.data)
        benchmarks = [catalog.benchmark(name, settings.data) for name in names]
        for benchmark in benchmarks:
            place = locations.location(benchmark.name, settings.data)
            of_benchmarks.setdefault(benchmark.name, sources.missing(benchmark.name, benchmark, place))
        found = [benchmark for benchmark in benchmarks if not of_benchmarks[benchmark.name]]
        if not lacking and found:
            subjects.append((subject, found))
    absent = [item for found in (of_models, of_benchmarks) for items in found.values() for item in items]
    if absent and not (settings.skip_missing and subjects):
        without_data = [name for name, items in of_benchmarks.items() if items]
        raise MissingInputs(absent, _local_commands(models, of_models.keys(), without_data, settings))
    return Ready(subjects, absent)


def _subject(model: Model, device: str) -> tuple[Subject, list[Missing]]:
    """A classifier where that needs no download and only loading tells its classes; else the request."""
    if isinstance(model, Classifier):
        return model.to(device), []
    if isinstance(model, nn.Module):
        return from_module(model, ModelRequest(name=type(model).__name__)).to(device), []
    request = ModelRequest(name=model) if isinstance(model, str) else model
    lacking = zoo.missing(request)
    if not lacking and zoo.expected_label_space(request) is None:
        return zoo.load(request, device), []
    return request, lacking


def _own_benchmarks(subject: Subject, offered: Sequence[str], data: Mapping[str, str]) -> list[str]:
    """The offered benchmarks of the model's label space, and the user's own sets named in `data`."""
    if isinstance(subject, Classifier):
        space: str | None = subject.provenance.label_space
    else:
        space = zoo.expected_label_space(subject)
    same = [name for name in offered if catalog.benchmark(name, data).label_space == space]
    own = [name for name in data if name not in catalog.BENCHMARKS or space in ("custom", None)]
    if not (same or own):
        raise UsageError(
            f"{subject.name}: no benchmark of the suite has its label space ({space or 'unknown'}).",
            "Name one with --benchmark NAME, and its images with --data NAME=PATH.",
        )
    return same + own


def _local_commands(models: Sequence[Model], lacking: Set[str], without_data: Sequence[str], settings: Settings) -> str:
    """The commands with everything that is missing given as local files; models with a file get one each."""
    tail: list[str] = []
    for name in settings.benchmarks:
        tail += ["--benchmark", name]
    for name, place in settings.data.items():
        tail += ["--data", f"{name}={place}"] if name not in without_data else []
    for name in without_data:
        tail += ["--data", f"{name}=PATH"]
    names = [model if isinstance(model, str) else model.name for model in models if not isinstance(model, nn.Module)]
    commands = [["robust-eval", "--model", name, "--weights", "FILE", *tail] for name in names if name in lacking]
    if together := [word for name in names if name not in lacking for word in ("--model", name)]:
        commands.append(["robust-eval", *together, *tail])
    return "\n  ".join(shlex.join(command) for command in commands)
