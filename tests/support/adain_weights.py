"""The networks of naoto0804/pytorch-AdaIN 47950d0 (net.py, function.py), with random weights."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn


def convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(before, after, (3, 3)), nn.ReLU()]


def vgg() -> nn.Sequential:
    """All 19 layers, as the file has them; AdaIN uses the first 31 modules."""
    layers: list[nn.Module] = [nn.Conv2d(3, 3, (1, 1))]
    for stage in ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256, 256), (256, 512, 512, 512, 512), (512, 512)):
        for before, after in pairwise(stage):
            layers += convolution(before, after)
        layers.append(nn.MaxPool2d((2, 2), (2, 2), (0, 0), ceil_mode=True))
    return nn.Sequential(*layers[:-1])


def decoder() -> nn.Sequential:
    layers = [*convolution(512, 256), nn.Upsample(scale_factor=2, mode="nearest")]
    for _ in range(3):
        layers += convolution(256, 256)
    layers += [*convolution(256, 128), nn.Upsample(scale_factor=2, mode="nearest")]
    layers += [*convolution(128, 128), *convolution(128, 64), nn.Upsample(scale_factor=2, mode="nearest")]
    layers += [*convolution(64, 64), *convolution(64, 3)]
    return nn.Sequential(*layers[:-1])


def write(folder: Path) -> tuple[Path, Path]:
    """Files of random weights under which images neither vanish nor leave [0, 1] everywhere."""
    generator = torch.Generator().manual_seed(0)
    files = folder / "vgg_normalised.pth", folder / "decoder.pth"
    for path, network in zip(files, (vgg(), decoder()), strict=True):
        for parameter in network.parameters():
            spread = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.0
            nn.init.normal_(parameter, std=spread, generator=generator)
        if path is files[1]:
            nn.init.constant_(network[-1].bias, 0.5)
            network[-1].weight.data.mul_(0.1)
        torch.save(network.state_dict(), path)
    return files


def stylised(files: tuple[Path, Path], content: Tensor, style: Tensor, alpha: float) -> Tensor:
    """`style_transfer` of test.py."""
    encode, decode = vgg(), decoder()
    encode.load_state_dict(torch.load(files[0], weights_only=True))
    decode.load_state_dict(torch.load(files[1], weights_only=True))
    with torch.no_grad():
        content_f, style_f = (nn.Sequential(*list(encode.children())[:31])(images) for images in (content, style))
        (content_mean, content_std), (style_mean, style_std) = (calc_mean_std(each) for each in (content_f, style_f))
        feat = (content_f - content_mean) / content_std * style_std + style_mean
        return decode(feat * alpha + content_f * (1 - alpha))


def calc_mean_std(feat: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    n, c = feat.size()[:2]
    feat_var = feat.view(n, c, -1).var(dim=2) + eps
    return feat.view(n, c, -1).mean(dim=2).view(n, c, 1, 1), feat_var.sqrt().view(n, c, 1, 1)
