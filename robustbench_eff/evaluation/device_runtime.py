"""DeviceRuntime: the models, images and perturbations of a run on one device, paired into cells."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Lock

import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.errors import EvaluationError, UsageError
from robustbench_eff.core.progress import ProgressCallback, ignore_progress
from robustbench_eff.core.types import Pixels
from robustbench_eff.models.adaptation.adapted_network import adapted
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry import build_model
from robustbench_eff.registry.build_adaptation import adaptation
from robustbench_eff.registry.load_classifier import Model
from robustbench_eff.system import devices

from .adapted_cells import evaluable_cells, stream_of
from .answers import ModelAnswers
from .failures import FailedShard, attempt_shard
from .gradient_needs import Asked, refuse_gradients
from .identify_cell import cell_of
from .model_cache import LoadedModel, ModelCache
from .plan import CellRuntime, Plan, PlannedCell, Queried, Task
from .prefetch import arrived, fetched
from .preflight import ModelOrRequest, check
from .query_interface import draws_of, open_oracle, open_smoothed, referee_batch_size, shard_size, votes_of
from .recognise import check_planned
from .repeatable import repeatable
from .requested_images import Origin, RequestedImages, applied_to
from .resolve_cells import RequestedCell, all_opened, check_classes, clean_positions, requested_cells
from .seen_classes import seen_by
from .settings import Settings
from .shard_columns import ShardColumns
from .shard_sizes import shard_sizes

RECENT_TASKS = 16
"""Number of tasks whose start is remembered, so that nothing is prefetched for them; a worker has a few at a time."""


class DeviceRuntime:
    """A device with the models and images of a run.

    The same arguments make the same plan on every machine, or an error that says what differs. Nothing is loaded before
    `plan` or `work`; what was loaded is kept as long as it fits into memory.
    """

    def __init__(
        self, models: Sequence[Model], settings: Settings, device: str, threads: int | None = None, run_id: str = ""
    ) -> None:
        """Check that everything is available.

        Args:
            models: Names, requests or classifiers.
            settings: The options of the run.
            device: Torch device of this runtime.
            threads: Largest number of CPU threads; None for all cores.
            run_id: Name of the run, part of the identity of models that cannot be hashed completely.

        Raises:
            MissingInputs: As `preflight.check`.
            UsageError: As `preflight.check`.
        """
        self._settings, self._device, self._threads, self._run_id = settings, device, threads, run_id
        self._ready = check(models, settings, device)
        self._adaptation = None if settings.adapt is None else adaptation(settings.adapt)
        self._requested = evaluable_cells(requested_cells(self._ready), self._adaptation)
        self._models = ModelCache()
        self._images = RequestedImages(self._ready, settings.sample or settings.limit)
        self._in_use: dict[tuple[int, Origin], ImageSet] = {}
        """Image sets by model and origin."""
        self._draws: dict[tuple[str, str], int | None] = {}
        """Draws of a gradient by the digest of the attacked network and the benchmark."""
        self._progress: ProgressCallback = ignore_progress
        self._current: tuple[int, CellRuntime] | None = None
        self._loader = ThreadPoolExecutor(1, "fetch", initializer=devices.use, initargs=(device,))
        self._prefetched: dict[tuple[int, int], Future[Pixels]] = {}
        """Images on their way to the device, by cell and first sample."""
        self._started: deque[tuple[int, int]] = deque(maxlen=RECENT_TASKS)
        """The tasks that were started last: it is too late to prefetch for them."""
        self._prefetching = Lock()

    def plan(self, progress: ProgressCallback = ignore_progress) -> Plan:
        """Return every cell of the run; the clean cell of a model and benchmark comes first.

        All models, surrogates too, are loaded and matched with the classes of their benchmarks before the first image
        is decoded.

        Args:
            progress: Told which benchmark is being decoded, how many images are done, and of how many.

        Raises:
            UsageError: A model does not know the classes of a benchmark, or there is nothing to evaluate.
            DataError: An image or label cannot be read.
            ModelError: A model cannot be loaded, or its answers depend on more than the image.
        """
        self._progress = progress
        self._check_models()
        planned: dict[str, PlannedCell] = {}
        clean: dict[tuple[int, str, str], CellRuntime] = {}
        answers = ModelAnswers()
        for index, requested in enumerate(self._requested):
            runtime, perturbation = self._runtime(index), requested.perturbation
            subject = (requested.model, requested.benchmark.name)
            if perturbation.kind in ("none", "certificate"):
                clean[*subject, perturbation.text] = runtime
            answers.ask(subject, runtime)
            cell = self._planned(index, runtime, clean.get((*subject, perturbation.after or "")))
            planned.setdefault(runtime.cell.id, cell)  # the same model or benchmark may be named twice
        if not planned:
            source = next(str(row.source_benchmark) for model in self._ready.models for row in model.benchmarks)
            raise UsageError(
                "There is nothing to evaluate: published files are corrupted, and no clean images were given.",
                f"Add --data {source}=PATH of the clean images for clean accuracy, or name corruptions.",
            )
        hardware = devices.describe(self._device)
        return Plan(
            cells=list(planned.values()), missing=self._ready.missing, hardware=hardware, answers=answers.collected()
        )

    def fetch(self, task: Task) -> None:
        """Start to copy the images of a task to the device, if they are decoded; any thread may call it.

        Args:
            task: A task that `work` will be called with soon.
        """
        if task.cell_index >= len(self._requested):
            return  # `work` reports it
        requested = self._requested[task.cell_index]
        images = self._in_use.get((requested.model, self._images.origin(requested)))
        if images is None or stream_of(self._adaptation) is not None or requested.perturbation.kind == "sequence":
            return
        key = (task.cell_index, int(task.rows[0]))
        with self._prefetching:
            if key not in self._started:
                self._prefetched[key] = self._loader.submit(fetched, images, task.rows, torch.device(self._device))

    def work(self, task: Task) -> ShardColumns | FailedShard:
        """Evaluate a shard and return its outcomes, or why there are none.

        Args:
            task: A task of the plan.

        Raises:
            EvaluationError: The cell would be another one here, with other weights, images or versions.
            ModelError: The model was changed.
        """
        if task.cell_index >= len(self._requested):
            raise EvaluationError(f"A worker lacks what {task.cell.perturbation} on {task.cell.benchmark} needs.")
        runtime = self._runtime(task.cell_index)
        check_planned(runtime.cell, task.cell)
        with self._prefetching:
            key = (task.cell_index, int(task.rows[0]))
            self._started.append(key)
            coming = self._prefetched.pop(key, None)
        pixels = None if coming is None else arrived(coming)
        long_side = runtime.classifier.preprocessing.geometry.long_side
        with devices.threads(long_side, self._threads), repeatable(runtime, task):
            return attempt_shard(runtime, task, pixels)

    def _check_models(self) -> None:
        for index, model in enumerate(self._ready.models):
            for benchmark in model.benchmarks:
                for opened in all_opened(self._ready, benchmark):
                    classifier = self._loaded(index).classifier
                    check_classes(classifier, self._as_seen_by(classifier, benchmark), opened)
            refuse_gradients(
                Asked(item.perturbation, (self._surrogate(item) or self._loaded(index)).classifier)
                for item in self._requested
                if item.model == index
            )

    def _planned(self, index: int, runtime: CellRuntime, clean: CellRuntime | None) -> PlannedCell:
        same_images = clean is None or clean.images is runtime.images
        attack, perturbation = runtime.attack, runtime.perturbation
        sizes = shard_sizes(runtime, self._settings, self._device)
        return PlannedCell(
            cell_index=index,
            cell=runtime.cell,
            provenance=runtime.classifier.provenance,
            num_classes=runtime.classifier.num_classes,
            clean=None if clean is None else clean.cell.id,
            clean_rows=None if clean is None or same_images else clean_positions(runtime.images, clean.images),
            passes=runtime.passes,
            supports_early_stop=perturbation.kind not in ("sequence", "certificate")
            and (attack is None or math.isfinite(attack.threat.eps)),
            shard_size=sizes.largest,
            first_shard=sizes.first,
            per_shard_randomness=runtime.per_shard_randomness,
            query_mode="" if runtime.oracle is None else runtime.oracle.query_mode,
            assumed=(*runtime.images.assumed, *perturbation.assumed),
        )

    def _runtime(self, index: int) -> CellRuntime:
        """A cell with its objects; the last one is kept."""
        if self._current is None or self._current[0] != index:
            self._current = index, self._bound(self._requested[index])
        return self._current[1]

    def _bound(self, requested: RequestedCell) -> CellRuntime:
        """A requested cell with its classifier, its images and what the attack queries."""
        loaded = self._loaded(requested.model)
        requested = requested._replace(benchmark=self._as_seen_by(loaded.classifier, requested.benchmark))
        images = self._images.get(requested, loaded.classifier.preprocessing, self._progress)
        self._in_use[requested.model, self._images.origin(requested)] = images
        perturbation = applied_to(requested, images)
        queried = self._queried(requested, loaded, images)
        settings, device = self._settings, self._device
        return CellRuntime(
            cell=cell_of(queried, images, perturbation, settings.seed, self._run_id, self._adaptation),
            queried=queried,
            images=images,
            perturbation=perturbation,
            batches=loaded.batches("judged", referee_batch_size(loaded.classifier, settings, device)),
            shards=loaded.batches("evaluated", shard_size(loaded.classifier, settings, device)),
            adaptation=self._adaptation,
        )

    def _as_seen_by(self, classifier: Classifier, benchmark: Benchmark) -> Benchmark:
        return seen_by(classifier, benchmark, next(iter(all_opened(self._ready, benchmark)), None))

    def _queried(self, requested: RequestedCell, loaded: LoadedModel, images: ImageSet) -> Queried:
        """The classifier with the benchmark's classes for outputs, and the network that an attack queries."""
        benchmark, perturbation = requested.benchmark, requested.perturbation
        surrogate = self._surrogate(requested)
        classes = ""
        if benchmark.class_map is not None:
            classes = benchmark.class_map().digest
            loaded = loaded.with_class_map(benchmark)
            surrogate = None if surrogate is None else surrogate.with_class_map(benchmark)
        is_voted = not (perturbation.kind == "sequence" or perturbation.smoothing or stream_of(self._adaptation))
        votes = votes_of(loaded.classifier, self._settings, len(images)) if is_voted else None
        if perturbation.kind != "attack":
            return Queried(classifier=loaded.classifier, classes=classes, votes=votes)
        if perturbation.smoothing is not None:
            soft = open_smoothed(loaded.classifier, perturbation.smoothing, self._settings, self._device)
            return Queried(classifier=loaded.classifier, classes=classes, oracle=soft)
        attacked = surrogate or loaded
        oracle, precision = attacked.oracle(partial(open_oracle, settings=self._settings, device=self._device))
        oracle.draws = self._draws_of(requested, attacked.classifier, oracle, images)
        return Queried(
            classifier=loaded.classifier,
            classes=classes,
            oracle=oracle,
            precision="float32" if perturbation.is_adapted else precision,  # other libraries query the plain network
            surrogate=None if surrogate is None else surrogate.classifier,
            votes=votes,
            draws=oracle.draws,
        )

    def _draws_of(
        self, requested: RequestedCell, classifier: Classifier, oracle: Oracle, images: ImageSet
    ) -> int | None:
        """The draws of a gradient of the attacked network, chosen once for each benchmark."""
        key = classifier.digest, requested.benchmark.name
        if key not in self._draws:
            self._draws[key] = draws_of(classifier, oracle, self._settings, images)
        return self._draws[key]

    def _loaded(self, index: int) -> LoadedModel:
        model = self._ready.models[index].model
        return self._models.get_or_load(str(index), partial(self._load, model))

    def _load(self, model: ModelOrRequest) -> Classifier:
        classifier = model if isinstance(model, Classifier) else build_model.load(model, self._device)
        return classifier if self._adaptation is None else adapted(classifier, self._adaptation.component)

    def _surrogate(self, requested: RequestedCell) -> LoadedModel | None:
        """The model that is attacked, at the size of the evaluated one; None where they are the same."""
        name = requested.perturbation.transfer_from
        if name is None:
            return None
        classifier = self._loaded(requested.model).classifier
        request = replace(self._ready.surrogates[name], input_size=classifier.preprocessing.geometry.size)
        surrogate = self._models.get_or_load(
            f"{name} at {request.input_size}", partial(build_model.load, request, self._device)
        )
        if surrogate.classifier.num_classes != classifier.num_classes:
            raise UsageError(
                f"{name} has {surrogate.classifier.num_classes} classes, {classifier.name} has "
                f"{classifier.num_classes}.",
                "A surrogate must know the same classes.",
            )
        if surrogate.classifier.preprocessing.channels != classifier.preprocessing.channels:
            raise UsageError(
                f"{name} takes images with {surrogate.classifier.preprocessing.channels} channels, {classifier.name} "
                f"with {classifier.preprocessing.channels}.",
                "A surrogate must take the same images.",
            )
        return surrogate
