"""Incremental queries: the logits of whole passes for all sorts of networks, and the outcomes of attacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.attacks import Oracle, window_queries
from robustbench_eff.attacks.one_pixel import OnePixel
from robustbench_eff.attacks.reduced_precision import Precision
from robustbench_eff.attacks.traced_network import UNTRACEABLE, TracedNetwork
from robustbench_eff.attacks.window_queries import WindowQueries, Windows
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.models.classifier import Classifier

SIDE = 20


class Body(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self, activation: Callable[[Tensor], Tensor] = functional.relu, **options: Any) -> None:
        super().__init__()
        self.activation = activation
        self.first, self.norm, self.second = (
            convolution(3, 8, **options),
            nn.BatchNorm2d(8),
            convolution(8, 8, **options),
        )
        self.linear = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = self.activation(self.norm(self.first(images)))
        logits: Tensor = self.linear(self.activation(self.second(features)).mean((2, 3)))
        return logits


def seeded(network: nn.Module) -> nn.Module:
    """The network with weights and statistics that are all different, in eval mode."""
    for number, tensor in enumerate([*network.parameters(), *network.buffers()]):
        if tensor.is_floating_point():
            noise = RandomStreams.of(number, range(1)).uniform(tuple(tensor.shape), stream="weights")[0]
            tensor.data.copy_(noise - 0.4 if tensor.ndim > 1 else noise + 0.5)
    return network.eval()


class Stages(nn.Module):
    """Two convolutions and a linear layer, for forwards that use them in other ways."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.one, self.two = convolution(3, 8, **options), convolution(8, 8)
        self.gate, self.head = nn.Linear(8, 8), nn.Linear(8, 5)

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(self.two(features).relu().mean((2, 3)))
        return logits


class SharedModule(Stages):
    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.two(self.two(self.one(images)).relu()))


class InPlace(Stages):
    def forward(self, images: Tensor) -> Tensor:
        first = self.one(images - 0.5)
        kept = first + 0.1
        first.relu_()
        kept += first
        kept.mul_(0.9)
        second = functional.relu(self.two(kept), inplace=True)
        second += kept
        return self.classify(second)


class OverwrittenInput(Stages):
    def forward(self, images: Tensor) -> Tensor:
        images.sub_(0.5)
        return self.classify(self.one(images).relu())


class WrittenUnderAnotherName(Stages):
    def forward(self, images: Tensor) -> Tensor:
        features = self.one(images)
        view = features[:, :, 1:, 1:]
        features.relu_()
        return self.classify(view)


class TwoNames(Stages):
    def forward(self, images: Tensor) -> Tensor:
        features = self.one(images)
        other = features
        features += 1.0
        features *= 2
        return self.classify(other)


class WrittenBehindAView(Stages):
    def forward(self, images: Tensor) -> Tensor:
        features = self.one(images)
        view = features.view(features.shape[0], 8, SIDE, SIDE)
        features += 1.0
        return self.classify(view)


class PartOverwritten(Stages):
    def forward(self, images: Tensor) -> Tensor:
        features = self.one(images)
        features[:, :, 0] = 0.0
        return self.classify(features)


class SqueezeAndExcite(Stages):
    def forward(self, images: Tensor) -> Tensor:
        features = self.one(images).relu()
        return self.classify(features * self.gate(features.mean((2, 3))).sigmoid()[:, :, None, None])


class Attention(Stages):
    def forward(self, images: Tensor) -> Tensor:
        tokens = self.one(images).flatten(2).transpose(1, 2)
        logits: Tensor = self.head(functional.scaled_dot_product_attention(tokens, tokens, tokens).mean(1))
        return logits


class Positions(Stages):
    def forward(self, images: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, images.shape[2])[:, None].expand(images.shape[2], images.shape[3])
        return self.classify((self.one(images) * rows).relu() + rows.T)


class Coordinates(Stages):
    def forward(self, images: Tensor) -> Tensor:
        columns = torch.linspace(-1, 1, images.shape[3]).expand(len(images), 1, images.shape[2], -1)
        return self.classify(self.one(torch.cat((images[:, :2], columns), 1)).relu())


class PoolsSlicesPads(Stages):
    def forward(self, images: Tensor) -> Tensor:
        both = torch.cat((self.one(images), images), 1)[:, :]
        pooled = functional.max_pool2d(both, 3, 2, 1) + functional.avg_pool2d(both, 3, stride=2, padding=1)
        padded = functional.pad(pooled[:, :, 1::2, ::3], (1, 2, 0, 1, 1, 0), value=0.3)
        logits: Tensor = self.head(self.two(padded[:, :8]).relu().mean((2, 3)))
        return logits


class Normalised(Body):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward((images - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / 0.2)


class Resized(Body):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(functional.interpolate(images, size=24, mode="bilinear"))


class Float64(Body):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.double()).float()


