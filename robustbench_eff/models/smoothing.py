"""Randomised smoothing: a classifier that answers by a vote over Gaussian noise, and the L2 radii it can certify.

Source: Cohen, Rosenfeld & Kolter 2019, arXiv:1902.02918.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import EvaluationError, SpecError
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.statistics import certified_radius
from robustbench_eff.core.types import Images, ImagesToLogits, Logits, PerSample

from .classifier import Classifier

DRAWS = 32
"""Default number of draws over which an attack averages."""
LARGEST_SIGMA = 4.0
"""Largest standard deviation of the noise: a larger one was meant for pixels in [0, 255]."""
ABSTAINED = -1
"""Prediction of a smoothed classifier whose vote is too close."""
NOT_FINITE = -1
"""Vote of a draw whose logits are NaN or infinite."""


class Certificates(NamedTuple):
    """What a smoothed classifier says about a batch of images, all on the CPU."""

    prediction: Int64[Tensor, batch]
    """Predicted class, `ABSTAINED` where the vote is too close."""
    radius: PerSample
    """L2 radius in units of [0, 1] pixels within which the prediction stays the same; 0 where it abstained."""
    selected: Int64[Tensor, batch]
    """The class that the `n0` draws selected, also where the classifier abstains."""
    votes: Int64[Tensor, "batch classes"]
    """For each class, how many of the `n` draws voted for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """The smoothed classifier: the class that the network predicts most often when Gaussian noise is added.

    `n0` draws select a class, and `n` others count how often it is predicted. Their exact lower bound at `alpha` gives
    the radius, or if it is at most 1/2 the classifier abstains. A certificate is wrong with a probability of at most
    `alpha`. It holds for the smoothed classifier, not for the network, and for images at the network's input size.
    Source: Cohen, Rosenfeld & Kolter 2019, arXiv:1902.02918, algorithm CERTIFY; `n0`, `n` and `alpha` as there.
    Differs: nothing. As there, noise may push pixels out of [0, 1], which is not clipped.
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    sigma: float = 0.25
    """Standard deviation of the noise, in units of [0, 1] pixels."""
    n: int = 100_000
    """Number of draws from which the probability of the predicted class is bounded."""
    n0: int = 100
    """Number of draws that select the predicted class."""
    alpha: float = 0.001
    """Probability with which a certificate may be wrong, in (0, 1)."""
    draws: int = DRAWS
    """Number of draws over which an attack averages. It is no part of a certificate."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not 0 < self.sigma < math.inf or self.sigma > LARGEST_SIGMA:
            hint = f"Did you mean {self.sigma:g}/255?" if self.sigma > LARGEST_SIGMA else ""
            raise SpecError(f"sigma must be > 0 in units of [0, 1] pixels, got {self.sigma:g}.", hint)
        if not 0 < self.alpha < 1:
            raise SpecError(
                f"alpha is a probability and must be in (0, 1), got {self.alpha:g}.", "Cohen et al.: 0.001."
            )
        if min(self.n0, self.draws) < 1:
            raise SpecError(f"n0 and draws must be >= 1, got {self.n0} and {self.draws}.")
        if self.n < self.n0:
            raise SpecError(
                f"n must be at least n0, got n={self.n} and n0={self.n0}.",
                "n0 draws only select the class; the n draws give the certificate.",
            )
        if not self.largest_radius:
            enough = math.floor(math.log(self.alpha) / math.log(0.5)) + 1
            raise SpecError(
                f"With n={self.n} and alpha={self.alpha:g} the classifier always abstains, even if all draws agree.",
                f"Set n to at least {enough}.",
            )

    @property
    def certificate(self) -> Smoothing:
        """The same without what concerns only attacks."""
        return replace(self, draws=DRAWS)

    @property
    def largest_radius(self) -> float:
        """The radius that is certified if all draws agree; none can be larger."""
        return float(certified_radius(self.n, self.n, self.alpha, self.sigma))

    @property
    def max_passes(self) -> int:
        """Number of forward passes per image."""
        return self.n0 + self.n

    @property
    def configuration(self) -> Mapping[str, Any]:
        """Everything that decides a certificate, the seed aside."""
        fields = {name: getattr(self, name) for name in ("sigma", "n", "n0", "alpha")}
        return {"smoothing": fields | {"version": self.version}}

    def certify(
        self, classifier: Classifier, images: Images, streams: RandomStreams, stream: str, batches: Batches
    ) -> Certificates:
        """Return the predictions of the smoothed classifier, and the radii within which they hold.

        The result of an image depends on its own draws alone, not on the batch.

        Args:
            classifier: The network, in eval mode.
            images: Images in [0, 1].
            streams: Random numbers of every image.
            stream: Name of the stream of the noise; other names give independent noise.
            batches: Batch size of the forward passes.

        Raises:
            EvaluationError: The network returned NaN or infinite logits.
            ModelError: The network is in train mode.
        """
        classifier.check_mode()
        answers = self._answers(classifier, images, streams, stream, batches)
        classifier.check_mode()
        if (answers == NOT_FINITE).any():
            raise EvaluationError(
                f"{classifier.name} returned NaN or infinite logits for an image with noise of sigma {self.sigma:g}.",
                "Pixels of noisy images lie outside [0, 1]: the network must not take their roots or logarithms.",
            )
        selection, votes = (
            torch.zeros(len(images), classifier.num_classes, dtype=torch.int64).scatter_add_(
                1, part, torch.ones_like(part)
            )
            for part in (answers[:, : self.n0], answers[:, self.n0 :])
        )
        selected = selection.argmax(1)
        agreeing = votes.gather(1, selected[:, None])[:, 0].numpy()
        radius = _rounded_down(certified_radius(agreeing, self.n, self.alpha, self.sigma))
        prediction = torch.where(radius > 0, selected, ABSTAINED)
        return Certificates(prediction, radius, selected, votes)

    def _answers(
        self, classifier: ImagesToLogits, images: Images, streams: RandomStreams, stream: str, batches: Batches
    ) -> Int64[Tensor, "batch draws"]:
        """The classes that the network predicts for every image at every draw, `n0` draws before `n` others."""

        def answer(pairs: Tensor) -> Tensor:
            rows, numbers = pairs // self.max_passes, pairs % self.max_passes
            noise = streams[rows].fork(numbers).normal(images.shape[1:], stream=stream)
            logits = classifier(torch.add(images[rows], noise, alpha=self.sigma))
            return torch.where(logits.isfinite().all(1), logits.argmax(1), NOT_FINITE)

        if not len(images):
            return torch.zeros(0, self.max_passes, dtype=torch.int64)
        pairs = torch.arange(len(images) * self.max_passes, device=images.device)
        with torch.no_grad(), plain_float32(images.device):
            return batches.cat_map(answer, pairs).view(len(images), self.max_passes).cpu()


