"""The table of networks: their names, and the functions that build them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from .cifar_resnet import BasicBlock, Bottleneck, CifarResNet, CifarResNeXt29, LotteryResNet18, PreActBottleneck
from .deepmind_resnet import DeepMindPreActResNet18, DeepMindWideResNet
from .preact_resnet import PreActResNet18, WidePreActResNet18
from .timm_variants import convnext_convstem, convnext_mean_sparse, vit_convstem, xcit
from .wide_resnet import StagedWideResNet, WideResNet

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "cifar_preact_resnet50": partial(CifarResNet, PreActBottleneck, (3, 4, 6, 3)),
    "cifar_resnet18": partial(CifarResNet, BasicBlock, (2, 2, 2, 2)),
    "cifar_resnet50": partial(CifarResNet, Bottleneck, (3, 4, 6, 3)),
    "cifar_resnext29": CifarResNeXt29,
    "convnext_convstem": convnext_convstem,
    "convnext_mean_sparse": convnext_mean_sparse,
    "deepmind_preact_resnet18": DeepMindPreActResNet18,
    "deepmind_wide_resnet": DeepMindWideResNet,
    "lottery_resnet18": LotteryResNet18,
    "preact_resnet18": PreActResNet18,
    "staged_wide_resnet": StagedWideResNet,
    "vit_convstem": vit_convstem,
    "wide_preact_resnet18": WidePreActResNet18,
    "wide_resnet": WideResNet,
    "xcit": xcit,
}
"""Networks that are written here; each takes `num_classes` and returns logits."""
