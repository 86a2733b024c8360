"""Networks whose answer depends on the batch, the order or the past, and harmless ones, one function each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from plain_digits import base
from strange_answers import Around


def _with_norms(make: Callable[[nn.BatchNorm2d], nn.Module]) -> nn.Sequential:
    """The plain network with other norms."""
    body = base()
    for position, layer in enumerate(body):
        if isinstance(layer, nn.BatchNorm2d):
            body[position] = make(layer)
    return body.eval()


def sequential() -> nn.Module:
    return base()


def train_mode() -> nn.Module:
    return base().train()


def one_norm_in_train_mode() -> nn.Module:
    body = base()
    body[2].train()
    return body


def _batch_statistics(layer: nn.BatchNorm2d) -> nn.BatchNorm2d:
    fresh = nn.BatchNorm2d(layer.num_features, track_running_stats=False)
    fresh.load_state_dict(layer.state_dict(), strict=False)
    return fresh


def norms_without_running_statistics() -> nn.Module:
    return _with_norms(_batch_statistics)


def functional_batch_norm() -> nn.Module:
    """Batch statistics by the function, in eval mode."""
    return Around(lambda body, images: body(nn.functional.batch_norm(images, None, None, training=True) / 4 + 0.5))


def instance_norm() -> nn.Module:
    return Around(lambda body, images: body(nn.functional.instance_norm(images) / 4 + 0.2))


def group_norm() -> nn.Module:
    body = base()
    body.insert(len(body) - 2, nn.GroupNorm(4, 48))
    return body.eval()


def relative_to_the_batch() -> nn.Module:
    return Around(lambda body, images: body(images - images.mean(0)))


def softmax_over_the_batch() -> nn.Module:
    return Around(lambda body, images: 10 * body(images).softmax(0))


def sorted_batch() -> nn.Module:
    return Around(lambda body, images: body(images)[body(images).amax(1).argsort()])


def position_in_the_batch() -> nn.Module:
    return Around(
        lambda body, images: body(images).roll(1, 1).where(torch.arange(len(images))[:, None] % 2 > 0, body(images))
    )


def largest_of_the_batch() -> nn.Module:
    """A stabilised output: what is subtracted depends on the batch, but neither classes nor probabilities do."""
    return Around(lambda body, images: body(images) - body(images).max())


def sees_its_neighbour() -> nn.Module:
    """Attention over the batch by mistake: a transposed first dimension."""
    return Around(lambda body, images: body(images) + 3 * body(images).roll(1, 0))


def too_large_a_batch() -> nn.Module:
    def forward(body: nn.Module, images: Tensor) -> Tensor:
        if len(images) > 1:
            raise ValueError("this network takes one image at a time")
        return body(images)

    return Around(forward)


def too_small_a_batch() -> nn.Module:
    """As batch norm on features of one position: it needs two images."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        if len(images) == 1:
            raise ValueError("Expected more than 1 value per channel")
        return body(images)

    return Around(forward)


def at_most_four() -> nn.Module:
    def forward(body: nn.Module, images: Tensor) -> Tensor:
        if len(images) > 4:
            raise ValueError("this network takes four images at most")
        return body(images)

    return Around(forward)


class Adapts(Around):
    """As TENT: each forward takes a step on the entropy of its own answers."""

    def forward(self, images: Tensor) -> Tensor:
        scales = [layer.weight for layer in self.body if isinstance(layer, nn.BatchNorm2d)]
        for scale in scales:
            scale.requires_grad_()
        with torch.enable_grad():
            logits = self.body(images.detach())
            entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
            gradients = torch.autograd.grad(entropy, scales)
        with torch.no_grad():
            for scale, gradient in zip(scales, gradients, strict=True):
                scale -= 0.05 * gradient
        return self.body(images)


def adapts() -> nn.Module:
    return Adapts(lambda body, images: None)


def adapts_tensors_of_its_own() -> nn.Module:
    """The same drift in a tensor that is no buffer."""
    module = Around(lambda body, images: images)
    module.seen = torch.zeros(3)

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        module.seen = 0.5 * module.seen + 0.5 * images.detach().mean((0, 2, 3))
        return body(images - module.seen[:, None, None])

    module.way = forward
    return module


def updates_running_statistics() -> nn.Module:
    """Batch statistics are folded into the running ones, in eval mode."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        body[2].running_mean.lerp_(body[1](body[0](images.detach())).mean((0, 2, 3)), 0.1)
        return body(images)

    return Around(forward)


class FirstBatch(Around):
    """As ActNorm: the shift is taken from the first images that it sees."""

    def __init__(self) -> None:
        super().__init__(lambda body, images: None)
        self.register_buffer("center", torch.full((3,), torch.nan))

    def forward(self, images: Tensor) -> Tensor:
        if self.center.isnan().any():
            self.center.copy_(images.detach().mean((0, 2, 3)))
        return self.body(images - self.center[:, None, None] + 0.2)


def initialised_by_the_first_batch() -> nn.Module:
    return FirstBatch()


def lazy_head() -> nn.Module:
    return nn.Sequential(*base()[:-1], nn.LazyLinear(10)).eval()


class Counts(nn.Module):
    """Counts its calls, in an attribute or in a buffer."""

    def __init__(self, buffer: bool = False) -> None:
        super().__init__()
        self.body = base()
        self.calls = 0
        if buffer:
            del self.calls
            self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return self.body(images)


def counts_calls() -> nn.Module:
    return Counts()


def counts_calls_in_a_buffer() -> nn.Module:
    return Counts(buffer=True)


class Remembers(Around):
    """Keeps its last input and features, as hooks for a plot do."""

    def forward(self, images: Tensor) -> Tensor:
        self.last, self.features = images, self.body[:-1](images)
        return self.body(images)


def remembers_its_input() -> nn.Module:
    return Remembers(lambda body, images: None)


def answers_by_identity() -> nn.Module:
    """A cache whose key is `id(images)`, which Python uses again."""
    cache: dict[int, Tensor] = {}

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        known = cache.get(id(images))
        if known is None or len(known) != len(images):
            cache[id(images)] = body(images)
        return cache[id(images)]

    return Around(forward)


def answers_by_shape() -> nn.Module:
    """A cache whose key is the shape of the input."""
    cache: dict[torch.Size, Tensor] = {}

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        if images.shape not in cache:
            cache[images.shape] = body(images)
        return cache[images.shape]

    return Around(forward)


def answers_by_content() -> nn.Module:
    """A cache that is right: its key is the images themselves, and it is not used for gradients."""
    cache: dict[bytes, Tensor] = {}

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        if torch.is_grad_enabled() and images.requires_grad:
            return body(images)
        key = images.detach().numpy().tobytes()
        if key not in cache:
            cache[key] = body(images).detach()
        return cache[key]

    return Around(forward)


def every_second_call() -> nn.Module:
    calls = [0]

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        calls[0] += 1
        return body(images).roll(calls[0] % 2, 1)

    return Around(forward)
