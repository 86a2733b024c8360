"""Everything a run needs, checked before any work: all that is missing is found at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.core.errors import Missing, MissingInputs, UsageError
from robustbench_eff.models import resolve as zoo
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.load_classifier import Model
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build, build_benchmark, perturbation_text
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.open_benchmark import missing_data

from .open_images import files_there, missing_files, open_clean, open_files
from .plan import CLEAN
from .settings import Settings

ModelOrRequest = ModelRequest | Classifier
"""A model that is not loaded yet, where loading is expensive, or one that is."""


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """What survived the checks, and what did not."""

    subjects: list[tuple[ModelOrRequest, list[Benchmark]]]
    surrogates: dict[str, ModelRequest]
    """Models that attacks are found on but that are not judged, by name."""
    opened: dict[str, LabelledImages]
    """The clean images of every benchmark, by name: listed, not decoded. Published sets may have none."""
    published: dict[tuple[str, str], LabelledImages]
    """The files of every perturbation of a published set, by its name and the perturbation's text."""
    missing: list[Missing]


def check(models: Sequence[Model], settings: Settings, device: str) -> PreflightResult:
    """Find what is missing; MissingInputs with all of it, unless `skip_missing` leaves something to do."""
    suite = build_benchmark.suite(settings.suite)
    of_models: dict[str, list[Missing]] = {}
    surrogates: dict[str, ModelRequest] = {}
    for text in perturbation_text.expand_sets(
        settings.explicit_perturbations or [text for part in suite.parts for text in part.perturbations]
    ):
        name = None if text == CLEAN else _surrogate(text)
        if name is not None and name not in surrogates:
            request = ModelRequest(name=name)
            if lacking := zoo.missing(request):
                of_models[name] = lacking
            else:
                surrogates[name] = request
    subjects: list[tuple[ModelOrRequest, list[Benchmark]]] = []
    of_benchmarks: dict[str, list[Missing]] = {}
    published: dict[str, list[str]] = {}
    for model in models:
        subject, lacking = _subject(model, device)
        if lacking:
            of_models[subject.name] = lacking
        names = dict.fromkeys(settings.benchmarks or _own_benchmarks(subject, suite.benchmarks(), settings.data))
        benchmarks = []
        for name in names:
            benchmark = build_benchmark.benchmark(name, locations.location(name, settings.data))
            benchmarks.append(benchmark)
            texts = settings.explicit_perturbations or suite.perturbations(name)
            if not texts:
                raise UsageError(f"Suite {settings.suite} says nothing about {name}.", "Add it, or a part for `any`.")
            if name not in of_benchmarks:
                of_benchmarks[name], published[name] = _images(benchmark, perturbations(texts), settings)
        found = [
            benchmark
            for benchmark in benchmarks
            if not of_benchmarks[benchmark.name] or (settings.skip_missing and published[benchmark.name])
        ]
        if not lacking and found:
            subjects.append((subject, found))
    lacking_at_all = [item for found in (of_models, of_benchmarks) for items in found.values() for item in items]
    absent = list(dict.fromkeys(lacking_at_all))
    if absent and not (settings.skip_missing and subjects):
        without_data = [name for name, items in of_benchmarks.items() if items]
        raise MissingInputs(absent, _local_commands(models, of_models, without_data, settings))
    wanted = {benchmark.name: benchmark for _, benchmarks in subjects for benchmark in benchmarks}
    opened = {
        name: images
        for name, benchmark in wanted.items()
        if (images := open_clean(benchmark, settings.data)) is not None
    }
    files = {
        (name, text): open_files(benchmark, str(locations.place(benchmark, settings.data)), text)
        for name, benchmark in wanted.items()
        for text in published[name]
    }
    return PreflightResult(subjects, surrogates, opened, files, absent)


def _images(benchmark: Benchmark, texts: Sequence[str], settings: Settings) -> tuple[list[Missing], list[str]]:
    """What is missing of a benchmark's images, and of a published set the perturbations that can be read."""
    place = locations.place(benchmark, settings.data)
    if benchmark.layout is None:
        return missing_data(benchmark, place), []
    return missing_files(benchmark, place, texts), files_there(benchmark, place, texts)


