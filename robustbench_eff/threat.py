"""Threat models: the norm ball around an image, intersected with the pixel box [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from robustbench_eff.errors import SpecError

Norm = Literal["linf", "l2"]
NORMS: tuple[str, ...] = get_args(Norm)

Batch = Float[Tensor, "batch channel height width"]


@dataclass(frozen=True, slots=True)
class Threat:
    """All images within `eps` of the clean image in `norm`, and inside [0, 1].

    Raises SpecError for a norm it does not know or an eps that is not in units of [0, 1] pixels.
    """

    norm: Norm
    eps: float

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise SpecError(f"norm must be one of {', '.join(NORMS)}, got {self.norm!r}.")
        if not self.eps > 0 or (self.norm == "linf" and self.eps > 1):
            hint = f"Did you mean {self.eps:g}/255?" if self.eps > 1 else ""
            raise SpecError(f"eps must be > 0 in units of [0, 1] pixels, got {self.eps:g}.", hint)

    def project(self, perturbed: Batch, images: Batch) -> Batch:
        """The nearest point of the ball to `perturbed` (for L2 along the radius), then clipped to [0, 1]."""
        if self.norm == "linf":
            inside = torch.clamp(perturbed, images - self.eps, images + self.eps)
        else:
            delta = perturbed - images
            inside = images + delta * (self.eps / _l2(delta).clamp_min(self.eps))[:, None, None, None]
        return inside.clamp_(0.0, 1.0)

    def excess(self, perturbed: Batch, images: Batch) -> Float[Tensor, batch]:
        """How far each image lies outside the ball or the box, whichever is more; 0 inside."""
        outside_ball = distance(perturbed, images, self.norm) - self.eps
        outside_box = (perturbed - perturbed.clamp(0.0, 1.0)).abs().flatten(1).amax(1)
        return torch.maximum(outside_ball, outside_box).clamp_min(0.0)


def distance(perturbed: Batch, images: Batch, norm: Norm) -> Float[Tensor, batch]:
    """The norm of each perturbation, in units of [0, 1] pixels."""
    delta = perturbed - images
    return delta.abs().flatten(1).amax(1) if norm == "linf" else _l2(delta)


def steepest_ascent(gradient: Batch, norm: Norm) -> Batch:
    """The step of unit length in `norm` along which a linear function of that gradient grows fastest."""
    if norm == "linf":
        return gradient.sign()
    return gradient / _l2(gradient).clamp_min(1e-12)[:, None, None, None]


def _l2(batch: Batch) -> Float[Tensor, batch]:
    """Lengths summed in float64: in float32 those of 224x224 images are wrong in the sixth digit."""
    lengths: Tensor = torch.linalg.vector_norm(batch.flatten(1), dim=1, dtype=torch.float64)
    return lengths.to(batch.dtype)