class ShapeDecides(Body):
    def forward(self, images: Tensor) -> Tensor:
        height = images.size(2)
        return super().forward(images if height > 7 else images[:, :, :1])


class ValueDecides(Body):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images if images.mean() > 0.5 else 1 - images)


class Draws(Body):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images + torch.randn(3, 1, 1))


def convolution(inputs: int, outputs: int, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, **{"padding": 1, **options})


def depthwise() -> nn.Module:
    layers = (convolution(3, 8), nn.SiLU(), convolution(8, 8, groups=8), nn.ReLU6(), convolution(8, 4, groups=2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def asymmetric() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, (1, 5), (2, 1), (0, 2)), nn.ReLU(), nn.Flatten(), nn.Linear(1600, 5))


def parametrised() -> nn.Module:
    body = Body()
    nn.utils.parametrizations.weight_norm(body.second)
    return body


def changed_later() -> nn.Module:
    """A transposed convolution, which is not known to be local, behind one that is."""
    layers = (convolution(3, 8), nn.ReLU(), nn.ConvTranspose2d(8, 4, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(4, 5))


INCREMENTAL: dict[str, Callable[[], nn.Module]] = {
    "plain": Body,
    "strided": lambda: Body(stride=2),
    "strided without overlap": lambda: Body(stride=4, padding=0),
    "dilated": lambda: Body(dilation=2, padding=2),
    "asymmetric": asymmetric,
    "padded to the same size": lambda: Body(padding="same", dilation=3),
    "depthwise and grouped": depthwise,
    "normalised": Normalised,
    "shared module": SharedModule,
    "in place": InPlace,
    "two names": TwoNames,
    "in-place modules": lambda: Body(nn.ReLU(inplace=True)),
    "overwritten input": OverwrittenInput,
    "squeeze and excite": SqueezeAndExcite,
    "attention": lambda: Attention(stride=2),
    "positions": Positions,
    "pools, slices, pads": PoolsSlicesPads,
    "float64": lambda: Float64().double(),
    "parametrised": parametrised,
    "shape decides": ShapeDecides,
    "unknown operation": changed_later,
}
"""Networks of which the first operations are evaluated incrementally."""
WHOLE: dict[str, Callable[[], nn.Module]] = {
    "reflect padding": lambda: Body(padding_mode="reflect"),
    "resized": Resized,
    "coordinates": Coordinates,
    "value decides": ValueDecides,
    "written under another name": WrittenUnderAnotherName,
    "written behind a view": WrittenBehindAView,
    "part overwritten": PartOverwritten,
    "draws": Draws,
}
"""Networks that are queried whole."""


def everywhere(size: tuple[int, int], bases: int = 3) -> tuple[Tensor, Windows]:
    """Images that differ from three base images in a window at every position."""
    base = RandomStreams.of(0, range(bases)).uniform((3, SIDE, SIDE), stream="base")
    height, width = size
    grid = torch.meshgrid(torch.arange(SIDE - height + 1), torch.arange(SIDE - width + 1), indexing="ij")
    top, left = (each.flatten() for each in grid)
    numbers = torch.arange(len(top)) * 7 % bases
    images, colors = base[numbers], RandomStreams.of(1, range(len(top))).uniform((3, *size), stream="colors")
    for image, row, column, color in zip(images, top.tolist(), left.tolist(), colors, strict=True):
        image[:, row : row + height, column : column + width] = color
    return images, Windows(base, numbers, top, left, size, torch.zeros_like(top))


def whole(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network(images.clone())
    return logits


@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
@pytest.mark.parametrize("name", INCREMENTAL)
def test_incremental_logits_are_those_of_the_whole_network(name: str, size: tuple[int, int]) -> None:
    network = seeded(INCREMENTAL[name]())
    images, windows = everywhere(size)
    expected = whole(network, images)
    queries = WindowQueries(network, images[:2].clone())
    assert queries.share(size) < 1
    given = images.clone()
    with torch.no_grad():
        logits = queries.incremental_logits(images, windows.numbers, windows)
    assert torch.equal(images, given)
    assert expected.std(0).max() > 1e-3  # the window matters
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("name", [*INCREMENTAL, *WHOLE])
def test_an_oracle_answers_as_the_whole_network(name: str) -> None:
    network = seeded({**INCREMENTAL, **WHOLE}[name]())
    images, windows = everywhere((1, 1))
    expected = whole(network, images)
    with Oracle.open(network, windows.base, torch.zeros(3, dtype=torch.int64)) as opened:
        for _ in range(2):
            logits = opened.logits(images, windows.numbers, windows)
            if name != "draws":
                torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
        assert opened.effort.num_forwards.sum() == 2 * len(images)
        pays = name not in WHOLE and WindowQueries(network, images[:2].clone()).pays((1, 1))
        assert isinstance(opened._windows, WindowQueries) == pays


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("reflect padding", "resized", "draws")])
def test_what_cannot_be_traced_is_refused(name: str) -> None:
    with pytest.raises(UNTRACEABLE):
        TracedNetwork(seeded(WHOLE[name]()), everywhere((1, 1))[0][:2])


