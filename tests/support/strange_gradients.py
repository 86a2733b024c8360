"""Networks whose gradients or scales are unusual, one function each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plain_digits import base
from strange_answers import Around


def in_place() -> nn.Module:
    """The input itself is overwritten."""
    return Around(lambda body, images: body(images.sub_(0.5).mul_(2).add_(1).div_(2)))


def in_place_of_a_leaf() -> nn.Module:
    """The storage of the input is overwritten behind autograd's back."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        logits = body(images)
        images.data.zero_()
        return logits

    return Around(forward)


def in_place_activations() -> nn.Module:
    body = base()
    for layer in body:
        if isinstance(layer, nn.ReLU):
            layer.inplace = True
    return body


def in_place_first() -> nn.Module:
    return nn.Sequential(nn.ReLU(inplace=True), base()).eval()


def without_gradient() -> nn.Module:
    return Around(lambda body, images: torch.no_grad()(body)(images))


def inference_forward() -> nn.Module:
    return Around(lambda body, images: torch.inference_mode()(body)(images))


def detached() -> nn.Module:
    return Around(lambda body, images: body(images.detach()))


def detached_output() -> nn.Module:
    return Around(lambda body, images: body(images).detach())


def through_numpy() -> nn.Module:
    return Around(lambda body, images: body(torch.from_numpy(images.detach().cpu().numpy())))


def switches_gradients_off() -> nn.Module:
    """It leaves `torch.set_grad_enabled(False)` behind."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        torch.set_grad_enabled(False)
        return body(images)

    return Around(forward)


def estimator() -> nn.Module:
    """A classifier of scikit-learn, fitted on the answers of the network."""
    from sklearn.linear_model import RidgeClassifier

    from plain_digits import images_and_labels

    images, labels = images_and_labels(360)
    fitted = RidgeClassifier(alpha=100).fit(images.flatten(1).numpy(), labels.numpy())

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        scores = fitted.decision_function(images.detach().flatten(1).double().numpy())
        return torch.from_numpy(np.asarray(scores, dtype=np.float32))

    return Around(forward, nn.Identity())


def rounding() -> nn.Module:
    return Around(lambda body, images: body((images * 15).round() / 15))


def straight_through() -> nn.Module:
    """Rounding whose gradient is the identity's."""
    return Around(lambda body, images: body(images + ((images * 15).round() / 15 - images).detach()))


class Killed(torch.autograd.Function):
    """The identity, with a gradient of zeros."""

    @staticmethod
    def forward(context: Any, images: Tensor) -> Tensor:
        return images.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient)


def killed_gradients() -> nn.Module:
    return Around(lambda body, images: body(Killed.apply(images)))


def signs() -> nn.Module:
    """Binary pixels, as of a binarised network without a straight-through gradient."""
    return Around(lambda body, images: body((images - 0.5).sign() / 2 + 0.5))


def argmax_inside() -> nn.Module:
    return Around(lambda body, images: nn.functional.one_hot(body(images).argmax(1), 10).float())


def saturated() -> nn.Module:
    return Around(lambda body, images: 1e4 * body(images))


def huge() -> nn.Module:
    return Around(lambda body, images: 1e30 * body(images))


def tiny() -> nn.Module:
    return Around(lambda body, images: 1e-4 * body(images))


def constant() -> nn.Module:
    return Around(lambda body, images: 0 * body(images) + torch.arange(10.0))


def gradients_of_nan() -> nn.Module:
    """Finite logits whose gradient is 0 times infinity wherever a pixel is black."""
    return Around(lambda body, images: body(images) + 0 * images.sqrt().sum((1, 2, 3))[:, None])


def purifies() -> nn.Module:
    """A step of the network's own gradient before the answer, as of a purifier, without a gradient through it."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        with torch.enable_grad():
            free = images.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(body(free).logsumexp(1).sum(), free)
        return body((images.detach() + 0.01 * gradient.sign()).clamp(0, 1))

    return Around(forward)


def purifies_differentiably() -> nn.Module:
    """The same, with the identity's gradient through the step."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        with torch.enable_grad():
            free = images.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(body(free).logsumexp(1).sum(), free)
        return body((images + 0.01 * gradient.sign()).clamp(0, 1))

    return Around(forward)


def asks_for_gradients() -> nn.Module:
    return Around(lambda body, images: body(images.requires_grad_() if images.is_leaf else images))


def checkpointed() -> nn.Module:
    from torch.utils.checkpoint import checkpoint

    return Around(lambda body, images: checkpoint(body, images, use_reentrant=False))


def frozen() -> nn.Module:
    return base().requires_grad_(False)


def made_in_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return base()
