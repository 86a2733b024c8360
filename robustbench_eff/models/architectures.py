"""Networks without weights, by a text such as `small_cnn(width=16)` or `timm:resnet18(act_layer=silu)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from robustbench_eff.core import spec
from robustbench_eff.core.errors import ModelError, UsageError, did_you_mean

from .request import ModelRequest
from .small_cnn import SmallCNN
from .sources import timm_models, user_module


def effnet_micro(
    num_classes: int = 10, width: int = 16, drop_rate: float = 0.0, drop_path_rate: float = 0.0
) -> nn.Module:
    """An EfficientNet for 32x32 images: six blocks with squeeze and excitation, SiLU; 111,222 parameters at width 16.

    Of timm's parts. Source of the blocks: Tan & Le 2019, arXiv:1905.11946.
    """
    from timm.models._efficientnet_builder import decode_arch_def
    from timm.models.efficientnet import EfficientNet

    stages = [
        [f"ds_r1_k3_s1_e1_c{width}_se0.25"],
        [f"ir_r1_k3_s2_e4_c{width * 3 // 2}_se0.25"],
        [f"ir_r2_k3_s2_e4_c{width * 5 // 2}_se0.25"],
        [f"ir_r2_k3_s1_e4_c{width * 4}_se0.25"],
    ]
    network: nn.Module = EfficientNet(
        decode_arch_def(stages),
        num_classes=num_classes,
        stem_size=width,
        num_features=width * 8,
        act_layer=nn.SiLU,
        drop_rate=drop_rate,
        drop_path_rate=drop_path_rate,
    )
    return network


OWN: Mapping[str, Callable[..., nn.Module]] = {"effnet_micro": effnet_micro, "small_cnn": SmallCNN}


def build(text: str, num_classes: int) -> nn.Module:
    """The network with its own initialisation, drawn from torch's global generator, in eval mode.

    `text` names one of ours, `timm:NAME`, `torchvision:NAME` or `path/to/file.py:factory`. Raises SpecError for a text
    that cannot be read, UsageError for an unknown name, ModelError where the network cannot be built.
    """
    if ".py:" in text and "(" not in text:
        return _users(text, {})
    parsed = spec.parse(text)
    prefix, colon, name = parsed.name.partition(":")
    arguments = {"num_classes": num_classes, **parsed.arguments}
    if not colon:
        if parsed.name not in OWN:
            hint = did_you_mean(parsed.name, OWN) or f"Known: {', '.join(OWN)}, timm:NAME, torchvision:NAME."
            raise UsageError(f"Unknown architecture {parsed.name!r}.", f"{hint} Or path/to/file.py:factory.")
        return _called(OWN[parsed.name], text, arguments)
    if prefix == "timm":
        return timm_models.untrained(name, arguments)
    if prefix == "torchvision":
        from torchvision import models

        return _called(models.get_model, text, {"name": name, "weights": None, **arguments})
    return _users(parsed.name, parsed.arguments)


def _users(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The user's own; its factory must know the number of classes itself."""
    request = ModelRequest(name=name, model_args=arguments)
    if missing := user_module.missing(name, request):
        raise UsageError(f"{missing[0].what} is not there.", missing[0].how)
    return user_module.build(name, request).module


def _called(factory: Callable[..., nn.Module], text: str, arguments: Mapping[str, Any]) -> nn.Module:
    try:
        return factory(**arguments).eval()
    except (TypeError, ValueError) as error:
        raise ModelError(f"{text} cannot be built: {error}") from error
