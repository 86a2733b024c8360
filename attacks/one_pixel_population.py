"""Populations of one-pixel attacks: positions and colors of a few pixels, and the images that they encode.

Source: Su, Vargas & Sakurai 2019, arXiv:1710.08864, section III.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import AllImages, Labels, SampleIndices

from .window_queries import Windows

Genes: TypeAlias = Float[Tensor, "batch members pixels genes"]
"""Row and column in pixels, then one color value per channel in [0, 1]; `genes` is 2 + channels."""

Members: TypeAlias = Float[Tensor, "batch pixels genes"]
"""Genes of one member per row."""

MEAN_COLOR, COLOR_SPREAD, WHITE = 128, 127, 255

Candidates: TypeAlias = Float[Tensor, "candidates channel height width"]


def first_generation(draws: RandomStreams, population: int, pixels: int, images: AllImages) -> Genes:
    """Draw members with positions uniform in the image and colors from N(128, 127) of 255, clipped.

    Args:
        draws: Random streams of the populations.
        population: Members of each population.
        pixels: Pixels of each member.
        images: Images of the size, dtype and device of those to attack.
    """
    channels = images.shape[1]
    positions = draws.uniform((population, pixels, 2), stream="one-pixel/places").to(images)
    colors = draws.normal((population, pixels, channels), stream="one-pixel/colours").to(images)
    colors = (MEAN_COLOR + COLOR_SPREAD * colors) / WHITE
    return torch.cat((positions * _limits(images)[:2], colors.clamp_(0.0, 1.0)), dim=-1)


def next_generation(members: Genes, mutation: float, draws: RandomStreams, generation: int, images: AllImages) -> Genes:
    """Return a child for every member: a + F (b - c) of three other members, clipped to the image and [0, 1].

    Args:
        members: Genes of the parents, at least four per population.
        mutation: F.
        draws: Random streams of the populations.
        generation: Number of the generation.
        images: Images of the size to attack.
    """
    count, population = members.shape[:2]
    uniform = draws.uniform((population, 3), stream="one-pixel/ancestors", step=generation)
    others = torch.tensor([population - 1, population - 2, population - 3], device=members.device)
    # Offset of each ancestor from the parent; drawn without replacement, so later ones skip earlier ones.
    first, second, third = (uniform * others).long().unbind(2)
    second = second + (second >= first)
    third = third + (third >= torch.minimum(first, second))
    third = third + (third >= torch.maximum(first, second))
    own = torch.arange(1, population + 1, device=members.device)
    flat = members.flatten(2)
    a, b, c = (
        flat.gather(1, ((own + offset) % population)[..., None].expand_as(flat)) for offset in (first, second, third)
    )
    children = torch.add(a, b - c, alpha=mutation).view(count, *members.shape[1:])
    return children.clamp_min_(0.0).minimum(_limits(images))


def corner_genes(numbers: Int64[Tensor, "batch members"], images: AllImages) -> Genes:
    """Return members with extreme colors, numbered over all colors and positions.

    Args:
        numbers: Numbers in [0, 2^channels x height x width); the color varies fastest.
        images: Images of the size, dtype and device of those to attack.
    """
    channels, _, width = images.shape[1:]
    position, corner = numbers // 2**channels, numbers % 2**channels
    colors = [corner >> channel & 1 for channel in range(channels)]
    return torch.stack((position // width, position % width, *colors), dim=-1)[:, :, None].to(images)


def render(members: Members, rows: SampleIndices, images: AllImages) -> Candidates:
    """Return images with the pixels of one member each.

    Positions and colors are rounded to those of an 8-bit image. Of two pixels at one position the later one counts.

    Args:
        members: Genes of one member per candidate.
        rows: Index of the sample that each candidate belongs to.
        images: Clean images of all samples.
    """
    channels, height, width = images.shape[1:]
    candidates = images[rows].flatten(2)
    position, levels = _as_pixels(members, images)
    for pixel in range(members.shape[1]):
        in_all_channels = position[:, pixel, None].expand(-1, channels)
        candidates.scatter_(2, in_all_channels[..., None], (levels[:, pixel] / WHITE)[..., None])
    rendered: Candidates = candidates.unflatten(2, (height, width))
    return rendered


def pixel_windows(members: Members, rows: SampleIndices, labels: Labels, images: AllImages) -> Windows | None:
    """Return where `render`'s images differ from the clean ones; None if it is not one pixel, or not on a CPU.

    Args:
        members: Genes of one member per candidate.
        rows: Index of the sample that each candidate belongs to.
        labels: True class of each candidate.
        images: Clean images of all samples.
    """
    if members.shape[1] > 1 or members.device.type != "cpu":
        return None
    position = _as_pixels(members, images)[0][:, 0]
    width = images.shape[3]
    return Windows(images, rows, position // width, position % width, (1, 1), labels)


def can_encode(pixels: int, images: AllImages) -> bool:
    """Return whether `encode` can number all images that differ in this many pixels.

    Args:
        pixels: Number of changed pixels.
        images: Images of the size to attack.
    """
    return pixels == 1 and images[0, 0].numel() * (WHITE + 1) ** images.shape[1] < 2**63


def encode(genes: Genes, images: AllImages) -> Int64[Tensor, "batch members"]:
    """Return a code of each member's position and color, which is equal if and only if their images are.

    Args:
        genes: Members with one pixel.
        images: Images of the size to attack.
    """
    position, levels = _as_pixels(genes.flatten(0, 1), images)
    code = position[:, 0]
    for level in levels[:, 0].long().unbind(1):
        code = code * (WHITE + 1) + level
    return code.view(genes.shape[:2])


def first_equal(numbers: Int64[Tensor, "batch members"]) -> Int64[Tensor, "batch members"]:
    """Return, for each number, the position of the first equal number in its row.

    Args:
        numbers: Any integers.
    """
    ordered, order = numbers.sort(dim=1, stable=True)
    position = torch.arange(numbers.shape[1], device=numbers.device).expand_as(numbers)
    starts_group = torch.ones_like(numbers, dtype=torch.bool)
    starts_group[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    leader = torch.where(starts_group, position, 0).cummax(1).values
    return torch.empty_like(numbers).scatter_(1, order, order.gather(1, leader))


def _as_pixels(
    members: Members, images: AllImages
) -> tuple[Int64[Tensor, "batch pixels"], Float[Tensor, "batch pixels channel"]]:
    """Return positions in the flattened image, and colors as integers from 0 to 255."""
    _, height, width = images.shape[1:]
    row, column = members[..., 0].long().clamp_max_(height - 1), members[..., 1].long().clamp_max_(width - 1)
    return row * width + column, (members[..., 2:] * WHITE).round_()


def _limits(images: AllImages) -> Float[Tensor, genes]:
    channels, height, width = images.shape[1:]
    return torch.tensor([height, width] + [1] * channels).to(images)