def _rounded_down(radius: np.ndarray) -> PerSample:
    """The radii in float32, never above the exact ones."""
    rounded = radius.astype(np.float32)
    return torch.from_numpy(np.where(rounded > radius, np.nextafter(rounded, np.float32(0)), rounded))


class Smoothed(nn.Module):
    """The soft smoothed classifier: the logarithm of the mean probabilities over fixed noise, which can be attacked.

    The same draws are added to every image, so that the module is deterministic and differentiable. Whether an attack
    succeeded is decided by `Smoothing.certify` with other draws.
    Source: Salman et al. 2019, arXiv:1906.04584, equation 6.
    """

    noise: Tensor

    def __init__(self, model: nn.Module, sigma: float, draws: int, shape: torch.Size, seed: int = 0) -> None:
        """Wrap a network.

        Args:
            model: Network in eval mode that takes images in [0, 1] and returns logits.
            sigma: Standard deviation of the noise, in units of [0, 1] pixels.
            draws: Number of draws to average over, at least 1.
            shape: Channels, height and width of the images.
            seed: Seed of the noise.
        """
        super().__init__()
        self.model = model
        device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))
        noise = sigma * RandomStreams.of(seed, range(draws), device).normal(shape, stream="smoothed")
        self.register_buffer("noise", noise, persistent=False)
        self.training = model.training

    def forward(self, images: Images) -> Logits:
        """Return the logarithms of the mean probabilities, shape (batch, classes).

        Args:
            images: Images in [0, 1].
        """
        noisy = (images[:, None] + self.noise).flatten(0, 1)
        logits: Tensor = self.model(noisy)
        soft: Tensor = logits.log_softmax(1).unflatten(0, (len(images), len(self.noise)))
        return soft.logsumexp(1) - math.log(len(self.noise))
