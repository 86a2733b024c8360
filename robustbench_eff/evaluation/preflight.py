"""Everything a run needs, checked before any work: all that is missing is reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.core.code_origin import BY_USER, CodeOrigin
from robustbench_eff.core.errors import Missing, MissingInputs, UsageError
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.downloaded_weights import with_local_weights
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import benchmarks, build_benchmark, build_model
from robustbench_eff.registry.load_classifier import Model
from robustbench_eff.registry.open_benchmark import missing_data
from robustbench_eff.registry.perturbation import Perturbation, perturbations
from robustbench_eff.registry.perturbation_sets import expand_sets
from robustbench_eff.registry.suite import Suite
from robustbench_eff.registry.usual_radius import perturbations_on

from .images_sizes import usual_sizes, with_images_sizes
from .open_images import available, missing_files, open_files
from .own_images import check_same_order, in_stated_order, open_all_clean
from .settings import Settings
from .suggested_command import suggested_commands

ModelOrRequest = ModelRequest | Classifier
"""A model that is not loaded yet, because loading is expensive, or one that is."""


@dataclass(frozen=True, slots=True)
class RequestedModel:
    """A model and the benchmarks it is evaluated on."""

    model: ModelOrRequest
    benchmarks: list[Benchmark]


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """The models, images and perturbations that are available, and what is missing."""

    models: list[RequestedModel]
    surrogates: dict[str, ModelRequest]
    """Models on which attacks are found but that are not evaluated, by name."""
    perturbations: dict[str, list[Perturbation]]
    """The perturbations of every benchmark, by its name; the clean images come first."""
    opened: dict[str, LabelledImages]
    """The clean images of every benchmark, by name: listed, not decoded. Published sets may have none."""
    published: dict[tuple[str, str], LabelledImages]
    """The files of a published set, by the names of the benchmark and of the perturbation."""
    missing: list[Missing]


@dataclass(frozen=True, slots=True)
class _Missing:
    """What is missing, by whose it is."""

    of_models: dict[str, list[Missing]]
    of_benchmarks: dict[str, list[Missing]]

    def all(self) -> list[Missing]:
        groups = (*self.of_models.values(), *self.of_benchmarks.values())
        return list(dict.fromkeys(item for group in groups for item in group))


def check(models: Sequence[Model], settings: Settings, device: str) -> PreflightResult:
    """Resolve every name, and find out what is missing, without loading a model or decoding an image.

    Args:
        models: Names, requests or classifiers.
        settings: The options of the run.
        device: Torch device of the classifiers.

    Raises:
        MissingInputs: Weights, images or extras are missing, and `skip_missing` is not set or leaves nothing to do.
        UsageError: A name is unknown, or no benchmark of the suite fits a model.
        SpecError: A perturbation cannot be read.
    """
    requested = _requested_models(models, settings, device)
    named = {benchmark.name: benchmark for model in requested for benchmark in model.benchmarks}
    changes = _perturbations(named, settings)
    surrogates = _surrogates(changes, settings)
    published = {
        name: available(benchmark, locations.place(benchmark, settings.data), changes[name])
        for name, benchmark in named.items()
    }
    missing = _find_missing(requested, surrogates, changes, settings)
    left = [
        RequestedModel(model.model, _usable(model, missing, published, settings))
        for model in requested
        if not missing.of_models.get(model.model.name)
    ]
    left = [model for model in left if model.benchmarks]
    if missing.all() and not (settings.skip_missing and left):
        requests = [model.model for model in requested if isinstance(model.model, ModelRequest)]
        raise MissingInputs(
            missing.all(), suggested_commands(requests, missing.of_models, missing.of_benchmarks, settings)
        )
    left = [RequestedModel(_with_local_weights(model.model), model.benchmarks) for model in left]
    surrogates = {
        name: with_local_weights(request) for name, request in surrogates.items() if name not in missing.of_models
    }
    return _opened(left, changes, published, surrogates, missing, settings)


def _with_local_weights(model: ModelOrRequest) -> ModelOrRequest:
    return model if isinstance(model, Classifier) else with_local_weights(model)


def _requested_models(models: Sequence[Model], settings: Settings, device: str) -> list[RequestedModel]:
    """The models with the benchmarks they are to be evaluated on."""
    suite = build_benchmark.suite(settings.suite)
    requested = []
    for model in models:
        subject: ModelOrRequest = ModelRequest(name=model) if isinstance(model, str) else model
        if isinstance(subject, Classifier):
            subject = subject.placed(device)
        elif settings.trust_code:
            subject = replace(subject, trust_code=True)
        names = dict.fromkeys(settings.benchmarks or _own_benchmarks(subject, suite.benchmarks(), settings.data))
        rows = [build_benchmark.benchmark(name, locations.location(name, settings.data)) for name in names]
        requested.append(RequestedModel(subject, rows))
    return requested


def _own_benchmarks(model: ModelOrRequest, offered: Sequence[str], data: Mapping[str, str]) -> list[str]:
    """The offered benchmarks of the model's label space, and the user's own sets named in `data`.

    Published sets are only among them if their files are available. Where the user names own sets, the same holds for
    all others.
    """
    space = model.provenance.label_space if isinstance(model, Classifier) else build_model.expected_label_space(model)
    rows = [build_benchmark.benchmark(name, data.get(name)) for name in offered]
    local = [row for row in rows if row.layout is None or locations.location(row.name, data) is not None]
    own = [name for name in data if name not in benchmarks.BENCHMARKS or space == "custom"]
    same = [row.name for row in local if row.label_space == space and (not own or _is_located(row, data))]
    if not (same or own):
        if isinstance(model, ModelRequest) and (lacking := build_model.missing(model)):
            raise MissingInputs(lacking)
        raise UsageError(
            f"{model.name}: no benchmark of the suite has its label space ({space}).",
            "Name one with --benchmark NAME, and its images with --data NAME=PATH.",
        )
    return same + own


def _is_located(benchmark: Benchmark, data: Mapping[str, str]) -> bool:
    return benchmark.open_bundled is not None or locations.place(benchmark, data) is not None


def _perturbations(named: Mapping[str, Benchmark], settings: Settings) -> dict[str, list[Perturbation]]:
    """The perturbations of every benchmark; each text is read once."""
    if settings.explicit_perturbations:
        asked = settings.explicit_perturbations
        return {name: perturbations_on(asked, name, benchmark.usual_radii) for name, benchmark in named.items()}
    suite = build_benchmark.suite(settings.suite)
    texts = {name: _texts(suite, name, settings) for name in named}
    read = {group: perturbations(group, _origin(settings)) for group in set(map(tuple, texts.values()))}
    return {name: read[tuple(group)] for name, group in texts.items()}


def _texts(suite: Suite, benchmark: str, settings: Settings) -> list[str]:
    texts = suite.perturbations(benchmark)
    if not texts:
        raise UsageError(
            f"Suite {settings.suite} does not name {benchmark}.", "Add it to the suite, or a part for `any`."
        )
    return expand_sets(texts)


def _surrogates(changes: Mapping[str, Sequence[Perturbation]], settings: Settings) -> dict[str, ModelRequest]:
    names = [change.transfer_from for group in changes.values() for change in group if change.transfer_from]
    file = _origin(settings).file
    return {name: ModelRequest(name=name, named_in=file, trust_code=settings.trust_code) for name in names}


def _origin(settings: Settings) -> CodeOrigin:
    """Who wrote the texts of the perturbations."""
    return BY_USER if settings.explicit_perturbations else CodeOrigin(f"Suite {settings.suite}", settings.trust_code)


def _find_missing(
    requested: Sequence[RequestedModel],
    surrogates: Mapping[str, ModelRequest],
    changes: Mapping[str, Sequence[Perturbation]],
    settings: Settings,
) -> _Missing:
    """Everything that keeps models and benchmarks from being used; only cheap checks are made."""
    requests = {**surrogates, **{item.model.name: item.model for item in requested}}
    of_models = {
        name: build_model.missing(request) for name, request in requests.items() if isinstance(request, ModelRequest)
    }
    of_benchmarks = {}
    for benchmark in [benchmark for item in requested for benchmark in item.benchmarks]:
        path = locations.place(benchmark, settings.data)
        of_benchmarks[benchmark.name] = (
            missing_data(benchmark, path)
            if benchmark.layout is None
            else missing_files(benchmark, path, changes[benchmark.name])
        )
    return _Missing({name: items for name, items in of_models.items() if items}, of_benchmarks)


def _usable(
    model: RequestedModel, missing: _Missing, published: Mapping[str, Sequence[Perturbation]], settings: Settings
) -> list[Benchmark]:
    """The benchmarks of a model that can be evaluated: complete ones, with `skip_missing` parts of published ones."""
    return [
        benchmark
        for benchmark in model.benchmarks
        if not missing.of_benchmarks[benchmark.name] or (settings.skip_missing and published[benchmark.name])
    ]


def _opened(
    models: list[RequestedModel],
    changes: dict[str, list[Perturbation]],
    published: Mapping[str, Sequence[Perturbation]],
    surrogates: Mapping[str, ModelRequest],
    missing: _Missing,
    settings: Settings,
) -> PreflightResult:
    """List the images of every benchmark that will be evaluated."""
    wanted = {benchmark.name: benchmark for model in models for benchmark in model.benchmarks}
    clean = open_all_clean(wanted, settings)
    files = {
        (name, change.text): _open_files(benchmark, change, clean[name], settings)
        for name, benchmark in wanted.items()
        for change in published[name]
    }
    sizes = usual_sizes(wanted, clean)
    return PreflightResult(
        models=[
            RequestedModel(with_images_sizes(item.model, item.benchmarks, sizes), item.benchmarks) for item in models
        ],
        surrogates=dict(surrogates),
        perturbations=changes,
        opened={name: images for name, images in clean.items() if images is not None},
        published=files,
        missing=missing.all(),
    )


def _open_files(
    benchmark: Benchmark, change: Perturbation, clean: LabelledImages | None, settings: Settings
) -> LabelledImages:
    place = str(locations.place(benchmark, settings.data))
    opened = in_stated_order(benchmark, open_files(benchmark, place, change, clean), settings)
    if clean is not None and benchmark.num_classes is None:
        check_same_order(clean, opened)
    return opened
