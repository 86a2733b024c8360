"""How a model is queried in a run: its oracle, its precision, and the sizes of batches and shards."""

from __future__ import annotations

from typing import NamedTuple

import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.models.classifier import Classifier

from . import batch_sizes
from .settings import Settings


class OpenedOracle(NamedTuple):
    """The query interface of a network, and the precision in which it answers."""

    oracle: Oracle
    precision: str


def open_oracle(classifier: Classifier, settings: Settings, device: str) -> OpenedOracle:
    """Return the oracle through which attacks query a classifier, in the requested precision where it is available.

    Args:
        classifier: The attacked network.
        settings: The options of the run.
        device: Torch device of the classifier.
    """
    if settings.adapt is not None:  # a copy would not adapt as the network does
        batch_size = referee_batch_size(classifier, settings, device)
        return OpenedOracle(Oracle(classifier, batch_size=batch_size), "float32")
    requested = settings.precision
    precision = batch_sizes.precision(classifier, device) if requested == "auto" else requested
    batch_size = referee_batch_size(classifier, settings, device)
    oracle = Oracle(classifier, batch_size=batch_size, precision=precision, compiled=settings.compile)
    size = classifier.preprocessing.geometry.size
    oracle.make_copy(torch.Size((3, size, size)), classifier.mean.device)
    if not oracle.uses_copy:
        return OpenedOracle(oracle, "float32")
    return OpenedOracle(oracle, f"{precision}, compiled" if settings.compile else precision)


def referee_batch_size(classifier: Classifier, settings: Settings, device: str) -> int:
    """Return the number of images per forward pass.

    Args:
        classifier: The network.
        settings: The options of the run.
        device: Torch device of the classifier.
    """
    return settings.batch_size or batch_sizes.batch_size(classifier.preprocessing.geometry.size, device)


def shard_size(classifier: Classifier, settings: Settings, device: str) -> int:
    """Return the number of samples in a shard.

    Args:
        classifier: The network.
        settings: The options of the run.
        device: Torch device of the classifier.
    """
    return settings.shard_size or batch_sizes.shard_size(classifier.preprocessing.geometry.size, device)