def perturbations(texts: Iterable[str]) -> list[str]:
    """Canonical texts without repetition, clean first."""
    texts = perturbation_text.expand_sets(texts)
    return list(dict.fromkeys([CLEAN, *(text if text == CLEAN else build.perturbation_text(text) for text in texts)]))


def _surrogate(text: str) -> str | None:
    """The name of the model an attack is found on; SpecError for a perturbation that cannot be built."""
    build.perturbation_text(text)
    return perturbation_text.surrogate(text)[1]


def _subject(model: Model, device: str) -> tuple[ModelOrRequest, list[Missing]]:
    """A classifier on the device, or a request with what it lacks."""
    if isinstance(model, Classifier):
        return model.to(device), []
    request = ModelRequest(name=model) if isinstance(model, str) else model
    return request, zoo.missing(request)


def _own_benchmarks(subject: ModelOrRequest, offered: Sequence[str], data: Mapping[str, str]) -> list[str]:
    """The offered benchmarks of the model's label space, published ones only where their files are, and the user's own
    sets named in `data`."""
    space = subject.provenance.label_space if isinstance(subject, Classifier) else zoo.expected_label_space(subject)
    benchmarks = [build_benchmark.benchmark(name, data.get(name)) for name in offered]
    there = [item for item in benchmarks if item.layout is None or locations.location(item.name, data) is not None]
    same = [benchmark.name for benchmark in there if benchmark.label_space == space]
    own = [name for name in data if name not in BENCHMARKS or space == "custom"]
    if not (same or own):
        raise UsageError(
            f"{subject.name}: no benchmark of the suite has its label space ({space}).",
            "Name one with --benchmark NAME, and its images with --data NAME=PATH.",
        )
    return same + own


def _local_commands(
    models: Sequence[Model], lacking: Mapping[str, list[Missing]], without_data: Sequence[str], settings: Settings
) -> str:
    """The commands with everything that is missing given as local files; models that need a file get one each."""
    requests = [
        ModelRequest(name=model) if isinstance(model, str) else model
        for model in models
        if not isinstance(model, Classifier)
    ]
    tail = _setting_words(settings, without_data)
    commands = []
    for request in requests:
        options = {item.option for item in lacking.get(request.name, [])}
        if "" not in options:
            commands.append(["robust-eval", "--model", request.name, *_model_words(request, bool(options)), *tail])
    return "\n  ".join(shlex.join(command) for command in commands)


def _model_words(request: ModelRequest, needs_file: bool) -> list[str]:
    """The options of a model as they were given, with FILE for weights that are missing."""
    weights = "FILE" if needs_file else request.weights
    single = {
        "--weights": weights,
        "--num-classes": request.num_classes,
        "--mean": None if request.mean is None else ",".join(f"{value:g}" for value in request.mean),
        "--std": None if request.std is None else ",".join(f"{value:g}" for value in request.std),
        "--input-size": request.input_size,
        "--geometry": request.geometry,
    }
    words = [word for option, value in single.items() if value is not None for word in (option, str(value))]
    words += [word for key, value in request.model_args.items() for word in ("--model-arg", f"{key}={value}")]
    return [*words, *(["--trust-checkpoint"] if request.trust_checkpoint else [])]


def _setting_words(settings: Settings, without_data: Sequence[str]) -> list[str]:
    """The options of the run that were given, with PATH for images that are missing."""
    words: list[str] = []
    for option in ("benchmark", "attack", "corruption"):
        words += [word for value in getattr(settings, f"{option}s") for word in (f"--{option}", value)]
    for name, place in {**settings.data, **dict.fromkeys(without_data, "PATH")}.items():
        words += ["--data", f"{name}={place}"]
    for field in fields(settings):
        value, option = getattr(settings, field.name), f"--{field.name.replace('_', '-')}"
        if field.name in ("benchmarks", "attacks", "corruptions", "data") or str(value) == str(field.default):
            continue
        words += [option] if value is True else [option, str(value)]
    return words
