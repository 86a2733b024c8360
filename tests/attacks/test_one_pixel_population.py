"""Populations and images of the one-pixel attack, and the codes that identify equal images."""

from __future__ import annotations

import itertools

import pytest
import torch

from robustbench_eff.attacks.one_pixel_population import (
    can_encode,
    encode,
    first_equal,
    first_generation,
    next_generation,
    render,
)
from robustbench_eff.core.rng import RandomStreams


def test_a_child_has_three_different_ancestors_none_of_which_is_its_parent() -> None:
    population = 5
    values = torch.tensor([7.0**power for power in range(population)])
    members = torch.full((1, population, 1, 5), 0.5)
    members[0, :, 0, 0] = 5000 + values
    images = torch.zeros(1, 3, 10_000, 1)
    seen = set()
    for generation in range(60):
        children = next_generation(members, 0.5, RandomStreams.of(0, [0]), generation, images)
        for parent, child in enumerate(children[0, :, 0, 0].tolist()):
            others = [member for member in range(population) if member != parent]
            matches = [
                trio
                for trio in itertools.permutations(others, 3)
                if abs(5000 + values[trio[0]] + (values[trio[1]] - values[trio[2]]) / 2 - child) < 1e-2
            ]
            assert len(matches) == 1
            seen.add((parent, *matches[0]))
    assert len(seen) > 0.85 * population * 24  # of 120; all are equally likely


def test_the_first_generation_is_drawn_as_in_the_paper() -> None:
    genes = first_generation(RandomStreams.of(0, range(50)), 400, 1, torch.zeros(1, 3, 8, 40)).flatten(0, 2)
    assert genes[:, :2].min() >= 0
    assert (genes[:, 0] < 8).all()
    assert (genes[:, 1] < 40).all()
    assert torch.allclose(genes[:, :2].mean(0), torch.tensor([4.0, 20.0]), rtol=0.02)
    colours = genes[:, 2:]
    # N(128, 127) lies below 0 with probability 0.1567, above 255 with 0.1587.
    assert (colours == 0).double().mean() == pytest.approx(0.1567, abs=0.01)
    assert (colours == 1).double().mean() == pytest.approx(0.1587, abs=0.01)


def test_children_stay_inside_the_image_and_the_color_range() -> None:
    images = torch.zeros(1, 3, 8, 40)
    members = first_generation(RandomStreams.of(0, range(20)), 50, 2, images)
    children = next_generation(members, 2.0, RandomStreams.of(0, range(20)), 0, images)
    assert children.min() == 0
    for gene, limit in enumerate((8, 40, 1, 1, 1)):
        assert children[..., gene].max() == limit
    rows = torch.zeros(1000, dtype=torch.int64)
    assert render(children.flatten(0, 1), rows, images).shape == (1000, 3, 8, 40)


def test_pixels_are_rendered_at_the_position_and_in_the_color_of_the_genes() -> None:
    images = torch.stack([torch.full((3, 4, 6), 0.2), torch.full((3, 4, 6), 0.6)])
    genes = torch.zeros(4, 2, 5)
    genes[2] = torch.tensor([[3.9, 5.2, 1.0, 0.5, 0.0], [4.0, 6.0, 0.0, 0.0, 1.0]])  # both the last pixel
    genes[1] = torch.tensor([[1.0, 2.0, 0.0, 1.0, 0.0], [2.0, 1.0, 1.0, 1.0, 1.0]])
    candidates = render(genes, torch.tensor([1, 0, 1, 0]), images)
    expected = images[[1, 0, 1, 0]].clone()
    expected[0, :, 0, 0] = expected[3, :, 0, 0] = 0
    expected[2, :, 3, 5] = torch.tensor([0.0, 0.0, 1.0])
    expected[1, :, 1, 2] = torch.tensor([0.0, 1.0, 0.0])
    expected[1, :, 2, 1] = 1
    assert torch.equal(candidates, expected)
    fine = render(torch.tensor([[[0.0, 0.0, 0.3001, 0.7004, 0.5]]]), torch.tensor([0]), images)[0, :, 0, 0] * 255
    assert torch.allclose(fine, fine.round(), atol=1e-4)


def test_the_first_equal_number_is_found_in_every_row() -> None:
    numbers = torch.tensor([[7, 3, 7, 7, 3, 1], [2, 2, 2, 2, 2, 2], [5, 4, 3, 2, 1, 0]])
    expected = [[0, 1, 0, 0, 1, 5], [0] * 6, [0, 1, 2, 3, 4, 5]]
    assert first_equal(numbers).tolist() == expected


def test_images_have_the_same_code_if_and_only_if_they_are_equal() -> None:
    images = torch.full((1, 3, 4, 6), 0.3)
    genes = torch.rand(1, 400, 1, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([2, 2, 0.3, 0, 0])
    numbers = encode(genes, images)[0]
    candidates = render(genes[0], torch.zeros(400, dtype=torch.int64), images).flatten(1)
    same = (candidates[:, None] == candidates).all(2)
    assert torch.equal(numbers[:, None] == numbers, same)
    assert same.sum() > 450
    assert can_encode(1, images)
    assert not can_encode(2, images)
    assert not can_encode(1, torch.zeros(1, 7, 64, 64))
