"""Gradient of a loss with respect to the pixels, accurate for models that compute in 16 bits."""

from __future__ import annotations

from functools import partial

import torch

from robustbench_eff.core import progress
from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.quantized import without_gradient
from robustbench_eff.core.types import Images, ImagesToLogits, Logits

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
LARGEST_EXPONENT = 100
"""Bound on the exponents of the powers of two that scale slopes, so that their inverses are float32 numbers too."""


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
        # The sum, so that no sample's gradient depends on the size of the batch.
        (slope,) = torch.autograd.grad(loss(logits, classes).sum(), logits)
    # The largest entry of each sample's slope is scaled to about 1 for the backward pass through the network: where
    # the network is confident, the slope of the cross-entropy is too small for 16 bits. Powers of two are exact.
    _, exponent = torch.frexp(slope.abs().amax(1, keepdim=True))
    exponent = exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)
    (gradient,) = torch.autograd.grad(logits, pixels, torch.ldexp(slope, -exponent), allow_unused=True)
    if gradient is None:
        raise ModelError(*NO_GRADIENT)
    progress.passed(2 * len(images))
    # The low-precision copy's gradient is channels-last, and arithmetic on mixed layouts is several times slower.
    return logits.detach(), torch.ldexp(gradient.contiguous(), exponent[..., None, None])
