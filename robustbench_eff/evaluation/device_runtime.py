"""Load the models, decode the images, and pair them with perturbations: all that has to do with a device."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields, replace
from functools import partial
from threading import Lock

import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.layouts.passthrough import Published, PublishedFrames
from robustbench_eff.benchmarks.lazy_images import prepare_published
from robustbench_eff.core.batching import out_of_memory
from robustbench_eff.core.errors import EvaluationError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.types import Attack, FrameGenerator, ImageCorruption, Pixels
from robustbench_eff.generation.output_folder import ignore_progress
from robustbench_eff.models import resolve as zoo
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.load_classifier import Model
from robustbench_eff.registry import build, build_attack, perturbation_text
from robustbench_eff.system import devices

from . import batch_sizes
from .model_cache import LoadedModel, ModelCache
from .plan import CLEAN, Cell, CellRuntime, Plan, PlannedCell, Task, cell_of
from .prefetch import fetched
from .preflight import ModelOrRequest, check
from .resolve_cells import all_opened, check_classes, clean_positions, jobs
from .settings import Settings
from .worker import ShardColumns, run_shard

WORKER_MISMATCH_HINT = (
    "All workers need the same weights, images and versions of packages; devices of several kinds need "
    "--precision float32, since with auto each takes what it is fastest in."
)
ProgressCallback = Callable[[str, int, int], None]
RECENT_TASKS = 16
"""Tasks after which none is asked for that was begun before them; a worker has a few at a time."""


class DeviceRuntime:
    """A device with the models and images of a run. The same arguments make the same plan on every machine, or an error
    that says what differs.

    Nothing is loaded before `plan` or `work`; what was loaded is kept as long as it fits (`ModelCache`).
    """

    def __init__(self, models: Sequence[Model], settings: Settings, device: str, threads: int | None = None) -> None:
        """`threads` are the most it may use, all cores unless said."""
        self._settings, self._device, self._threads = settings, device, threads
        self._ready = check(models, settings, device)
        self._jobs = jobs(self._ready, settings)
        self._models = ModelCache()
        self._prepared: dict[tuple[str, str, str], ImageSet] = {}
        """By benchmark, geometry and files."""
        self._seen: dict[tuple[int, str, str], ImageSet] = {}
        """The same by model, benchmark and files."""
        self._preparing: ProgressCallback = ignore_progress
        self._current: tuple[int, CellRuntime] | None = None
        self._loader = ThreadPoolExecutor(1, "fetch", initializer=devices.use, initargs=(device,))
        self._coming: dict[tuple[int, int], Future[Pixels]] = {}
        """Images that are being fetched, by job and first sample."""
        self._begun: deque[tuple[int, int]] = deque(maxlen=RECENT_TASKS)
        """Tasks that were begun last: it is too late to fetch for them."""
        self._fetching = Lock()

    def plan(self, preparing: ProgressCallback = ignore_progress) -> Plan:
        """Every cell of the run; the clean cell of a model and benchmark comes first.

        All models, surrogates too, are loaded and matched with the classes of their benchmarks before the first image
        is decoded.
        """
        self._preparing = preparing
        for number, (_, benchmarks) in enumerate(self._ready.subjects):
            for benchmark in benchmarks:
                for opened in all_opened(self._ready, benchmark):
                    check_classes(self._subject(number).classifier, benchmark, opened)
        for number, _, text in self._jobs:
            self._surrogate(number, text)
        planned: dict[str, PlannedCell] = {}
        clean: dict[tuple[int, str], CellRuntime] = {}
        for position, (number, benchmark, _) in enumerate(self._jobs):
            work = self._work(position)
            if work.is_clean:
                clean[number, benchmark.name] = work
            found = self._planned(position, work, clean.get((number, benchmark.name)))
            planned.setdefault(work.cell.id, found)  # the same model or benchmark may be named twice
        if not planned:
            raise UsageError(
                "There is nothing to evaluate: published files are corrupted, and no clean images were given.",
                "Add --data imagenet=PATH, or the clean set of the benchmark in question, for clean accuracy.",
            )
        return Plan(cells=list(planned.values()), missing=self._ready.missing, hardware=devices.describe(self._device))

    def fetch(self, task: Task) -> None:
        """Begin to fetch the images of a task, where they are decoded; any thread may call it."""
        if task.cell_index >= len(self._jobs):
            return  # `work` says so
        number, benchmark, text = self._jobs[task.cell_index]
        images = self._seen.get((number, *self._source(benchmark, text)))
        if images is None or (text != CLEAN and perturbation_text.kind(text) == "sequence"):
            return
        key = (task.cell_index, int(task.rows[0]))
        with self._fetching:
            if key not in self._begun:
                self._coming[key] = self._loader.submit(fetched, images, task.rows, torch.device(self._device))

    def work(self, task: Task) -> ShardColumns:
        """Work on a task.

        Raises EvaluationError where the cell would be another one here, with other weights, images or versions.
        """
        if task.cell_index >= len(self._jobs):
            raise EvaluationError(f"A worker lacks what {task.cell.perturbation} on {task.cell.benchmark} needs.")
        work = self._work(task.cell_index)
        if work.cell.id != task.cell.id:
            raise EvaluationError(_difference(work.cell, task.cell), WORKER_MISMATCH_HINT)
        with self._fetching:
            key = (task.cell_index, int(task.rows[0]))
            self._begun.append(key)
            coming = self._coming.pop(key, None)
        pixels = None if coming is None else _arrived(coming)
        with devices.threads(work.classifier.preprocessing.geometry.size, self._threads):
            return run_shard(work, task, pixels)

    def _planned(self, position: int, work: CellRuntime, clean: CellRuntime | None) -> PlannedCell:
        of = None if work.is_clean or clean is None else clean
        return PlannedCell(
            cell_index=position,
            cell=work.cell,
            provenance=work.classifier.provenance,
            num_classes=work.classifier.num_classes,
            clean=None if of is None else of.cell.id,
            clean_rows=None if of is None or of.images is work.images else clean_positions(work.images, of.images),
            passes=work.passes,
            supports_early_stop=work.sequence is None
            and (work.attack is None or math.isfinite(work.attack.threat.eps)),
            shard_size=_shard_size(work.classifier, self._settings, self._device),
            per_shard_randomness=work.per_shard_randomness,
            query_mode="" if work.oracle is None else work.oracle.query_mode,
        )

    def _work(self, position: int) -> CellRuntime:
        """A cell with its objects; that of the last one asked for is kept."""
        if self._current is None or self._current[0] != position:
            self._current = position, self._made(*self._jobs[position])
        return self._current[1]

    def _made(self, number: int, benchmark: Benchmark, text: str) -> CellRuntime:
        settings, loaded = self._settings, self._subject(number)
        surrogate = self._surrogate(number, text)
        images = self._images(benchmark, text, loaded.classifier.preprocessing.geometry)
        self._seen[number, *self._source(benchmark, text)] = images
        if benchmark.class_map is not None:
            loaded = loaded.with_class_map(benchmark)
            surrogate = None if surrogate is None else surrogate.with_class_map(benchmark)
        oracle, precision = None, "float32"
        attack: Attack | None = None
        corruption: ImageCorruption | None = None
        sequence: FrameGenerator | None = None
        match "clean" if text == CLEAN else perturbation_text.kind(text):
            case "corruption":
                corruption = build.corruption(text, benchmark.jpeg_quality)
                corruption = Published(corruption) if images.published else corruption
            case "sequence":
                sequence = build.sequence(text)
                sequence = PublishedFrames(sequence) if images.published else sequence
            case "attack":
                attack = build_attack.attack(text)
                making = partial(_oracle, settings=settings, device=self._device)
                oracle, precision = (surrogate or loaded).oracle(making)
                if perturbation_text.is_adapted(text):
                    precision = "float32"  # other libraries' attacks query the plain network
        return CellRuntime(
            cell=cell_of(
                loaded.classifier,
                images,
                attack or corruption or sequence,
                text,
                settings.seed,
                precision,
                None if surrogate is None else surrogate.classifier,
                classes="" if benchmark.class_map is None else benchmark.class_map().digest,
            ),
            classifier=loaded.classifier,
            images=images,
            attack=attack,
            corruption=corruption,
            sequence=sequence,
            oracle=oracle,
            batches=loaded.batches("judged", _batch_size(loaded.classifier, settings, self._device)),
            shards=loaded.batches("worked off", _shard_size(loaded.classifier, settings, self._device)),
            per_shard_randomness=attack is not None and perturbation_text.is_adapted(text),
        )

    def _subject(self, number: int) -> LoadedModel:
        subject, _ = self._ready.subjects[number]
        return self._models.get_or_load(str(number), partial(_loaded, subject, self._device))

    def _surrogate(self, number: int, text: str) -> LoadedModel | None:
        """The model that an attack is found on, at the size of the one that is judged; None where it is the same."""
        name = None if text == CLEAN else perturbation_text.surrogate(text)[1]
        if name is None:
            return None
        classifier = self._subject(number).classifier
        request = replace(self._ready.surrogates[name], input_size=classifier.preprocessing.geometry.size)
        surrogate = self._models.get_or_load(
            f"{name} at {request.input_size}", partial(zoo.load, request, self._device)
        )
        if surrogate.classifier.num_classes != classifier.num_classes:
            raise UsageError(
                f"{name} has {surrogate.classifier.num_classes} classes, {classifier.name} has "
                f"{classifier.num_classes}.",
                "A surrogate must know the same classes.",
            )
        return surrogate

    def _images(self, benchmark: Benchmark, text: str, geometry: Geometry) -> ImageSet:
        """The clean images of a benchmark, or the published files of the perturbation of that text."""
        name, files = self._source(benchmark, text)
        key = (name, str(geometry), files)
        if key not in self._prepared:
            limit = self._settings.limit
            if not files:
                tick = partial(self._preparing, benchmark.name)
                opened = self._ready.opened[benchmark.name]
                self._prepared[key] = prepare(benchmark, opened, geometry, limit=limit, tick=tick)
            else:
                tick, films = (
                    partial(self._preparing, f"{benchmark.name}, {files}"),
                    perturbation_text.kind(files) == "sequence",
                )
                opened = self._ready.published[benchmark.name, files]
                found = prepare_published(benchmark, opened, geometry, sequences=films, limit=limit, tick=tick)
                self._prepared[key] = found
        return self._prepared[key]

    def _source(self, benchmark: Benchmark, text: str) -> tuple[str, str]:
        """Where images are from: a benchmark's name, and the text of published files, empty for the clean ones."""
        return benchmark.name, text if (benchmark.name, text) in self._ready.published else ""


