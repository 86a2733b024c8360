"""References to datasets of the Hugging Face hub, as users write them after `hf:`."""

from __future__ import annotations

from typing import NamedTuple


class HubReference(NamedTuple):
    """A dataset on the hub, written `ID[@SPLIT][#REVISION]`."""

    dataset_id: str
    """Such as `uoft-cs/cifar10`."""
    split: str
    """Name of the split; empty for the benchmark's own."""
    revision: str | None
    """Branch, tag or commit; None for the newest."""


def parse_reference(reference: str) -> HubReference:
    """Return the parts of a reference.

    Args:
        reference: The dataset, as `ID[@SPLIT][#REVISION]`.
    """
    named, _, revision = reference.partition("#")
    dataset_id, _, split = named.partition("@")
    return HubReference(dataset_id, split, revision or None)
