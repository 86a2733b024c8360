"""Threat models: the norm ball around an image, intersected with the pixel box [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from .errors import SpecError

Norm = Literal["linf", "l2", "l1", "l0"]
NORMS: tuple[str, ...] = get_args(Norm)
LpNorm = Literal["linf", "l2", "l1"]
"""Norms for which a gradient step is defined."""

Batch = Float[Tensor, "batch channel height width"]


@dataclass(frozen=True, slots=True)
class Threat:
    """The set of all images within `eps` of the clean image in `norm` and inside the box [0, 1].

    Raises:
        SpecError: The norm is unknown, or `eps` is not positive or in other units.
    """

    norm: Norm
    """Norm of the perturbation."""
    eps: float
    """Radius in units of [0, 1] pixels; for `l0` a number of pixels, all channels together. Infinity leaves only the
    box, for attacks that search for the closest adversarial image."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.norm not in NORMS:
            raise SpecError(f"norm must be one of {', '.join(NORMS)}, got {self.norm!r}.")
        if self.norm == "l0":
            if not self.eps >= 1 or (self.eps != math.inf and self.eps != int(self.eps)):
                raise SpecError(f"eps must be a number of pixels >= 1 for l0, got {self.eps:g}.")
        elif not self.eps > 0 or (self.norm == "linf" and self.eps > 1 and self.eps != math.inf):
            hint = f"Did you mean {self.eps:g}/255?" if self.eps > 1 else ""
            raise SpecError(f"eps must be > 0 in units of [0, 1] pixels, got {self.eps:g}.", hint)

    @classmethod
    def within(cls, norm: Norm, eps: float | None) -> Threat:
        """Return the threat model of an attack.

        Args:
            norm: Norm of the perturbation.
            eps: Radius, as in `Threat`; None, as minimum-norm attacks have it, leaves only the box.
        """
        return cls(norm, math.inf if eps is None else eps)

    def project(self, perturbed: Batch, images: Batch) -> Batch:
        """Return images inside the ball and the box, close to the perturbed ones.

        The result is the closest point for L-infinity and L1. For L2 the perturbation is scaled, then clipped. For L0
        the pixels that changed most, by their L2 change after clipping, stay changed.

        Args:
            perturbed: Perturbed images, which may lie outside.
            images: Clean images, the centers of the balls.
        """
        if self.eps == math.inf:
            return perturbed.clamp(0.0, 1.0)
        if self.norm == "linf":
            return torch.clamp(perturbed, images - self.eps, images + self.eps).clamp_(0.0, 1.0)
        if self.norm == "l2":
            delta = perturbed - images
            shrink = (self.eps / _l2(delta).clamp_min(self.eps))[:, None, None, None]
            return (images + delta * shrink).clamp_(0.0, 1.0)
        return self._nearest_l1(perturbed, images) if self.norm == "l1" else self._nearest_l0(perturbed, images)

    def projection(self, images: Batch) -> Callable[[Batch], Batch]:
        """Return `project` for one set of clean images, for many steps: what depends on them alone is computed once.

        Args:
            images: Clean images in [0, 1], the centers of the balls.
        """
        if self.norm != "linf" or self.eps == math.inf:
            return partial(self.project, images=images)
        low, high = self.bounds(images)
        return partial(torch.clamp, min=low, max=high)

    def bounds(self, images: Batch) -> tuple[Batch, Batch]:
        """Return the smallest and the largest value of every pixel in an L-infinity ball of finite radius.

        Args:
            images: Clean images in [0, 1], the centers of the balls.
        """
        return (images - self.eps).clamp_min_(0.0), (images + self.eps).clamp_max_(1.0)

    def excess(self, perturbed: Batch, images: Batch) -> Float[Tensor, batch]:
        """Return how far each image lies outside the ball or the box, whichever is more, shape (batch,); 0 inside.

        Args:
            perturbed: Perturbed images.
            images: Clean images, the centers of the balls.
        """
        outside_ball = distance(perturbed, images, self.norm) - self.eps
        outside_box = (perturbed - perturbed.clamp(0.0, 1.0)).abs().flatten(1).amax(1)
        return torch.maximum(outside_ball, outside_box).clamp_min(0.0)

    def _nearest_l1(self, perturbed: Batch, images: Batch) -> Batch:
        """Soft thresholding with a cap: the solution is sign(d) min(room, max(|d| - t, 0)) for one t >= 0.

        Source: Croce & Hein 2021, arXiv:2103.01208, Proposition 2.1; there t is found by sorting the kinks.
        Differs: the result lies a millionth inside the ball, so that rounding thousands of pixels does not leave it.
        """
        delta, clean = (perturbed - images).flatten(1), images.flatten(1)
        size, room = delta.abs(), room_ahead(delta, clean)
        outside = torch.minimum(size, room).sum(1, dtype=torch.float64) > self.eps
        nearest = perturbed.clamp(0.0, 1.0).flatten(1)
        if outside.any():
            size, room, delta, clean = (tensor[outside] for tensor in (size, room, delta, clean))
            inside = self.eps * (1 - 1e-6)
            shrunk = torch.minimum((size - _l1_threshold(size, room, inside)).clamp_min_(0), room)
            # Far outside the ball, rounding makes the threshold imprecise: scaling removes the excess.
            length = shrunk.sum(1, keepdim=True, dtype=torch.float64)
            shrunk *= (inside / length.clamp_min(inside)).to(shrunk.dtype)
            nearest[outside] = (clean + shrunk.copysign_(delta)).clamp_(0.0, 1.0)
        return nearest.view_as(images)

    def _nearest_l0(self, perturbed: Batch, images: Batch) -> Batch:
        inside = perturbed.clamp(0.0, 1.0)
        change = (inside - images).square().sum(1).flatten(1)
        if self.eps >= change.shape[1]:
            return inside
        keep = torch.zeros_like(change, dtype=torch.bool)
        keep.scatter_(1, change.topk(int(self.eps), dim=1).indices, True)
        return torch.where(keep.view_as(images[:, :1]), inside, images)


