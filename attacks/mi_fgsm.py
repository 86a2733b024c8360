"""The momentum iterative fast gradient sign method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.fused import fused
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, steepest_ascent
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels, SampleIndices

from .active_samples import select_rows
from .first_successes import FirstSuccesses
from .losses import cross_entropy
from .oracle import Oracle
from .pgd import STEPS_THAT_FORGIVE_ROUNDING
from .preconditions import attack_inputs


@dataclass(frozen=True, slots=True)
class _State:
    rows: SampleIndices
    clean: Images
    labels: Labels
    current: Images
    velocity: Images


@dataclass(frozen=True, slots=True, kw_only=True)
class MIFGSM:
    """Steps along the decaying sum of past gradients, each divided by its L1 norm before it is added.

    Source: Dong et al. 2018, arXiv:1710.06081, Algorithm 1; L2 as in its section 3.2.
    Differs: a sample stops at its first misclassified iterate, which is its result. Without `early_stop` every
    sample takes all steps, which makes perturbations that transfer better to other networks.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = False

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: Literal["linf", "l2"] = "linf"
    steps: int = 10
    """Number of gradient steps."""
    step_size: float | None = None
    """Length of a step in `norm`; None means eps / steps."""
    momentum: float = 1.0
    """Factor on the sum of past gradients before the next one is added."""
    early_stop: bool = True
    """Stop a sample at its first misclassified iterate."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if self.norm not in ("linf", "l2"):
            raise SpecError(f"norm must be linf or l2, got {self.norm!r}.")
        if self.steps < 1 or self.momentum < 0:
            raise SpecError(f"steps must be >= 1 and momentum >= 0, got {self.steps} and {self.momentum:g}.")
        if self.step_size is not None and not self.step_size > 0:
            raise SpecError(f"step_size must be > 0 in units of [0, 1] pixels, got {self.step_size:g}.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def rough_gradients(self) -> bool:
        """See `Attack`."""
        return self.steps >= STEPS_THAT_FORGIVE_ROUNDING

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2 * self.steps

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` are ignored."""
        images, labels = attack_inputs(images, labels)
        del draws
        rows = torch.arange(len(images), device=images.device)
        adversarial, state = images.clone(), _State(rows, images, labels, images, torch.zeros_like(images))
        with Oracle.open(classifier, images, labels) as oracle:
            successes = FirstSuccesses(oracle, adversarial, rows)
            for _ in range(self.steps):
                logits, gradient = oracle.gradient(
                    state.current, state.labels, cross_entropy, state.rows, rough=self.rough_gradients
                )
                if self.early_stop:
                    kept = successes.offer(logits, state.current, state.labels, state.rows)
                    if kept is not None:
                        state, gradient = select_rows(state, kept), gradient[kept]
                    if not len(state.rows):
                        break
                current, velocity = _step(state.current, gradient, state.velocity, state.clean, self)
                state = replace(state, current=current, velocity=velocity)
            kept = successes.finish()
        state = state if kept is None else select_rows(state, kept)
        adversarial[state.rows] = state.current
        return adversarial


@fused
def _step(current: Images, gradient: Images, velocity: Images, clean: Images, attack: MIFGSM) -> tuple[Images, Images]:
    """Return the next iterate and the next sum of gradients."""
    step_size = attack.eps / attack.steps if attack.step_size is None else attack.step_size
    length = gradient.abs().sum((1, 2, 3), keepdim=True).clamp_min(1e-12)
    velocity = attack.momentum * velocity + gradient / length
    moved = current + step_size * steepest_ascent(velocity, attack.norm)
    return Threat(attack.norm, attack.eps).project(moved, clean), velocity
