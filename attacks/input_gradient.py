"""Gradient of a loss with respect to the pixels, accurate for models that compute in 16 bits."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core import progress
from robustbench_eff.core.accelerators import steps_between_readings
from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.fused import compiles_on, fused
from robustbench_eff.core.quantized import without_gradient
from robustbench_eff.core.types import Images, ImagesToLogits, Logits, PerSample

from .losses import Classes, Loss

NO_GRADIENT = (
    "The model's output does not depend on its input through autograd.",
    "Remove torch.no_grad() or detach() from its forward, or use an attack without gradients: square or one_pixel.",
)
WITHOUT_GRADIENTS = (
    "the attacks that work on it are those without gradients, square and one_pixel, and of Foolbox those on decisions, "
    "such as foolbox:BoundaryAttack"
)
"""End of the message about a network without gradients."""
ON_ITS_TWIN = "Or find images on the float32 network: 'pgd(eps=4/255) from path/to/file.py:factory'."
"""Hint of that message."""
SMALLEST_SCALE, LARGEST_SCALE = 2.0**-100, 2.0**100
"""Bounds on the powers of two that scale slopes, so that their inverses are float32 numbers too."""
ScaledSlope: TypeAlias = tuple[Logits, Float[Tensor, "batch 1"]]


def check_differentiable(model: object) -> None:
    """Raise ModelError for a network with integer layers or outside of torch: its gradient is missing, or lacks a part.

    Args:
        model: Any network.
    """
    if why := without_gradient(model):
        raise ModelError(f"The network {why}, which has no gradient: {WITHOUT_GRADIENTS}.", ON_ITS_TWIN)


def gradient_in_batches(
    model: ImagesToLogits, images: Images, classes: Classes, loss: Loss, batches: Batches
) -> tuple[Logits, Images]:
    """Return `logits_and_gradient` of any number of images.

    Args:
        model: Maps images in [0, 1] to logits.
        images: Images in [0, 1].
        classes: Labels, or labels and targets side by side, as `loss` takes them.
        loss: Maps logits and classes to one value per image.
        batches: Size of the batches.
    """
    answers = batches.map(partial(logits_and_gradient, model, loss=loss), images, classes)
    if len(answers) == 1:
        return answers[0]
    return torch.cat([logits for logits, _ in answers]), torch.cat([gradient for _, gradient in answers])


def logits_and_gradient(model: ImagesToLogits, images: Images, classes: Classes, loss: Loss) -> tuple[Logits, Images]:
    """Return logits, and the gradient of each image's own loss with respect to its pixels.

    Args:
        model: Maps images in [0, 1] to logits.
        images: Images in [0, 1].
        classes: Labels, or labels and targets side by side, as `loss` takes them.
        loss: Maps logits and classes to one value per image.

    Returns:
        Logits, shape (batch, classes), and gradients, with the shape of `images`.

    Raises:
        ModelError: If the logits do not depend on the pixels through autograd.
    """
    pixels = images.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = model(pixels)
        if not logits.requires_grad:
            raise ModelError(*NO_GRADIENT)
    slope, scale = (_fused_slope if compiles_on(logits.device) else _slope)(logits.detach(), classes, loss)
    (gradient,) = torch.autograd.grad(logits, pixels, slope, allow_unused=True)
    if gradient is None:
        raise ModelError(*NO_GRADIENT)
    progress.passed(2 * len(images))
    # The low-precision copy's gradient is channels-last, and arithmetic on mixed layouts is several times slower.
    return logits.detach(), gradient.contiguous() * scale[..., None, None]


def _slope(logits: Logits, classes: Classes, loss: Loss) -> ScaledSlope:
    """Return the gradient of each image's own loss with respect to its logits, divided by a power of two, and that."""
    logits = logits.requires_grad_(True)  # a leaf, so that autograd does not walk through the network for it
    with torch.enable_grad():
        losses = loss(logits, classes)
        # Of each alone, so that no sample's gradient depends on the size of the batch.
        (slope,) = torch.autograd.grad(losses, logits, torch.ones_like(losses))
    return _scaled(slope)


@fused
def _fused_slope(logits: Logits, classes: Classes, loss: Loss) -> ScaledSlope:
    """Return the same in a form that the compiler takes."""

    def total(values: Logits) -> Tensor:
        return loss(values, classes).sum()

    slope: Logits = torch.func.grad(total)(logits)
    return _scaled(slope)


def _scaled(slope: Logits) -> ScaledSlope:
    """Scale the largest entry of each slope to about 1 for the backward pass through the network.

    Where the network is confident, the slope of the cross-entropy is too small for 16 bits. Powers of two are exact.
    """
    largest = slope.abs().amax(1, keepdim=True).clamp(SMALLEST_SCALE / 2, LARGEST_SCALE / 2)
    scale = largest / torch.frexp(largest).mantissa
    return slope / scale, scale


def without_nan(gradient: Images) -> tuple[Images, PerSample]:
    """Replace every NaN of gradients with zero, and infinities with the largest number.

    Args:
        gradient: Gradients of some images.

    Returns:
        The gradients, and a number for each: 0 where the gradient was zero in every pixel, NaN where it had a NaN.
    """
    flat = gradient.flatten(1)
    if steps_between_readings(gradient.device) == 1:  # a sum tells nearly always that there is nothing to replace
        sums = flat.sum(1)
        if ((sums != 0) & sums.isfinite()).all():
            return gradient, sums
    return _without_nan(gradient)


@fused
def _without_nan(gradient: Images) -> tuple[Images, PerSample]:
    return gradient.nan_to_num(), gradient.flatten(1).abs().amax(1)
