"""Compiled loops give the bytes of the torch programs, and draw the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest, poisson

from robustbench_eff import corruptions
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import DEFOCUS_BLUR, SHOT_NOISE, Kernel, random
from robustbench_eff.corruptions.corruption import Constants
from robustbench_eff.corruptions.shot_noise import counts
from robustbench_eff.testing.corruptions import example_batch

pytest.importorskip("numba", reason="without it only the torch programs run")

KERNELS = {
    kernel.name: kernel for kernel in vars(corruptions).values() if isinstance(kernel, Kernel) and kernel.compiled
}


def pictures() -> tuple[torch.Tensor, RandomStreams]:
    """Smooth ones, one of noise, one of a single colour with black, white and grey channels."""
    smooth = example_batch().pixels
    noise = torch.randint(0, 256, smooth[:1].shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    flat = torch.tensor([255, 0, 128], dtype=torch.uint8).expand_as(noise)
    return torch.cat((smooth, noise, flat)), RandomStreams.of(5, range(len(smooth) + 2))


@pytest.mark.parametrize("constants", ["imagenet", "cifar10"])
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_compiled_loops_give_the_same_bytes(name: str, constants: Constants) -> None:
    kernel = KERNELS[name]
    if constants not in kernel.severities:
        pytest.skip(f"{name} does not define constants for {constants}")
    pixels, draws = pictures()
    for value in kernel.severities[constants]:
        sampled = kernel.sample(draws, (pixels.shape[1], pixels.shape[2]), value)
        assert torch.equal(kernel.compiled(pixels, value, *sampled), kernel.apply(pixels, value, *sampled)), value


def test_images_that_are_no_squares_are_no_obstacle() -> None:
    pixels, draws = pictures()
    oblong = pixels[:, :, :20].contiguous()
    for kernel in KERNELS.values():
        value = kernel.severities["imagenet"][2]
        sampled = kernel.sample(draws, (oblong.shape[1], oblong.shape[2]), value)
        assert torch.equal(kernel.compiled(oblong, value, *sampled), kernel.apply(oblong, value, *sampled)), kernel.name


@pytest.mark.parametrize("constants", ["imagenet", "cifar10"])
def test_defocus_blur_of_flat_images_and_edges_has_the_same_bytes(constants: Constants) -> None:
    """Where the rough result is nearly a whole level everywhere, and where it seldom is."""
    flat = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 24, 26, 3)
    edges = flat.clone()
    edges[:, 12:] = 255
    pixels = torch.cat((flat, edges))
    for lens in DEFOCUS_BLUR.severities[constants]:
        assert torch.equal(DEFOCUS_BLUR.compiled(pixels, lens), DEFOCUS_BLUR.apply(pixels, lens)), lens


@pytest.mark.parametrize("shape", [(1,), (7, 5, 3), (64, 64)])
def test_the_same_numbers_are_drawn_with_and_without_compiled_loops(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    draws = RandomStreams.of(3, range(4)).fork(torch.tensor([0, 1, 2, 5]))
    compiled = random.uniforms(draws, shape, "a"), random.normals(draws, shape, "a")
    monkeypatch.setattr(random, "can_compile", lambda: False)
    plain = random.uniforms(draws, shape, "a"), random.normals(draws, shape, "a")
    assert torch.equal(compiled[0], plain[0])
    assert torch.equal(compiled[1], plain[1])
    assert torch.equal(plain[0], draws.uniform(shape, stream="a"))


def test_normal_numbers_are_normal() -> None:
    numbers = random.normals(RandomStreams.of(0, range(40)), (5000,), "ks").double().flatten().numpy()
    assert kstest(numbers, "norm").pvalue > 0.001
    assert numbers.mean() == pytest.approx(0, abs=0.01)
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert abs((numbers**4).mean() - 3) < 0.1
    neighbours = np.corrcoef(numbers[:-1], numbers[1:])[0, 1]
    assert abs(neighbours) < 0.01


@pytest.mark.parametrize("photons", SHOT_NOISE.severities["imagenet"])
def test_photons_are_those_of_the_poisson_distribution(photons: int) -> None:
    levels = torch.tensor([1, 17, 128, 255], dtype=torch.uint8)
    pixels = levels.view(1, 1, 4, 1).expand(1, 3, 4, 3).contiguous()
    expected = photons * levels.double().numpy() / 255
    for u in (0.0, 0.001, 0.3, 0.5, 0.9, 0.9999):
        found = counts(pixels, photons, torch.full(pixels.shape, u))[0, 0, :, 0]
        at_most, below = poisson.cdf(found, expected), poisson.cdf(found - 1, expected)
        assert (at_most > u).all()
        assert (below <= u + 1e-7).all()
