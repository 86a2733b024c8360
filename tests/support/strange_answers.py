"""Networks whose inputs or outputs are unusual, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from plain_digits import base


class Around(nn.Module):
    """The plain network with a forward of its own."""

    def __init__(self, way: Callable[[nn.Module, Tensor], Any], body: nn.Module | None = None) -> None:
        super().__init__()
        self.body = base() if body is None else body
        self.way = way
        self.eval()

    def forward(self, images: Tensor) -> Any:
        return self.way(self.body, images)


@dataclass
class Output:
    """As the classes of Hugging Face: fields, of which the loss is empty."""

    logits: Tensor
    loss: Tensor | None = None


class Named(NamedTuple):
    logits: Tensor
    features: Tensor


class Slotted:
    """An object with the attribute `logits` that is neither a tuple nor a dataclass."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


def output_object() -> nn.Module:
    return Around(lambda body, images: Slotted(body(images)))


def output_dataclass() -> nn.Module:
    return Around(lambda body, images: Output(body(images)))


def named_tuple() -> nn.Module:
    return Around(lambda body, images: Named(body(images), images.mean((2, 3))))


def dictionary() -> nn.Module:
    return Around(lambda body, images: {"features": images.mean((2, 3)), "logits": body(images)})


def dictionary_of_out() -> nn.Module:
    return Around(lambda body, images: {"out": body(images), "aux": body[:-2](images)})


def unknown_dictionary() -> nn.Module:
    return Around(lambda body, images: {"coarse": body(images)[:, :2], "fine": body(images)})


def single_tuple() -> nn.Module:
    return Around(lambda body, images: (body(images),))


def logits_and_features() -> nn.Module:
    return Around(lambda body, images: (body(images), body[:-2](images)))


def two_logits() -> nn.Module:
    """As Inception with its auxiliary head."""
    return Around(lambda body, images: (body(images), body(images.flip(3))))


def single_list() -> nn.Module:
    return Around(lambda body, images: [body(images)])


def text() -> nn.Module:
    return Around(lambda body, images: f"{len(images)} images")


def is_odd() -> nn.Module:
    """Two classes out of ten, as logits: even and odd digits."""
    return Around(lambda body, images: torch.stack([body(images)[:, half::2].logsumexp(1) for half in (0, 1)], 1))


def single_logit() -> nn.Module:
    """The logit of `odd` against `even`, shape (N, 1)."""
    return Around(lambda body, images: (body(images)[:, 1] - body(images)[:, 0])[:, None], is_odd())


def flat_logit() -> nn.Module:
    """The same, shape (N,)."""
    return Around(lambda body, images: body(images)[:, 1] - body(images)[:, 0], is_odd())


def single_probability() -> nn.Module:
    return Around(lambda body, images: body(images).sigmoid(), single_logit())


def probabilities() -> nn.Module:
    return nn.Sequential(base(), nn.Softmax(1)).eval()


def log_probabilities() -> nn.Module:
    return nn.Sequential(base(), nn.LogSoftmax(1)).eval()


def mean_of_probabilities() -> nn.Module:
    """A soft-voting ensemble whose output is the logarithm of a mean of probabilities."""
    return Around(lambda body, images: ((body(images).softmax(1) + body(images / 2).softmax(1)) / 2).log())


def scaled_probabilities() -> nn.Module:
    """A softmax inside, then a temperature: neither logits nor probabilities."""
    return Around(lambda body, images: 10 * body(images).softmax(1))


