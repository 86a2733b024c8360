"""Adaptive instance normalisation: content features get the style's statistics and are decoded to pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.tensor_files import is_plain, read_tensor_file
from robustbench_eff.core.types import Images

from .stylise import check

Features = Float[Tensor, "batch features rows columns"]
VARIANCE = 1e-5
"""Added to every variance."""
SMALLEST = 9
"""Smallest side in pixels of which three poolings leave more than one feature."""
WHERE = """\
Both files are in the releases of github.com/naoto0804/pytorch-AdaIN.
Pass them as adain(encoder='PATH/vgg_normalised.pth', decoder='PATH/decoder.pth'), or use another styliser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaIN:
    """Replaces mean and standard deviation of each relu4_1 feature of the content by those of the style.

    `strength` mixes features, not images: at 0 the result is the content as the decoder reconstructs it.

    Source: Huang & Belongie 2017, arXiv:1703.06868; networks and constants as in naoto0804/pytorch-AdaIN 47950d0.
    Differs: images are clipped to [0, 1], and cropped to the content's size if that is not a multiple of 8.
    """

    encoder: str = "vgg_normalised.pth"
    """File with the weights of VGG-19 with normalised features."""
    decoder: str = "decoder.pth"
    """File with the weights of the network from relu4_1 to images."""

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the draws."""
        return False

    @torch.no_grad()
    def __call__(
        self, content: Images, style: Images, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Images:
        """Give the content the texture and colours of the style. See `Styliser`.

        Raises:
            DataError: Also if the files with the weights do not exist or do not fit these networks.
        """
        del draws
        check(content, style, strength)
        if not len(content):
            return content.clone()
        if min(content.shape[2:]) < SMALLEST:
            raise DataError(f"AdaIN takes images of at least {SMALLEST} pixels per side, got {tuple(content.shape)}.")
        encoder = _loaded(_encoder, Path(self.encoder), content.device)
        decoder = _loaded(_decoder, Path(self.decoder), content.device)
        features: Features = encoder(content)
        moved = torch.lerp(features, normalised(features, encoder(style)), strength)
        images: Images = decoder(moved)[..., : content.shape[2], : content.shape[3]]
        return images.clamp(0, 1)


def normalised(content: Features, style: Features) -> Features:
    """Return the content's features with mean and standard deviation of the style's (equation 8).

    Args:
        content: Features of the content.
        style: Features of the style.
    """
    (mean, spread), (style_mean, style_spread) = _statistics(content), _statistics(style)
    return (content - mean) / spread * style_spread + style_mean


def _statistics(features: Features) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(features, (2, 3), keepdim=True)
    return mean, (variance + VARIANCE).sqrt()


@lru_cache(maxsize=4)
def _loaded(build: Callable[[], nn.Sequential], weights: Path, device: torch.device) -> nn.Sequential:
    """The network with the weights of the file; further entries of the file (deeper layers) are ignored."""
    if not weights.exists():
        raise DataError(f"AdaIN needs the file {weights}, which does not exist.", WHERE)
    state = read_tensor_file(weights, DataError)
    network = build()
    expected = network.state_dict()
    stored = {name: state[name] for name in expected if name in state} if isinstance(state, dict) else {}
    for name, tensor in expected.items():
        value = stored.get(name)
        if not is_plain(value) or value.shape != tensor.shape:
            shape = tuple(value.shape) if is_plain(value) else "nothing, or no plain tensor"
            raise DataError(
                f"{weights} does not contain the weights of AdaIN's {build.__name__[1:]}: "
                f"{name} should have shape {tuple(tensor.shape)}, got {shape}.",
                WHERE,
            )
        if not bool(value.isfinite().all()):
            raise DataError(f"{name} of {weights} holds numbers that are not finite.", WHERE)
    network.load_state_dict({name: value.float() for name, value in stored.items()}, assign=True)
    return network.eval().requires_grad_(False).to(device)


def _encoder() -> nn.Sequential:
    """VGG-19 up to relu4_1, after the 1 x 1 convolution that takes RGB in [0, 1]; without weights."""
    with torch.device("meta"):
        return nn.Sequential(
            nn.Conv2d(3, 3, 1),
            *_convolutions(3, 64, 64),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolutions(64, 128, 128),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolutions(128, 256, 256, 256, 256),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolutions(256, 512),
        )


def _decoder() -> nn.Sequential:
    """The mirror image of the encoder; without weights."""
    with torch.device("meta"):
        layers = [
            *_convolutions(512, 256),
            nn.Upsample(scale_factor=2),
            *_convolutions(256, 256, 256, 256, 128),
            nn.Upsample(scale_factor=2),
            *_convolutions(128, 128, 64),
            nn.Upsample(scale_factor=2),
            *_convolutions(64, 64, 3),
        ]
        return nn.Sequential(*layers[:-1])  # no ReLU after the pixels


def _convolutions(*widths: int) -> Iterator[nn.Module]:
    for before, after in pairwise(widths):
        yield from (nn.ReflectionPad2d(1), nn.Conv2d(before, after, 3), nn.ReLU())
