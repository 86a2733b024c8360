"""Which cells and options a network that adapts to the images can be evaluated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.stream import Stream
from robustbench_eff.registry.build_adaptation import NamedAdaptation, adaptation

if TYPE_CHECKING:
    from robustbench_eff.core.types import ImageCorruption

    from .resolve_cells import RequestedCell
    from .settings import Settings

ONE_BY_ONE = "batches(size=1)"
"""The adaptation under which every image is answered alone."""


def check_settings(settings: Settings) -> None:
    """Check that the options of a run agree with its adaptation.

    Args:
        settings: Options with an adaptation.

    Raises:
        SpecError: The adaptation cannot be read.
        UsageError: Another option contradicts it.
    """
    named = adaptation(str(settings.adapt))
    if settings.batch_size is not None:
        raise UsageError(
            f"batch_size would contradict {named.text}, where the batch size is part of the protocol.",
            "Leave it out, and state the size in --adapt alone.",
        )
    if settings.precision not in ("auto", "float32") or settings.compile:
        raise UsageError(
            "A network that adapts is queried as it is, in float32: a low-precision or compiled copy would not adapt.",
            "Leave out --precision and --compile.",
        )
    if (settings.shuffle_shards or settings.target_ci is not None) and stream_of(named) is not None:
        raise UsageError(
            f"{named.text} sees the images in an order of its own and all of them, which shuffle_shards and target_ci "
            "would change.",
            "Leave them out; --limit evaluates fewer images.",
        )


def stream_of(named: NamedAdaptation | None) -> Stream | None:
    """Return the stream in which images are evaluated; None where no answer depends on other images.

    Args:
        named: The adaptation; None for networks that do not adapt.
    """
    return None if named is None or named.stream.is_pointwise else named.stream


def evaluable_cells(cells: Sequence[RequestedCell], named: NamedAdaptation | None) -> list[RequestedCell]:
    """Return the cells that can be evaluated: under order=gradual, those of corruptions; else all.

    Args:
        cells: The requested cells.
        named: The adaptation; None for networks that do not adapt.

    Raises:
        UsageError: A cell cannot be evaluated under the adaptation, or none is left.
    """
    if named is None or stream_of(named) is None:
        return list(cells)
    is_gradual = named.stream.order == "gradual"
    left = [cell for cell in cells if not (is_gradual and cell.perturbation.kind == "none")]
    for cell in left:
        _check(cell, named, is_gradual)
    if cells and not left:
        raise UsageError(
            "order=gradual lets the severity of a corruption rise along the stream, and clean images have none.",
            "Name corruptions with --corruption 'fog(severity=5)', or choose order=iid.",
        )
    return left


def stream_shard_size(stream: Stream, size: int, samples: int) -> int:
    """Return the number of samples that are evaluated as one task.

    Only a stream in the given order that forgets after every batch is cut, between batches.

    Args:
        stream: The stream.
        size: Number of samples that a task should have.
        samples: Number of samples of the cell.
    """
    if not stream.is_divisible:
        return max(samples, 1)
    return max(1, round(size / stream.batch_size)) * stream.batch_size


def at_severity(corruption: Any, severity: int) -> ImageCorruption:
    """Return a corruption at another severity.

    Args:
        corruption: Corruption with a field `severity`, or one that has such a corruption in a field `corruption`.
        severity: From 1 to the severity of `corruption`.
    """
    inner = getattr(corruption, "corruption", None)
    changed: ImageCorruption = (
        replace(corruption, severity=severity)
        if inner is None
        else replace(corruption, corruption=at_severity(inner, severity))
    )
    return changed


def _check(cell: RequestedCell, named: NamedAdaptation, is_gradual: bool) -> None:
    perturbation = cell.perturbation
    if perturbation.kind == "attack":
        raise UsageError(
            f"{perturbation.text} cannot run under {named.text}: the answer to an image depends on the other images of "
            "the stream, so an attack on one image would change the answers to others.",
            f"Attack with --adapt '{ONE_BY_ONE}', or evaluate corruptions alone with --suite corruptions or "
            "--corruption, or clean images alone with --attack none.",
        )
    if perturbation.kind == "sequence":
        raise UsageError(
            f"{perturbation.text} cannot run under {named.text}: its frames would be a stream of their own.",
            f"Evaluate sequences with --adapt '{ONE_BY_ONE}'.",
        )
    if is_gradual and (cell.benchmark.layout is not None or not _has_severity(perturbation.corruption)):
        raise UsageError(
            f"order=gradual needs {perturbation.text} at every severity from 1 on, and {cell.benchmark.name} has its "
            "images at one severity only.",
            "Choose order=iid, or a benchmark whose corruptions are generated.",
        )


def _has_severity(corruption: Any) -> bool:
    return hasattr(getattr(corruption, "corruption", corruption), "severity")
