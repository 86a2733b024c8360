"""Networks of timm that robust training changed: another stem, other strides, sparse activations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .deepmind_resnet import MeanSparse


class _ChannelNorm(nn.Module):
    """Layer norm over the channels of every pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        scaled = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
        return self.weight[:, None, None] * scaled + self.bias[:, None, None]


class _Stem(nn.Module):
    """3x3 convolutions, each with norm and GELU, under the name `stem`; a last 1x1 convolution if there is a `last`."""

    def __init__(self, widths: tuple[int, ...], strides: tuple[int, ...], last: int | None = None) -> None:
        super().__init__()
        self.stem = nn.Sequential()
        inputs = 3
        for width, stride in zip(widths, strides, strict=True):
            self.stem.extend([nn.Conv2d(inputs, width, 3, stride, padding=1), _ChannelNorm(width), nn.GELU()])
            inputs = width
        if last is not None:
            self.stem.append(nn.Conv2d(inputs, last, 1))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.stem(x)
        return features


def convnext_convstem(size: str, num_classes: int = 1000) -> nn.Module:
    """Return a ConvNeXt with a convolutional stem.

    Args:
        size: `tiny`, `small`, `base` or `large`.
        num_classes: Number of outputs.

    Source: Singh et al. 2023, arXiv:2303.01870.
    """
    network = _timm(f"convnext_{size}", num_classes=num_classes)
    narrow = {"tiny": 48, "small": 48}.get(size)
    width = {"base": 64, "large": 96}.get(size, 0)
    network.stem = (
        _Stem((width, width * 3 // 2, width * 2), (2, 2, 1)) if narrow is None else _Stem((narrow, narrow * 2), (2, 2))
    )
    built: nn.Module = network
    return built


def vit_convstem(size: str, num_classes: int = 1000) -> nn.Module:
    """Return a vision transformer with patches of 16 pixels from a convolutional stem.

    Args:
        size: `small` or `base`.
        num_classes: Number of outputs.

    Source: Singh et al. 2023, arXiv:2303.01870.
    """
    name = {"small": "deit_small_patch16_224", "base": "vit_base_patch16_224"}[size]
    network = _timm(name, num_classes=num_classes)
    network.patch_embed.proj = _Stem((48, 96, 192, 384), (2, 2, 2, 2), last={"small": 384, "base": 768}[size])
    built: nn.Module = network
    return built


def xcit(embed_dim: int, num_heads: int, num_classes: int = 1000, patch_size: int = 16) -> nn.Module:
    """Return an XCiT with 12 layers.

    Args:
        embed_dim: Number of channels.
        num_heads: Number of attention heads.
        num_classes: Number of outputs.
        patch_size: Side of a patch in pixels, 16 or 4; at 4, the first two convolutions have stride 1.

    Source: Debenedetti et al. 2022, arXiv:2209.07399.
    """
    from timm.models.xcit import Xcit

    network: Any = Xcit(
        patch_size=16,
        embed_dim=embed_dim,
        depth=12,
        num_heads=num_heads,
        eta=1.0,
        tokens_norm=True,
        num_classes=num_classes,
    )
    if patch_size == 4:
        for number in (0, 2):
            network.patch_embed.proj[number][0].stride = (1, 1)
        network.patch_embed.patch_size = 4
    built: nn.Module = network
    return built


def convnext_mean_sparse(num_classes: int = 1000) -> nn.Module:
    """Return a ConvNeXt-L with a `MeanSparse` before every GELU and after every branch of a block.

    Args:
        num_classes: Number of outputs.

    Source: Amini et al. 2024, arXiv:2406.05927.
    """
    network = _timm("convnext_large", num_classes=num_classes)
    for stage in network.stages:
        for block in stage.blocks:
            block.mlp.act = nn.Sequential(_with_momentum(block.mlp.fc1.out_features, channels_last=True), block.mlp.act)
            block.drop_path = nn.Sequential(block.drop_path, _with_momentum(block.mlp.fc2.out_features))
    built: nn.Module = network
    return built


def _with_momentum(channels: int, *, channels_last: bool = False) -> MeanSparse:
    """The layer with two constants that stand in the checkpoint and do nothing."""
    layer = MeanSparse(channels, channels_last=channels_last)
    layer.register_buffer("momentum", torch.tensor(0.1))
    layer.register_buffer("epsilon", torch.tensor(1e-10))
    return layer


def _timm(name: str, **arguments: Any) -> Any:
    import timm

    return timm.create_model(name, pretrained=False, **arguments)
