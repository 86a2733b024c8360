"""Preconditions of an attack: valid images and labels, and a frozen model in eval mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from robustbench_eff.core.errors import DataError, ModelError
from robustbench_eff.core.types import Images, ImagesToLogits, Labels


def check_images(images: Images, labels: Labels) -> None:
    """Check the input of an attack.

    Args:
        images: Must be float, in [0, 1], of shape (batch, channel, height, width).
        labels: Must have shape (batch,).

    Raises:
        DataError: If they are not.
    """
    if images.ndim != 4 or not images.is_floating_point():
        raise DataError(
            f"An attack takes float images of shape (N, C, H, W), got {images.dtype} {tuple(images.shape)}."
        )
    if labels.shape != images.shape[:1]:
        raise DataError(f"{len(images)} images need as many labels, got shape {tuple(labels.shape)}.")
    if len(images) and not (images.amin() >= 0 and images.amax() <= 1):  # not (... >= ...) also catches NaN
        low, high = images.amin().item(), images.amax().item()
        raise DataError(
            f"An attack takes images in [0, 1], got values from {low:.3g} to {high:.3g}.",
            "Put the normalisation inside the model, and pass unnormalised pixels.",
        )


@contextmanager
def frozen_parameters(classifier: ImagesToLogits) -> Iterator[None]:
    """Switch off the gradients of the parameters, which no attack needs, inside a `with` block.

    Args:
        classifier: A module in eval mode; other callables are left alone.

    Raises:
        ModelError: If the module is in train mode.
    """
    if not isinstance(classifier, nn.Module):
        yield
        return
    if any(getattr(module, "training", False) for module in classifier.modules()):
        raise ModelError(
            "The model is in train mode: batch norm and dropout would make samples depend on each other.",
            "Call model.eval() first.",
        )
    trainable = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