def distance(perturbed: Batch, images: Batch, norm: Norm) -> Float[Tensor, batch]:
    """Return the norm of each perturbation, shape (batch,).

    Args:
        perturbed: Perturbed images.
        images: Clean images.
        norm: Norm; for `l0` the result is the number of changed pixels, else it is in units of [0, 1] pixels.
    """
    delta = perturbed - images
    if norm == "linf":
        return delta.abs().flatten(1).amax(1)
    if norm == "l2":
        return _l2(delta)
    if norm == "l1":
        return delta.flatten(1).abs().sum(1, dtype=torch.float64).to(delta.dtype)
    return (delta != 0).any(1).flatten(1).sum(1).to(delta.dtype)


def steepest_ascent(gradient: Batch, norm: Norm) -> Batch:
    """Return the step of length 1 along which a linear function with this gradient grows fastest.

    Args:
        gradient: Gradient of every image.
        norm: Norm of the step, `linf` or `l2`.

    Raises:
        SpecError: The norm is another one.
    """
    if norm == "linf":
        return gradient.sign()
    if norm == "l2":
        return gradient / _l2(gradient).clamp_min(1e-12)[:, None, None, None]
    raise SpecError(f"No gradient step is defined for {norm}.", "Use linf or l2.")


def room_ahead(direction: Tensor, images: Tensor) -> Tensor:
    """Return how far each pixel can move before it leaves the box [0, 1]: 1 - x upwards, x downwards.

    Equal to `torch.where(direction > 0, 1 - images, images)`, which takes ten times as long on a CPU. Meaningless where
    the direction is 0.

    Args:
        direction: Direction of every pixel; only the sign counts.
        images: Pixels in [0, 1], of the same shape.
    """
    return direction.sign().mul_(0.5).add_(0.5).sub_(images).abs_()


def _l1_threshold(size: Tensor, room: Tensor, eps: float) -> Tensor:
    """The t >= 0 of each row at which sum(min(room, max(size - t, 0))) is eps; at t = 0 the sum must exceed it.

    The sum decreases piecewise linearly in t. Newton's step is exact on a piece; bisection takes over where the step
    would leave the bracket, where the sum is flat, and after too many steps. A dozen iterations suffice, each far
    cheaper than sorting the kinks.
    """
    low = torch.zeros(len(size), 1, dtype=size.dtype, device=size.device)
    high = size.amax(1, keepdim=True)
    threshold = low.clone()
    above, below = torch.empty_like(size), torch.empty_like(size)
    for iteration in range(100):
        remaining = size - threshold
        torch.gt(remaining, 0, out=above)  # as numbers: counting booleans takes several times as long
        torch.lt(remaining, room, out=below)
        slope = above.mul_(below).sum(1, keepdim=True)
        length = torch.minimum(remaining.clamp_min_(0), room).sum(1, keepdim=True)
        low, high = torch.where(length > eps, threshold, low), torch.where(length > eps, high, threshold)
        newton = threshold + (length - eps) / slope.clamp_min(1)
        usable = (newton > low) & (newton < high) & (slope > 0) & (iteration < 15 or iteration % 2 == 0)
        following = torch.where(usable, newton, (low + high) / 2)
        settled = ((length - eps).abs() <= 1e-7 * eps) | ((following - threshold).abs() <= 1e-8)
        threshold = torch.where(settled, threshold, following)
        if settled.all():
            break
    return threshold


def _l2(batch: Batch) -> Float[Tensor, batch]:
    """Lengths, summed in float64: in float32 those of 224x224 images are wrong in the sixth digit."""
    lengths: Tensor = torch.linalg.vector_norm(batch.flatten(1), dim=1, dtype=torch.float64)
    return lengths.to(batch.dtype)
