"""Networks without trained weights, by a text such as `small_cnn(width=16)` or `timm:resnet18(act_layer=silu)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from robustbench_eff.core import spec
from robustbench_eff.core.code_origin import BY_USER, CodeOrigin
from robustbench_eff.core.errors import ModelError, UsageError, did_you_mean, reason

from .request import ModelRequest
from .small_cnn import SmallCNN
from .sources import timm_models
from .sources.user_module import USER_MODULES


def effnet_micro(
    num_classes: int = 10, width: int = 16, drop_rate: float = 0.0, drop_path_rate: float = 0.0
) -> nn.Module:
    """Return a small EfficientNet for 32x32 images, built from timm's parts.

    It has six blocks with squeeze and excitation and SiLU, and 111,222 parameters at width 16 with 10 classes.

    Args:
        num_classes: Number of outputs.
        width: Number of channels of the stem; all other widths are multiples of it.
        drop_rate: Dropout rate before the last layer, in [0, 1).
        drop_path_rate: Largest rate of stochastic depth, in [0, 1).

    Source: Tan & Le 2019, arXiv:1905.11946, for the blocks.
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
"""Architectures of this package, by name."""
LIBRARIES = ("timm", "torchvision")
"""Prefixes of the architectures of other libraries."""


def build(text: str, num_classes: int, origin: CodeOrigin = BY_USER) -> nn.Module:
    """Return a network in eval mode with its own initialization, drawn from torch's global generator.

    Args:
        text: One of `OWN`, `timm:NAME` or `torchvision:NAME`, each with arguments in parentheses if needed, or
            `path/to/file.py:factory`, whose factory must know the number of classes itself.
        num_classes: Number of outputs, for all but a user's factory.
        origin: Who wrote the text.

    Raises:
        SpecError: The text cannot be read.
        UsageError: The name is unknown, the user's code cannot be imported, or a file names it and is not trusted.
        ModelError: The network cannot be built.
    """
    if (code := users_code(text)) is not None:
        return _build_users(code, origin)
    parsed = spec.parse(text)
    prefix, colon, name = parsed.name.partition(":")
    arguments = {"num_classes": num_classes, **parsed.arguments}
    if not colon:
        if parsed.name not in OWN:
            hint = did_you_mean(parsed.name, OWN) or f"Known: {', '.join(OWN)}, timm:NAME, torchvision:NAME."
            raise UsageError(f"Unknown architecture {parsed.name!r}.", f"{hint} Or path/to/file.py:factory.")
        return _call(OWN[parsed.name], text, arguments)
    if prefix == "timm":
        return timm_models.untrained(name, arguments)
    from torchvision import models

    return _call(models.get_model, text, {"name": name, "weights": None, **arguments})


def users_code(text: str) -> spec.Spec | None:
    """Return the place of the factory that an architecture names, and its arguments; None for one of a library.

    Args:
        text: As for `build`.

    Raises:
        SpecError: The text cannot be read.
    """
    if ".py:" in text and "(" not in text:  # such a path may contain characters that a spec text may not
        return spec.Spec(text, {})
    parsed = spec.parse(text)
    prefix, colon, _ = parsed.name.partition(":")
    return parsed if colon and prefix not in LIBRARIES else None


def _build_users(code: spec.Spec, origin: CodeOrigin) -> nn.Module:
    request = ModelRequest(name=code.name, model_args=code.arguments, named_in=origin.file, trust_code=origin.trusted)
    if missing := USER_MODULES.missing(code.name, request):
        raise UsageError(f"{missing[0].what} does not exist.", missing[0].how)
    return USER_MODULES.build(code.name, request).module


def _call(factory: Callable[..., nn.Module], text: str, arguments: Mapping[str, Any]) -> nn.Module:
    try:
        return factory(**arguments).eval()
    except (TypeError, ValueError, RuntimeError, MemoryError, ZeroDivisionError) as error:
        raise ModelError(f"{text} cannot be built: {reason(error)}.") from error
