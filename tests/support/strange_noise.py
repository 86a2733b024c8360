"""Networks that draw random numbers, one function each."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor, nn

from plain_digits import base
from strange_answers import Around

SIGMA = 0.3


def noise() -> nn.Module:
    return Around(lambda body, images: body(images + SIGMA * torch.randn_like(images)))


def noise_of_its_own_generator() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    return Around(lambda body, images: body(images + SIGMA * torch.randn(images.shape, generator=generator)))


def noise_of_numpy() -> nn.Module:
    draws = np.random.default_rng(0)
    return Around(lambda body, images: body(images + SIGMA * torch.from_numpy(draws.normal(size=images.shape)).float()))


def noise_of_numpys_global_state() -> nn.Module:
    return Around(
        lambda body, images: body(images + SIGMA * torch.from_numpy(np.random.normal(size=images.shape)).float())
    )


def noise_seeded_inside() -> nn.Module:
    def forward(body: nn.Module, images: Tensor) -> Tensor:
        torch.manual_seed(0)
        return body(images + SIGMA * torch.randn_like(images))

    return Around(forward)


def noise_of_each_image() -> nn.Module:
    """Noise that the image itself seeds: a function of the image, if a wild one."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        seeds = [hash(image.numpy().tobytes()) % 2**31 for image in images.detach()]
        noise = [torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return body(images + 0.1 * torch.stack(noise))

    return Around(forward)


def noise_once_and_for_all() -> nn.Module:
    noise = 0.1 * torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))
    return Around(lambda body, images: body(images + noise))


def noise_on_the_weights() -> nn.Module:
    """A Bayesian layer: other weights at every call."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        features = body[:-1](images)
        return features @ (body[-1].weight + 0.5 * torch.randn_like(body[-1].weight)).T

    return Around(forward)


def dropout_on_purpose() -> nn.Module:
    return Around(lambda body, images: body[-1](nn.functional.dropout(body[:-1](images), 0.5, training=True)))


def random_resize_and_pad() -> nn.Module:
    def forward(body: nn.Module, images: Tensor) -> Tensor:
        size = random.randint(24, 31)
        left, top = random.randint(0, 32 - size), random.randint(0, 32 - size)
        small = nn.functional.interpolate(images, size=size)
        return body(nn.functional.pad(small, (left, 32 - size - left, top, 32 - size - top)))

    return Around(forward)


def random_member() -> nn.Module:
    members = [base(), nn.Sequential(nn.AvgPool2d(3, 1, 1), base()).eval()]
    return Around(lambda body, images: random.choice(members)(images), nn.Identity())
