"""The networks of smooth adversarial training (SAT), built from timm's parts.

Source: cihangxie/SmoothAdversarialTraining 988c080. Its ResNets stride in the 3x3 convolution and pool as TensorFlow
does, with padding at the right and the bottom; its EfficientNets have a batch-norm epsilon of 1e-5. Both take pixels in
[-1, 1].
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from robustbench_eff.core import activations
from robustbench_eff.core.errors import ModelError

LAYERS = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3)}
"""Number of blocks in every stage of a ResNet, by depth."""
LARGEST = {"channel_multiplier": 3.9, "depth_multiplier": 3.7}
"""Multipliers of EfficientNet-L1, which only SAT has."""
LARGEST_SIZE = 600
"""Input size of EfficientNet-L1, in pixels."""
_RESNET = re.compile(r"ResX?(?P<depth>\d+)-(?P<activation>[a-z]+)(-(?P<size>\d{3}))?(-32x(?P<width>\d)d)?")


def build(target: str, arguments: Mapping[str, Any]) -> tuple[nn.Module, int]:
    """Return the network of a checkpoint without its weights, in eval mode, and its input size in pixels.

    Args:
        target: Name of the checkpoint, such as `Res50-silu` or `efficientnet-b0`.
        arguments: Keyword arguments for timm.

    Raises:
        ModelError: timm cannot build the network with these arguments.
    """
    try:
        resnet = _RESNET.fullmatch(target)
        module, size = _efficientnet(target, arguments) if resnet is None else _resnet(resnet, arguments)
    except Exception as error:
        raise ModelError(f"timm cannot build {target}: {error}") from error
    return module.eval(), size


def _resnet(name: re.Match[str], arguments: Mapping[str, Any]) -> tuple[nn.Module, int]:
    from timm.layers import create_pool2d
    from timm.models.resnet import Bottleneck, ResNet

    wide = {} if name["width"] is None else {"cardinality": 32, "base_width": int(name["width"])}
    module = ResNet(Bottleneck, LAYERS[name["depth"]], **{**wide, **arguments})
    module.maxpool = create_pool2d("max", kernel_size=3, stride=2, padding="same")
    if name["activation"] != "relu":
        activations.smooth_activations(module, name["activation"].replace("smoothrelu", "smooth_relu"))
    return module, int(name["size"] or 224)


def _efficientnet(target: str, arguments: Mapping[str, Any]) -> tuple[nn.Module, int]:
    import timm
    from timm.models.efficientnet import _gen_efficientnet

    size = target.split("-")[1]
    if size == "bL1":
        tensorflow_arguments = {"bn_eps": 1e-5, "pad_type": "same"}
        return _gen_efficientnet("tf_efficientnet_l2", **LARGEST, **{**tensorflow_arguments, **arguments}), LARGEST_SIZE
    module = timm.create_model(f"tf_efficientnet_{size}", **{"bn_eps": 1e-5, **arguments})
    return module, module.default_cfg["input_size"][-1]
