"""Preconditions of an attack: valid images and labels, and a frozen model in eval mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import DataError, ModelError, UsageError
from robustbench_eff.core.types import Images, ImagesToLogits, Labels


class AttackInputs(NamedTuple):
    """Images and labels as attacks work on them."""

    images: Images
    """Detached from any graph."""
    labels: Labels
    """int64, on the device of the images."""


def attack_inputs(images: Images, labels: Labels) -> AttackInputs:
    """Return images and labels as attacks work on them; the first line of every attack.

    Args:
        images: Tensor; its values are checked when the attack opens its oracle.
        labels: Tensor of any integer type, on any device.

    Raises:
        DataError: If one of them is not a tensor, or the labels are not integers.
        UsageError: Inside `torch.inference_mode()`, in which there are no gradients.
    """
    for name, value in (("images", images), ("labels", labels)):
        if not isinstance(value, Tensor):
            how = f"Pass torch.as_tensor({name})." if hasattr(value, "__array__") or isinstance(value, list) else ""
            got = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
            raise DataError(f"An attack takes tensors of images and labels, got {got} for the {name}.", how)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        hint = "Pass labels.argmax(1) for one-hot labels." if labels.ndim == 2 else "Pass labels.long()."
        raise DataError(f"An attack takes labels that are indices of classes, got {labels.dtype}.", hint)
    if torch.is_inference_mode_enabled():
        raise UsageError("An attack cannot run inside torch.inference_mode().", "Use torch.no_grad(), or nothing.")
    plain = images.clone() if images.is_inference() else images.detach()  # only a copy can be used in a graph
    return AttackInputs(plain, labels.to(images.device, torch.int64))


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
            f"An attack takes float images of shape (N, C, H, W), got {images.dtype} {tuple(images.shape)}.",
            "Pass images / 255." if images.dtype == torch.uint8 else "",
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
        ModelError: If the module is in train mode, or the classifier cannot be called.
    """
    if not callable(classifier):
        raise ModelError(
            f"An attack takes a model that maps images to logits, got {type(classifier).__name__}.",
            "Pass an nn.Module in eval mode; load_classifier(name) returns one.",
        )
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
