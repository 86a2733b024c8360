"""Images on their way to the device, while it is busy with others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import torch

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.types import Pixels, RawImage

from .plan import SampleIndices


def fetched(images: ImageSet, rows: SampleIndices, device: torch.device) -> Pixels:
    """The images of a shard on the device; in another thread, a GPU copies them beside what it computes."""
    pixels = images.bytes(rows)
    if device.type != "cuda":
        return pixels.to(device)
    stream = _copying(device)
    with torch.cuda.stream(stream):
        there = pixels.pin_memory().to(device, non_blocking=True)
    stream.synchronize()
    there.record_stream(torch.cuda.default_stream(device))  # where it is used, and must not be overwritten before
    return there


def pictures(images: ImageSet, rows: SampleIndices, device: torch.device) -> Iterator[RawImage | Pixels]:
    """All of the pictures that the samples are centres of, or published sequences, one after the other; one is decoded
    while the one before is used."""
    with ThreadPoolExecutor(1, "picture") as decoding:
        make = partial(images.picture, device=device)
        following = decoding.submit(make, int(rows[0]))
        for row in rows[1:].tolist():
            current, following = following, decoding.submit(make, row)
            yield current.result()
        yield following.result()


@cache
def _copying(device: torch.device) -> torch.cuda.Stream:
    """The stream of copies; with a new one every time the allocator would keep each one's memory apart."""
    return torch.cuda.Stream(device)
