"""What one-pixel attacks breed: places and colours of a few pixels, and the images they stand for.

Source: Su, Vargas & Sakurai 2019, arXiv:1710.08864, section III.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import AllImages, SampleIndices

Genes: TypeAlias = Float[Tensor, "batch members pixels genes"]
"""Row and column in pixels, then one colour value per channel in [0, 1]; `genes` is 2 + channels."""

Members: TypeAlias = Float[Tensor, "batch pixels genes"]
"""The same, of one member each."""

MEAN_COLOUR, COLOUR_SPREAD, WHITE = 128, 127, 255

Candidates: TypeAlias = Float[Tensor, "candidates channel height width"]


def first_generation(draws: RandomStreams, population: int, pixels: int, images: AllImages) -> Genes:
    """Places uniform in the image, colours from N(128, 127) of 255, clipped."""
    channels = images.shape[1]
    places = draws.uniform((population, pixels, 2), stream="one-pixel/places").to(images)
    colours = draws.normal((population, pixels, channels), stream="one-pixel/colours").to(images)
    colours = (MEAN_COLOUR + COLOUR_SPREAD * colours) / WHITE
    return torch.cat((places * _limits(images)[:2], colours.clamp_(0.0, 1.0)), dim=-1)


def next_generation(members: Genes, mutation: float, draws: RandomStreams, generation: int, images: AllImages) -> Genes:
    """A child for every member: a + F (b - c) of three other members, clipped to the image and the colours."""
    count, population = members.shape[:2]
    uniform = draws.uniform((population, 3), stream="one-pixel/ancestors", step=generation)
    others = torch.tensor([population - 1, population - 2, population - 3], device=members.device)
    # How many members further on each ancestor stands; drawn without replacement, so later ones skip earlier ones.
    first, second, third = (uniform * others).long().unbind(2)
    second = second + (second >= first)
    third = third + (third >= torch.minimum(first, second))
    third = third + (third >= torch.maximum(first, second))
    own = torch.arange(1, population + 1, device=members.device)
    flat = members.flatten(2)
    a, b, c = (
        flat.gather(1, ((own + ahead) % population)[..., None].expand_as(flat)) for ahead in (first, second, third)
    )
    children = torch.add(a, b - c, alpha=mutation).view(count, *members.shape[1:])
    return children.clamp_min_(0.0).minimum(_limits(images))


def corner_genes(numbers: Int64[Tensor, "batch members"], images: AllImages) -> Genes:
    """The members with these numbers among all extreme colours at all places: 2^channels x height x width."""
    channels, _, width = images.shape[1:]
    place, corner = numbers // 2**channels, numbers % 2**channels
    colours = [corner >> channel & 1 for channel in range(channels)]
    return torch.stack((place // width, place % width, *colours), dim=-1)[:, :, None].to(images)


def painted(members: Members, rows: SampleIndices, images: AllImages) -> Candidates:
    """The images of samples `rows` with the pixels of a member each.

    Places and colours are rounded as an 8-bit image has them; of two pixels at one place the later is seen.
    """
    channels, height, width = images.shape[1:]
    candidates = images[rows].flatten(2)
    place, levels = _as_pixels(members, images)
    for pixel in range(members.shape[1]):
        everywhere = place[:, pixel, None].expand(-1, channels)
        candidates.scatter_(2, everywhere[..., None], (levels[:, pixel] / WHITE)[..., None])
    painted: Candidates = candidates.unflatten(2, (height, width))
    return painted


def can_be_coded(pixels: int, images: AllImages) -> bool:
    """Whether `codes` has a number for each image that differs in so many pixels."""
    return pixels == 1 and images[0, 0].numel() * (WHITE + 1) ** images.shape[1] < 2**63


def codes(genes: Genes, images: AllImages) -> Int64[Tensor, "batch members"]:
    """The same number for two members of one pixel if they are the same image: its place and its colours."""
    place, levels = _as_pixels(genes.flatten(0, 1), images)
    code = place[:, 0]
    for level in levels[:, 0].long().unbind(1):
        code = code * (WHITE + 1) + level
    return code.view(genes.shape[:2])


def first_alike(numbers: Int64[Tensor, "batch members"]) -> Int64[Tensor, "batch members"]:
    """For each number of a row where the same number stands first in that row."""
    ordered, order = numbers.sort(dim=1, stable=True)
    place = torch.arange(numbers.shape[1], device=numbers.device).expand_as(numbers)
    begins = torch.ones_like(numbers, dtype=torch.bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    leader = torch.where(begins, place, 0).cummax(1).values
    return torch.empty_like(numbers).scatter_(1, order, order.gather(1, leader))


def _as_pixels(
    members: Members, images: AllImages
) -> tuple[Int64[Tensor, "batch pixels"], Float[Tensor, "batch pixels channel"]]:
    """Places in a flattened image, and colours in whole steps from 0 to 255."""
    _, height, width = images.shape[1:]
    row, column = members[..., 0].long().clamp_max_(height - 1), members[..., 1].long().clamp_max_(width - 1)
    return row * width + column, (members[..., 2:] * WHITE).round_()


def _limits(images: AllImages) -> Float[Tensor, genes]:
    channels, height, width = images.shape[1:]
    return torch.tensor([height, width] + [1] * channels).to(images)
