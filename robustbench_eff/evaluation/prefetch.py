"""Transfer of images to the device while it computes something else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial

import torch

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.shortages import out_of_memory
from robustbench_eff.core.types import Pixels, RawImage

from .plan import SampleIndices


def fetched(images: ImageSet, rows: SampleIndices, device: torch.device) -> Pixels:
    """Load the images of a shard onto the device.

    Called in another thread, it lets a GPU copy the images and compute something else at the same time.

    Args:
        images: Images of a benchmark.
        rows: Positions of the samples.
        device: Device of the result.
    """
    pixels = images.bytes(rows)
    if device.type != "cuda":
        return pixels.to(device)
    stream = _copy_stream(device)
    with torch.cuda.stream(stream):
        on_device = pixels.pin_memory().to(device, non_blocking=True)
    stream.synchronize()
    # The default stream uses the memory, which must not be given to another tensor before it has finished.
    on_device.record_stream(torch.cuda.default_stream(device))
    return on_device


def pictures(images: ImageSet, rows: SampleIndices, device: torch.device) -> Iterator[RawImage | Pixels]:
    """Yield the sources of sequences one after the other; the next is decoded while the caller uses the current one.

    Args:
        images: Images of a benchmark.
        rows: Positions of the samples, at least one.
        device: Device of the results.

    Yields:
        For each sample the uncropped picture, or the frames of a published sequence.
    """
    with ThreadPoolExecutor(1, "picture") as decoder:
        decode = partial(images.picture, device=device)
        following = decoder.submit(decode, int(rows[0]))
        for row in rows[1:].tolist():
            current, following = following, decoder.submit(decode, row)
            yield current.result()
        yield following.result()


@cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream for copies; with a new stream per call the allocator would reserve memory for each."""
    return torch.cuda.Stream(device)


def arrived(coming: Future[Pixels]) -> Pixels | None:
    """Return prefetched images; None if memory was too small for them beside the current shard.

    Args:
        coming: Images on their way to the device.
    """
    try:
        return coming.result()
    except (RuntimeError, MemoryError, OSError) as error:
        if not out_of_memory(error):
            raise
        return None
