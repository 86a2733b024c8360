"""Every row of the corruption table passes the battery, the battery can fail, and plugins work like own rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
import torch

from robustbench_eff.core.errors import DataError, SpecError, UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import GAUSSIAN_NOISE, Corruption, Kernel
from robustbench_eff.registry import plugins
from robustbench_eff.registry.build_corruption import parse_corruption
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.medmnist_c import MEDMNIST_C
from robustbench_eff.registry.perturbation import parse_perturbation, with_constants
from robustbench_eff.registry.perturbation_sets import (
    CORRUPTION_SETS,
    IMAGENET_C,
    IMAGENET_C_BAR,
    IMAGENET_C_EXTRA,
    PERTURBATION_SETS,
    constants_for,
)
from robustbench_eff.testing import CORRUPTION_CHECKS
from robustbench_eff.testing.corruptions import example_batch


@pytest.mark.parametrize("check", CORRUPTION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_keeps_the_contract(name: str, check: Callable[[Kernel], None]) -> None:
    kernel = CORRUPTIONS[name].load()
    try:
        kernel.files()
    except DataError as absent:
        pytest.skip(absent.message)
    check(kernel)


def test_a_name_is_that_of_its_kernel() -> None:
    assert [row.load().name for row in CORRUPTIONS.values()] == list(CORRUPTIONS)


def test_sets_are_the_published_ones() -> None:
    assert (IMAGENET_C + IMAGENET_C_EXTRA)[0::18] == ("gaussian_noise", "saturate")
    assert IMAGENET_C_BAR[0::9] == ("caustic_refraction", "brownish_noise")
    of_medmnist = [5 * len(names) for names in MEDMNIST_C.values()]
    found = [len(texts) for texts in PERTURBATION_SETS.values()]
    assert found == [95, 50, 95, 50, 14, 6, 20, 95, 20, 75, 60, *of_medmnist]


def test_every_mean_over_corruptions_has_one_set_of_constants_and_says_which() -> None:
    for name, of in CORRUPTION_SETS.items():
        texts = [f"{corruption}(severity=1, constants={of.constants!r})" for corruption in of.names]
        assert {parse_corruption(text).configuration["constants"] for text in texts} == {of.constants}
        assert {parse_perturbation(text).text for text in texts} <= {
            parse_perturbation(text).text for text in PERTURBATION_SETS[name]
        }
    assert len({of.title for of in CORRUPTION_SETS.values()}) == len(CORRUPTION_SETS)
    members = [(of.constants, name) for of in CORRUPTION_SETS.values() for name in of.names]
    assert len(set(members)) == len(members), "a cell belongs to one mean"


def test_a_corruption_of_published_files_alone_is_refused_where_it_would_be_generated() -> None:
    corruption = parse_corruption("near_focus(severity=2, constants='imagenet_3dcc')")
    with pytest.raises(UsageError, match="cannot be generated"):
        corruption(torch.zeros(1, 8, 8, 3, dtype=torch.uint8))
    with pytest.raises(SpecError, match="does not have 'near_fokus'"):
        parse_perturbation("near_fokus(severity=2, constants='imagenet_3dcc')")
    with pytest.raises(SpecError, match=r"write near_focus\(severity=3, constants='imagenet_3dcc'\)"):
        parse_perturbation("near_focus(severity=3)")
    with pytest.raises(SpecError, match="severity must be 1 to 5"):
        parse_corruption("fog(severity=6, constants='tiny_imagenet')")


@pytest.mark.parametrize(("size", "constants"), [(32, "cifar10"), (64, "cifar10"), (65, "imagenet"), (224, "imagenet")])
def test_the_size_of_the_images_chooses_the_constants(size: int, constants: str) -> None:
    text = "fog(severity=3)" if constants == "imagenet" else f"fog(severity=3, constants={constants!r})"
    chosen = constants_for(size, size)
    assert with_constants(parse_perturbation("fog(severity=3, constants='by_size')"), chosen).text == text
    assert with_constants(parse_perturbation("fog(severity=3)"), "cifar10").text == "fog(severity=3)"


def of_the_batch(pixels: torch.Tensor, value: float, noise: torch.Tensor) -> torch.Tensor:
    return (pixels.float() * 0 + pixels.float().mean()).to(torch.uint8)


def writing_to_its_input(pixels: torch.Tensor, value: float, noise: torch.Tensor) -> torch.Tensor:
    return pixels.mul_(0)


class Undocumented:
    """A program without a source, in a module without one."""

    def __call__(self, pixels: torch.Tensor, value: float, noise: torch.Tensor) -> torch.Tensor:
        return pixels


BROKEN: dict[str, dict[str, object]] = {
    "keeps_shape_and_dtype": {"apply": lambda pixels, value, noise: pixels.float()},
    "leaves_pixels_unmodified": {"apply": writing_to_its_input},
    "gives_the_same_pixels_in_any_batch": {"apply": of_the_batch},
    "gives_the_same_pixels_for_the_same_seed": {"apply": lambda pixels, value, noise: pixels},
    "has_five_severities": {"severities": {"cifar10": (0.1, 0.2)}},
    "corruption_names_its_source": {"apply": Undocumented()},
}


@pytest.mark.parametrize("check", CORRUPTION_CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Kernel], None]) -> None:
    broken = replace(GAUSSIAN_NOISE, compiled=None, **BROKEN[check.__name__])
    with pytest.raises((AssertionError, RuntimeError, IndexError)):
        check(broken)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_batches_of_1_7_and_64_give_the_same_bytes(name: str) -> None:
    kernel = CORRUPTIONS[name].load()
    corruption = kernel.at(3, next(iter(kernel.severities)))
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (64, 32, 32, 3), dtype=torch.uint8, generator=random)
    draws = RandomStreams.of(0, range(64))
    together = corruption(pixels, draws)
    order = torch.randperm(64, generator=random)
    for size in (1, 7):
        for rows in order.split(size):
            assert torch.equal(corruption(pixels[rows], draws[rows]), together[rows])


RAIN = Kernel(name="rain", severities={"imagenet": (10, 20, 30, 40, 50)}, apply=lambda pixels, value: pixels // value)
"""A plugin's kernel, whose name is not that of its entry point and which has the constants of ImageNet only."""


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The kernel above, installed as an entry point."""
    point = EntryPoint("acme/rain", f"{__name__}:RAIN", "robustbench_eff.corruptions")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == point.group else [])
    plugins.plugins.cache_clear()
    yield point.name
    plugins.plugins.cache_clear()


def test_a_plugin_works_under_the_name_of_its_entry_point(plugin: str) -> None:
    corruption = parse_corruption(f"{plugin}(severity=2)")
    assert isinstance(corruption, Corruption)
    assert corruption.configuration == {
        "corruption": "acme/rain",
        "version": 1,
        "severity": 2,
        "constants": "imagenet",
    }
    assert parse_perturbation(f"{plugin}(severity=2)").text == "acme/rain(severity=2)"
    pixels, draws = example_batch()
    assert torch.equal(corruption(pixels, draws), pixels // 20)
    for check in CORRUPTION_CHECKS[:-1]:  # this module does not name a source
        check(corruption.kernel)


def test_constants_that_a_kernel_does_not_define_are_refused_in_one_sentence(plugin: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_corruption(f"{plugin}(severity=2, constants='cifar10')")
    assert refused.value.message == "acme/rain does not define constants for 'cifar10'."
    assert refused.value.hint == "Defined: imagenet."