def _difference(here: Cell, planned: Cell) -> str:
    """In which fields a worker's cell is another one than the plan's."""
    names = [item.name for item in fields(Cell) if getattr(here, item.name) != getattr(planned, item.name)]
    differing = "; ".join(f"{name} is {getattr(here, name)!r}, planned {getattr(planned, name)!r}" for name in names)
    return f"A worker would compute another cell than {planned.perturbation} on {planned.model}: {differing}."


def _loaded(subject: ModelOrRequest, device: str) -> Classifier:
    return subject if isinstance(subject, Classifier) else zoo.load(subject, device)


def _oracle(classifier: Classifier, settings: Settings, device: str) -> tuple[Oracle, str]:
    """How attacks query a classifier, and in which precision: what was asked for, where it can be had."""
    asked = settings.precision
    precision = batch_sizes.precision(classifier, device) if asked == "auto" else asked
    batch_size = _batch_size(classifier, settings, device)
    oracle = Oracle(classifier, batch_size=batch_size, precision=precision, compiled=settings.compile)
    size = classifier.preprocessing.geometry.size
    oracle.make_copy(torch.Size((3, size, size)), classifier.mean.device)
    if not oracle.uses_copy:
        return oracle, "float32"
    return oracle, f"{precision}, compiled" if settings.compile else precision


def _batch_size(classifier: Classifier, settings: Settings, device: str) -> int:
    return settings.batch_size or batch_sizes.batch_size(classifier.preprocessing.geometry.size, device)


def _arrived(coming: Future[Pixels]) -> Pixels | None:
    """Images that were fetched; None where there was no room for them beside what was worked on."""
    try:
        return coming.result()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return None


def _shard_size(classifier: Classifier, settings: Settings, device: str) -> int:
    return settings.shard_size or batch_sizes.shard_size(classifier.preprocessing.geometry.size, device)
