"""Projected gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from robustbench_eff.errors import SpecError
from robustbench_eff.rng import Draws
from robustbench_eff.threat import Norm, Threat, steepest_ascent
from robustbench_eff.types import Images, ImagesToLogits, Labels

from .losses import cross_entropy, margin
from .oracle import Oracle

Live: TypeAlias = Int64[Tensor, "live"]
LiveImages: TypeAlias = Float[Tensor, "live channel height width"]
Survivors: TypeAlias = Int64[Tensor, "survivors"]
SurvivingImages: TypeAlias = Float[Tensor, "survivors channel height width"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PGD:
    """Steps along the gradient of the cross-entropy, each projected back into the ball and [0, 1].

    Source: Madry et al. 2018, arXiv:1706.06083; default step 2.5 eps / steps as in the MadryLab code.
    Differs: with `early_stop` a sample leaves the batch at its first misclassified iterate, which is what
    it returns; a restart works on the survivors only, and of the failed ones the lowest margin is kept.
    """

    version: ClassVar[int] = 1

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: Norm = "linf"
    steps: int = 10
    step_size: float | None = None
    """Length of a step in `norm`; None means 2.5 eps / steps."""
    random_start: bool = True
    """Start uniformly in the ball (L-infinity: in the cube), not at the image."""
    restarts: int = 1
    early_stop: bool = True
    """Whether a beaten sample stops; adversarial training wants all steps."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if self.steps < 1 or self.restarts < 1:
            raise SpecError(f"steps and restarts must be >= 1, got {self.steps} and {self.restarts}.")
        if self.step_size is not None and not self.step_size > 0:
            raise SpecError(f"step_size must be > 0 in units of [0, 1] pixels, got {self.step_size:g}.")
        if self.restarts > 1 and not self.random_start:
            raise SpecError("restarts without random_start would all be the same.", "Set random_start=True.")

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.eps)

    @property
    def stochastic(self) -> bool:
        return self.random_start

    @property
    def max_passes(self) -> int:
        return 2 * self.steps * self.restarts + (self.restarts if self.restarts > 1 else 0)

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: Draws | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]).

        `draws` key the random starts, one per sample; without them the samples' positions and seed 0 do.
        Errors as Oracle.open.
        """
        draws = Draws.of(0, range(len(images)), images.device) if draws is None else draws
        adversarial = images.clone()
        lowest = torch.full((len(images),), float("inf"), device=images.device)
        live = torch.arange(len(images), device=images.device)
        with Oracle.open(classifier, images, labels) as oracle:
            for restart in range(self.restarts):
                if not len(live):
                    break
                start = self._start(images[live], draws[live], restart)
                live, final = self._climb(oracle, start, images, labels, live, adversarial)
                if self.restarts == 1:
                    adversarial[live] = final
                    break
                margins = margin(oracle.logits(final, live), labels[live])
                better = margins < lowest[live]
                adversarial[live[better]], lowest[live[better]] = final[better], margins[better]
                if self.early_stop:
                    live = live[margins > 0]
        return adversarial

    def _start(self, images: Images, draws: Draws, restart: int) -> Images:
        if not self.random_start:
            return images
        shape = images.shape[1:]
        if self.norm == "linf":
            uniform = draws.uniform(shape, stream="pgd/start", step=restart).to(images)
            return self.threat.project(images + self.eps * (2 * uniform - 1), images)
        direction = steepest_ascent(draws.normal(shape, stream="pgd/direction", step=restart).to(images), "l2")
        uniform = draws.uniform((1, 1, 1), stream="pgd/radius", step=restart).to(images)
        return self.threat.project(images + self.eps * uniform ** (1 / shape.numel()) * direction, images)

    def _climb(
        self, oracle: Oracle, start: LiveImages, images: Images, labels: Labels, live: Live, adversarial: Images
    ) -> tuple[Survivors, SurvivingImages]:
        """All steps of one restart; beaten samples are written to `adversarial` and leave.

        Returns the rows that are still live and their last iterate, which nobody has classified yet.
        """
        step_size = 2.5 * self.eps / self.steps if self.step_size is None else self.step_size
        current, clean, classes = start, images[live], labels[live]
        for _ in range(self.steps):
            logits, gradient = oracle.gradient(current, classes, cross_entropy, live)
            if self.early_stop:
                beaten = logits.argmax(1) != classes
                if beaten.any():
                    adversarial[live[beaten]] = current[beaten]
                    keep = ~beaten
                    live, current, gradient = live[keep], current[keep], gradient[keep]
                    clean, classes = clean[keep], classes[keep]
                if not len(live):
                    break
            step = steepest_ascent(gradient, self.norm)
            current = self.threat.project(torch.add(current, step, alpha=step_size), clean)
        return live, current
