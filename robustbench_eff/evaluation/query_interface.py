"""How a model is queried in a run: its oracle, its precision, its draws, and the sizes of batches and shards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.expectation import choose_draws
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.randomness import seeded
from robustbench_eff.models.smoothing import Smoothed, Smoothing

from . import batch_sizes
from .settings import Settings
from .votes import votes_for

COMPARED_IMAGES = 16
"""Images of the benchmark on which the number of draws of a gradient is chosen."""


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
    exact = classifier.draws  # a copy's rounding cannot be told from the draws
    oracle = Oracle(
        classifier, batch_size=batch_size, precision=None if exact else precision, compiled=settings.compile
    )
    copies = oracle.make_copies(torch.Size(classifier.preprocessing.shape), classifier.mean.device)
    if not copies.exist:
        return OpenedOracle(oracle, "float32")
    return OpenedOracle(oracle, f"{copies.precision}, compiled" if settings.compile else copies.precision)


def votes_of(classifier: Classifier, settings: Settings, samples: int) -> int | None:
    """Return how often the referee asks for each image; None for once.

    Args:
        classifier: The network.
        settings: The options of the run.
        samples: Number of samples of the benchmark.
    """
    if settings.votes is not None:
        return settings.votes
    return votes_for(samples) if classifier.draws else None


def draws_of(classifier: Classifier, oracle: Oracle, settings: Settings, images: ImageSet) -> int | None:
    """Return the draws that every answer to an attack averages over; None for a network that does not draw at random.

    Args:
        classifier: The attacked network.
        oracle: Its oracle.
        settings: The options of the run.
        images: The benchmark, of which some images spread over all are tried.
    """
    if not (classifier.draws or settings.votes):
        return None
    device = classifier.mean.device
    rows = np.unique(np.linspace(0, len(images) - 1, COMPARED_IMAGES).astype(np.int64))
    batch = images.to_model_input(images.bytes(rows).to(device))
    with seeded(classifier, settings.seed, "draws per gradient", device):
        return choose_draws(oracle, batch, images.labels_of(rows, device))


def open_smoothed(classifier: Classifier, smoothing: Smoothing, settings: Settings, device: str) -> Oracle:
    """Return the oracle through which attacks query a smoothed classifier, in float32.

    Args:
        classifier: The network.
        smoothing: The noise, and the number of draws that each query averages over.
        settings: The options of the run.
        device: Torch device of the classifier.
    """
    shape = torch.Size(classifier.preprocessing.shape)
    soft = Smoothed(classifier, smoothing.sigma, smoothing.draws, shape, settings.seed)
    batch_size = max(1, referee_batch_size(classifier, settings, device) // smoothing.draws)
    return Oracle(soft, batch_size=batch_size)


def referee_batch_size(classifier: Classifier, settings: Settings, device: str) -> int:
    """Return the number of images per forward pass.

    Args:
        classifier: The network.
        settings: The options of the run.
        device: Torch device of the classifier.
    """
    return settings.batch_size or batch_sizes.batch_size(classifier.preprocessing.geometry.long_side, device)


def shard_size(classifier: Classifier, settings: Settings, device: str) -> int:
    """Return the number of samples in a shard.

    Args:
        classifier: The network.
        settings: The options of the run.
        device: Torch device of the classifier.
    """
    return settings.shard_size or batch_sizes.shard_size(classifier.preprocessing.geometry.long_side, device)
