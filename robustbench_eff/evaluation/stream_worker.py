"""Evaluation of a stream: batch after batch, in one or several orders, by a network that adapts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import EvaluationError, RobustEvalError
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.rng import RandomStreams, global_generators
from robustbench_eff.core.shortages import out_of_memory
from robustbench_eff.core.types import Images, Pixels
from robustbench_eff.models.adaptation.adapted_network import adapted_network

from .adapted_cells import at_severity
from .plan import CellRuntime, SampleIndices, Task
from .prefetch import fetched
from .shard_columns import ShardColumns, merged_columns
from .worker import evaluate_samples

OUT_OF_MEMORY_HINT = "Choose a smaller batch size with --adapt, which makes another protocol, or --device cpu."


def run_stream(work: CellRuntime, task: Task) -> ShardColumns:
    """Evaluate samples as a stream, in every order of it.

    The network starts every order as it was loaded. Outcomes are those of the first order; with several orders, `votes`
    holds for each whether it got the sample right. Code of the network that draws from global generators finds them
    seeded anew for every order.

    Args:
        work: Cell with its model, images and perturbation.
        task: Samples of the cell: all, or for a divisible stream whole batches.

    Returns:
        One outcome per sample, in the order of `task.rows`.

    Raises:
        EvaluationError: The network fails on a batch, or a batch does not fit into memory.
        ModelError: Something that the network keeps outside of its copies was changed.
    """
    stream, classifier = work.stream, work.classifier
    assert stream is not None
    device = classifier.mean.device
    with global_generators(work.cell.seed or 0, "stream", device):
        differs = _repeats_differently(work, task.rows) if work.is_clean and task.rows[0] == 0 else None
    orders = []
    for number in range(stream.num_orders):
        given = task if number == 0 else replace(task, has_gallery=True)
        with global_generators(work.cell.seed or 0, f"stream {number}", device):
            orders.append(_run_order(work, given, number))
    classifier.check_weights()
    columns = dict(orders[0].columns)
    if stream.num_orders > 1:
        columns["votes"] = torch.stack([order.columns["correct"] for order in orders], dim=1).tolist()
        columns["num_forwards"] = columns["num_forwards"] * stream.num_orders
    if differs is not None:
        flags = zip(columns["flag"], differs.tolist(), strict=True)
        columns["flag"] = ["random_output" if random else flag for flag, random in flags]
    return ShardColumns(columns, orders[0].successes, sum(order.seconds for order in orders))


def _run_order(work: CellRuntime, task: Task, number: int) -> ShardColumns:
    """Evaluate the samples in one order; the outcomes are in the order of the task."""
    stream, rows = work.stream, task.rows
    assert stream is not None
    ids = [work.images.sample_ids[row] for row in rows.tolist()]
    order = stream.permutation(number, ids, work.images.labels[rows], work.cell.seed or 0)
    severities = None if work.corruption is None else stream.severities(len(rows), work.cell.severity)
    adapted_network(work.classifier).restart()
    parts = []
    for start in range(0, len(rows), stream.batch_size):
        batch = slice(start, start + stream.batch_size)
        batched = _with_severities(work, None if severities is None else severities[batch])
        parts.append(_run_batch(batched, _selected(task, order[batch]), stream.batch_size))
    merged, places = merged_columns(parts), np.argsort(order)
    columns = {name: _taken(values, places) for name, values in merged.columns.items()}
    return ShardColumns(columns, merged.successes, merged.seconds)


def _run_batch(work: CellRuntime, task: Task, batch_size: int) -> ShardColumns:
    """Have one batch of the stream judged, in exactly one forward pass."""
    work = replace(work, batches=Batches(batch_size, is_fixed=True))
    with _errors_named(work, len(task.rows)):
        return evaluate_samples(work, task, _pixels(work, task.rows))


@contextmanager
def _errors_named(work: CellRuntime, images: int) -> Iterator[None]:
    """Turn what the network, which may be the user's, raises on a batch into EvaluationError."""
    try:
        yield
    except RobustEvalError:
        raise
    except Exception as error:
        hint = "Batch norms need several values per channel: a last batch of one image may be too small for them."
        what = f"{type(error).__name__}: {error}"
        if out_of_memory(error):
            what, hint = "memory is too small for it.", OUT_OF_MEMORY_HINT
        stream = work.cell.protocol.stream
        raise EvaluationError(
            f"{work.cell.model} failed on a batch of {images} images under {stream}: {what}", hint
        ) from error


def _repeats_differently(work: CellRuntime, rows: SampleIndices) -> npt.NDArray[np.bool_]:
    """Show the first samples to the network twice, restored in between, and return whose logits differ."""
    stream, classifier, network = work.stream, work.classifier, adapted_network(work.classifier)
    assert stream is not None
    first = rows[: stream.batch_size]
    images = work.images.to_model_input(_pixels(work, first))
    answers = []
    with torch.no_grad(), plain_float32(images.device), _errors_named(work, len(first)):
        for _ in range(2):
            network.restart()
            answers.append(classifier(images))
    differs = np.zeros(len(rows), bool)
    differs[: len(first)] = ~torch.isclose(answers[0], answers[1], rtol=1e-4, atol=1e-5).all(1).cpu().numpy()
    return differs


def _pixels(work: CellRuntime, rows: SampleIndices) -> Pixels:
    """The images of some rows in any order; ascending ones are read fastest."""
    pixels = fetched(work.images, np.sort(rows), work.classifier.mean.device)
    return pixels[torch.from_numpy(np.argsort(np.argsort(rows))).to(pixels.device)]


def _selected(task: Task, positions: npt.NDArray[np.int64]) -> Task:
    clean = None if task.clean_predictions is None else task.clean_predictions[positions]
    return replace(task, rows=task.rows[positions], clean_predictions=clean)


def _taken(values: Any, places: npt.NDArray[np.int64]) -> Any:
    if isinstance(values, torch.Tensor):
        return values[torch.from_numpy(places)]
    return values[places] if isinstance(values, np.ndarray) else [values[place] for place in places]


def _with_severities(work: CellRuntime, severities: npt.NDArray[np.int64] | None) -> CellRuntime:
    """The cell for one batch whose images have severities of their own; the cell itself where all have its own."""
    if severities is None or (severities == work.cell.severity).all():
        return work
    component = _Severities(work.corruption, tuple(severities.tolist()))
    return replace(work, perturbation=replace(work.perturbation, component=component))


@dataclass(frozen=True, slots=True)
class _Severities:
    """A corruption of one batch at a severity per image. See `ImageCorruption`."""

    corruption: Any
    severities: Sequence[int]

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration of the corruption."""
        return dict(self.corruption.configuration)

    @property
    def stochastic(self) -> bool:
        """Whether the images depend on the seed."""
        return bool(self.corruption.stochastic)

    def __call__(self, pixels: Images, draws: RandomStreams | None = None) -> Pixels:
        """Return every image at its own severity."""
        draws, changed = RandomStreams.given(draws, pixels), pixels.clone()
        for severity in sorted(set(self.severities)):
            rows = torch.tensor([row for row, own in enumerate(self.severities) if own == severity]).to(pixels.device)
            changed[rows] = at_severity(self.corruption, severity)(pixels[rows], draws[rows])
        return changed