def not_a_number_somewhere() -> nn.Module:
    """NaN for images with a bright first quarter: many digits, hardly any noise."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        dark = images[:, :, :, :2].amax((1, 2, 3)) < 0.2
        return torch.where(dark[:, None], torch.nan, body(images))

    return Around(forward)


def infinite() -> nn.Module:
    return Around(lambda body, images: body(images).index_fill(1, torch.tensor([9]), float("inf")))


def excluded_class() -> nn.Module:
    """A class that is never given, by a logit of minus infinity."""
    return Around(lambda body, images: body(images).index_fill(1, torch.tensor([9]), float("-inf")))


def integers() -> nn.Module:
    return Around(lambda body, images: (100 * body(images)).long())


def class_numbers() -> nn.Module:
    return Around(lambda body, images: body(images).argmax(1))


def float_class_numbers() -> nn.Module:
    return Around(lambda body, images: body(images).argmax(1).float())


def sigmoids() -> nn.Module:
    """A probability for each class on its own, as for several labels per image."""
    return Around(lambda body, images: body(images).sigmoid())


def complex_numbers() -> nn.Module:
    return Around(lambda body, images: body(images).to(torch.complex64))


def one_position() -> nn.Module:
    """Logits as a convolution gives them, shape (N, K, 1, 1)."""
    return Around(lambda body, images: body(images)[:, :, None, None])


def logits_per_position() -> nn.Module:
    return Around(lambda body, images: body(images)[:, :, None, None].repeat(1, 1, 4, 4))


def transposed() -> nn.Module:
    return Around(lambda body, images: body(images).T)


def twice_as_many_rows() -> nn.Module:
    return Around(lambda body, images: body(images).repeat(2, 1))


def squeezed() -> nn.Module:
    """`squeeze()` without a dimension: a single image loses its batch dimension."""
    return Around(lambda body, images: body(images).squeeze())


def seven_classes() -> nn.Module:
    return Around(lambda body, images: body(images)[:, :7])


def thousand_classes() -> nn.Module:
    return Around(lambda body, images: nn.functional.pad(body(images), (0, 990)))


def background_class() -> nn.Module:
    return Around(lambda body, images: nn.functional.pad(body(images), (1, 0)))


def tied_classes() -> nn.Module:
    """Digits 4 and 9 always have the same logit; argmax takes the first."""
    return Around(lambda body, images: torch.cat((body(images)[:, :9], body(images)[:, 4:5]), 1))


def masked_logits() -> nn.Module:
    """All logits but the best three are -1e9."""

    def forward(body: nn.Module, images: Tensor) -> Tensor:
        logits = body(images)
        return logits.where(logits >= logits.topk(3, 1).values[:, -1:], torch.full_like(logits, -1e9))

    return Around(forward)


def grey() -> nn.Module:
    """A network of one channel, as for MNIST."""
    body = base()
    first = body[1]
    body[1] = nn.Conv2d(1, first.out_channels, 3, 2, padding=1, bias=False)
    body[1].weight.data.copy_(first.weight.data.sum(1, keepdim=True))
    return body.eval()


def mean_of_channels() -> nn.Module:
    """A network of one channel behind a wrapper that takes three."""
    return Around(lambda body, images: body(images.mean(1, keepdim=True)), grey())


def channels_last_input() -> nn.Module:
    """Its first layer wants (N, H, W, C); the forward converts."""
    return Around(lambda body, images: body(images.permute(0, 2, 3, 1).permute(0, 3, 1, 2)))


def channels_last_memory() -> nn.Module:
    return Around(
        lambda body, images: body(images.contiguous(memory_format=torch.channels_last)),
        base().to(memory_format=torch.channels_last),
    )


def demands_channels_last() -> nn.Module:
    def forward(body: nn.Module, images: Tensor) -> Tensor:
        if not images.is_contiguous(memory_format=torch.channels_last):
            raise ValueError("the input must be in channels_last memory format")
        return body(images)

    return Around(forward)


def demands_contiguous() -> nn.Module:
    return Around(lambda body, images: body(images.view(len(images), -1).view(images.shape)))


def bytes_input() -> nn.Module:
    """Pixels from 0 to 255 are expected, and pixels in [0, 1] are not told apart from a black image."""
    return Around(lambda body, images: body(images / 255))


def demands_28_pixels() -> nn.Module:
    def forward(body: nn.Module, images: Tensor) -> Tensor:
        if images.shape[-1] != 28:
            raise ValueError(f"Input image size {images.shape[-1]} doesn't match model (28).")
        return body(images)

    return Around(forward)


class Keywords(nn.Module):
    """As a transformer's forward: everything but the images has a default."""

    def __init__(self) -> None:
        super().__init__()
        self.body = base()
        self.eval()

    def forward(self, images: Tensor, mask: Tensor | None = None, *, return_dict: bool = False, **more: Any) -> Any:
        logits = self.body(images if mask is None else images * mask)
        return {"logits": logits} if return_dict else logits


def keywords() -> nn.Module:
    return Keywords()


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = base()
        self.eval()

    def forward(self, images: Tensor, text: Tensor) -> Tensor:
        return self.body(images) + text


def two_inputs() -> nn.Module:
    return TwoInputs()
