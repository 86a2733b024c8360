"""Label-preserving augmentation of a whole batch at once: random shifts, mirror images and crops."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional

from robustbench_eff.core.types import Images


def shifted(images: Images, reach: int, generator: torch.Generator) -> Images:
    """Return each image shifted by its own random number of whole pixels; the uncovered edge is black.

    Args:
        images: Images in [0, 1].
        reach: Largest shift in each direction, in pixels; 0 returns the images unchanged.
        generator: Source of the shifts, on the CPU.
    """
    if not reach:
        return images
    count, channels, height, width = images.shape
    down, across = torch.randint(2 * reach + 1, (2, count), generator=generator).to(images.device)
    padded = functional.pad(images, (reach,) * 4).permute(0, 2, 3, 1)
    sample, row, column = (torch.arange(size, device=images.device) for size in (count, height, width))
    rows = padded.shape[1] * sample[:, None] + down[:, None] + row
    pixels = padded.shape[2] * rows[:, :, None] + across[:, None, None] + column
    moved = padded.reshape(-1, channels).index_select(0, pixels.flatten())
    return moved.view(count, height, width, channels).permute(0, 3, 1, 2)


def mirrored(images: Images, generator: torch.Generator) -> Images:
    """Return the images, each flipped horizontally with probability 1/2.

    Args:
        images: Images in [0, 1].
        generator: Source of the decisions, on the CPU.
    """
    mirror = torch.rand(len(images), generator=generator).to(images.device) < 0.5
    return torch.where(mirror[:, None, None, None], images.flip(3), images)


def cropped(images: Images, smallest: float, generator: torch.Generator) -> Images:
    """Return a random rectangle of each image, resized bilinearly to the full size.

    Args:
        images: Images in [0, 1].
        smallest: Smallest area of a rectangle as a share of the image, above 0; 1 returns the images unchanged. Sides
            are from 3:4 to 4:3.
        generator: Source of the rectangles, on the CPU.

    Source:
        Szegedy et al. 2015, arXiv:1409.4842, section 6.

    Differs:
        A rectangle that would not fit is clipped to the image, where torchvision draws again.
    """
    if smallest >= 1:
        return images
    count = len(images)
    draws = torch.rand((4, count), generator=generator)
    area = smallest + (1 - smallest) * draws[0]
    aspect = torch.exp((2 * draws[1] - 1) * math.log(4 / 3))
    width, height = (area * aspect).sqrt().clamp_max(1), (area / aspect).sqrt().clamp_max(1)
    across, down = (2 * draws[2] - 1) * (1 - width), (2 * draws[3] - 1) * (1 - height)
    zero = torch.zeros(count)
    rows = torch.stack((torch.stack((width, zero, across), 1), torch.stack((zero, height, down), 1)), 1)
    grid = functional.affine_grid(rows.to(images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
