"""The networks of smooth adversarial training, built from timm's parts.

Source: cihangxie/SmoothAdversarialTraining 988c080. Its ResNets stride in the 3x3 convolution and pool as TensorFlow
does, at the right and the bottom; its EfficientNets have a batch-norm epsilon of 1e-5. Both take pixels in [-1, 1].
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from robustbench_eff.core import activations
from robustbench_eff.core.errors import ModelError

LAYERS = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3)}
LARGEST = {"channel_multiplier": 3.9, "depth_multiplier": 3.7}
"""EfficientNet-L1, which is of SAT alone."""
LARGEST_SIZE = 600
_RESNET = re.compile(r"ResX?(?P<depth>\d+)-(?P<activation>[a-z]+)(-(?P<size>\d{3}))?(-32x(?P<width>\d)d)?")


def build(target: str, arguments: Mapping[str, Any]) -> tuple[nn.Module, int]:
    """The network of that checkpoint without its weights, in eval mode, and the size of its images in pixels.

    `arguments` go to timm. Raises ModelError where timm cannot build it with them.
    """
    try:
        resnet = _RESNET.fullmatch(target)
        module, size = _efficientnet(target, arguments) if resnet is None else _resnet(resnet, arguments)
    except Exception as error:
        raise ModelError(f"timm cannot build {target}: {error}") from error
    return module.eval(), size


def _resnet(words: re.Match[str], arguments: Mapping[str, Any]) -> tuple[nn.Module, int]:
    from timm.layers import create_pool2d
    from timm.models.resnet import Bottleneck, ResNet

    wide = {} if words["width"] is None else {"cardinality": 32, "base_width": int(words["width"])}
    module = ResNet(Bottleneck, LAYERS[words["depth"]], **{**wide, **arguments})
    module.maxpool = create_pool2d("max", kernel_size=3, stride=2, padding="same")
    if words["activation"] != "relu":
        activations.smooth_activations(module, words["activation"].replace("smoothrelu", "smooth_relu"))
    return module, int(words["size"] or 224)


def _efficientnet(target: str, arguments: Mapping[str, Any]) -> tuple[nn.Module, int]:
    import timm
    from timm.models.efficientnet import _gen_efficientnet

    size = target.split("-")[1]
    if size == "bL1":
        as_in_tensorflow = {"bn_eps": 1e-5, "pad_type": "same"}
        return _gen_efficientnet("tf_efficientnet_l2", **LARGEST, **{**as_in_tensorflow, **arguments}), LARGEST_SIZE
    module = timm.create_model(f"tf_efficientnet_{size}", **{"bn_eps": 1e-5, **arguments})
    return module, module.default_cfg["input_size"][-1]