def test_networks_with_hooks_are_queried_whole() -> None:
    images, windows = everywhere((1, 1))
    network, seen = seeded(Body()), []
    network.first.register_forward_hook(lambda module, inputs, output: seen.append(len(output)) or 2 * output)  # type: ignore[union-attr]
    expected = whole(network, images)
    with Oracle.open(network, windows.base, torch.zeros(3, dtype=torch.int64)) as opened:
        answers = [opened.logits(images, windows.numbers, windows) for _ in range(2)]
    torch.testing.assert_close(answers[1], expected)
    assert sum(seen) == 3 * len(images)


def test_an_image_that_may_be_misclassified_is_queried_whole_and_others_are_not() -> None:
    images, windows = everywhere((1, 1))
    network = seeded(Body())
    with Oracle.open(network, windows.base, torch.zeros(3, dtype=torch.int64)) as opened:
        first = opened.logits(images, windows.numbers, windows)
        assert isinstance(opened._windows, WindowQueries)
        counted: list[int] = []
        ask = opened._ask._model
        opened._ask._model = lambda some: counted.append(len(some)) or ask(some)  # type: ignore[func-returns-value]
        right = dataclasses.replace(windows, labels=first.argmax(1))
        opened.logits(images, windows.numbers, right)
        assert sum(counted) == 0
        wrong = dataclasses.replace(windows, labels=torch.where(windows.top < 3, first.argmin(1), first.argmax(1)))
        logits = opened.logits(images, windows.numbers, wrong)
        assert sum(counted) == 3 * SIDE
        assert torch.equal(logits[: 3 * SIDE], whole(network, images[: 3 * SIDE]))


def test_base_images_may_be_too_many_for_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    images, windows = everywhere((1, 1), bases=5)
    network = seeded(Body())
    per_image = WindowQueries(network, images[:2])._network.values_per_base
    monkeypatch.setattr(window_queries, "MAX_BASE_VALUES", 2 * per_image)
    queries = WindowQueries(network, images[:2])
    with torch.no_grad():
        for part in (slice(None), slice(7, 60)):
            some = dataclasses.replace(
                windows, numbers=windows.numbers[part], top=windows.top[part], left=windows.left[part]
            )
            logits = queries.incremental_logits(images[part], some.numbers, some)
            torch.testing.assert_close(logits, whole(network, images[part]), rtol=0, atol=1e-4)


def test_weights_that_change_between_attacks_are_used() -> None:
    images, windows = everywhere((1, 1))
    network = seeded(Body())
    oracle = Oracle(network)
    for _ in range(2):
        with Oracle.open(oracle, windows.base, torch.zeros(3, dtype=torch.int64)) as opened:
            answers = [opened.logits(images, windows.numbers, windows) for _ in range(2)]
            assert isinstance(opened._windows, WindowQueries)
        torch.testing.assert_close(answers[1], whole(network, images), rtol=0, atol=1e-4)
        network.second.weight.data.mul_(-0.7)  # type: ignore[operator,union-attr]


def close_to_another_class(classifier: Classifier) -> tuple[Tensor, Tensor]:
    """Mixtures of two digits each, with as much of the second as leaves the class of the first."""
    images, labels = prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, 16)
    shares = torch.linspace(0, 1, 65)[:, None, None, None]
    found = []
    for one, other, label in zip(images[::2], images[1::2], labels[::2], strict=True):
        mixtures = (1 - shares) * one + shares * other
        right = whole(classifier, mixtures).argmax(1) == label
        found.append(mixtures[right.cumprod(0).sum() - 1])
    return torch.stack(found), labels[::2]


@pytest.mark.parametrize("precision", [None, "float32", "bfloat16", "float16"])
def test_one_pixel_has_the_outcomes_of_whole_queries(
    monkeypatch, digits_standard: Classifier, precision: Precision | None
) -> None:
    images, labels = close_to_another_class(digits_standard)
    attack, answers, made = OnePixel(population=40, generations=12), [], []
    make = WindowQueries.of
    for incremental in (True, False):
        monkeypatch.setattr(
            WindowQueries, "of", lambda *given, use=incremental: made.append(make(*given) if use else None) or made[-1]
        )
        oracle = Oracle(digits_standard, precision=precision)
        answers.append((attack(oracle, images, labels), oracle.effort.num_forwards))
    assert [bool(each) for each in made] == ([] if precision == "float16" else [True, False])
    assert not torch.equal(answers[0][0], images)
    assert torch.equal(answers[0][0], answers[1][0])
    assert torch.equal(answers[0][1], answers[1][1])
