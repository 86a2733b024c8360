"""A low-precision copy of a network: folded batch norm and normalisation, channels-last, 16 bits, compiled.

Its logits are close to those of the plain float32 network, not equal, so a caller confirms successes with the plain
network. In float32 the copy is only folded and channels-last.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from robustbench_eff.core.quantized import without_gradient
from robustbench_eff.core.types import Images, ImagesToLogits, Logits, NormalisedModel

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]

TYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
MAX_LOGIT_ERROR: dict[Precision, float] = {"float32": 1e-3, "bfloat16": 0.15, "float16": 0.05}
"""Largest error of a logit that counts as rounding, as a fraction of the logits' standard deviation."""

UNSUPPORTED_MODEL_ERRORS = (RuntimeError, TypeError, ValueError, AssertionError, AttributeError, KeyError)
"""Errors of modules that cannot be copied or do not support 16 bits."""


def has_fast_float16(device: torch.device) -> bool:
    """Return whether the hardware multiplies float16 matrices faster than float32: tensor cores, or AMX on a CPU.

    Args:
        device: Device to query.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (7, 0)
    return _cpu_has(device, "amx_fp16")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Return whether a CPU multiplies bfloat16 matrices faster than float32: with AVX512-BF16 or AMX.

    Args:
        device: Device to query; False for a GPU, whose float16 is as fast and finer.
    """
    return _cpu_has(device, "avx512_bf16", "amx_bf16")


def is_slow_in_16_bits(layer: nn.Module) -> bool:
    """Return whether the gradient of a layer takes several times as long in 16 bits as in float32 on a CPU.

    Args:
        layer: A layer of a network: true for a depthwise convolution with a stride.
    """
    return isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels and max(layer.stride) > 1


def _cpu_has(device: torch.device, *capabilities: str) -> bool:
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # not in the oldest supported torch
        return False
    has = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and any(has.get(name) for name in capabilities)


def accelerated(
    classifier: ImagesToLogits, probe: Images, precision: Precision, *, compiled: bool
) -> tuple[ImagesToLogits, str]:
    """Make a low-precision copy of a classifier, if its logits are close enough on a probe.

    Args:
        classifier: The network; only an `nn.Module` can be copied.
        probe: A few images in [0, 1], on which logits must agree within MAX_LOGIT_ERROR.
        precision: Precision of the copy.
        compiled: Compile the copy with `torch.compile`.

    Returns:
        The copy, or the classifier itself if no copy can be made or is close enough, and a description of what was
        done, with the reasons.
    """
    if not isinstance(classifier, nn.Module):
        return classifier, "float32, as it is: not an nn.Module"
    if why := without_gradient(classifier):
        return classifier, f"as it is: it {why}"
    with torch.no_grad():
        expected = classifier(probe)
    scale = float(expected.std()) if expected.numel() > 1 else 1.0
    reasons = []
    for build in (_Cast,) if precision == "float32" else (_Cast, _Autocast):
        try:
            normalise, body = _folded(classifier, probe)
            if precision != "float32" and probe.device.type == "cpu":
                _keep_slow_layers(body)
            cheaper = build(normalise, body, TYPES[precision]).eval()
            with torch.no_grad():
                error = float((cheaper(probe) - expected).abs().max()) / max(scale, 1e-12)
        except torch.OutOfMemoryError:
            raise
        except UNSUPPORTED_MODEL_ERRORS as problem:
            reasons.append(f"{type(problem).__name__}: {problem}".splitlines()[0])
            continue
        if error <= MAX_LOGIT_ERROR[precision]:
            description = f"{precision}, folded, channels-last" + (", compiled" if compiled else "")
            if compiled:
                torch.compiler.reset()  # Copies share a cache, and with too many of them none would be compiled.
                cheaper.compile(dynamic=True)
            return cheaper, description
        reasons.append(f"logits off by {error:.2g} standard deviations")
    return classifier, f"float32, as it is: {'; '.join(reasons)}"


class _Cast(nn.Module):
    """A network with weights of another type; float32 in and out."""

    def __init__(self, normalise: nn.Module, body: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.normalise = normalise
        self.body = body.to(dtype=dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype = dtype

    def forward(self, images: Images) -> Logits:
        # On a CPU the other orders take several times as long.
        pixels = self.normalise(images).to(self.dtype).contiguous(memory_format=torch.channels_last)
        logits: Logits = self.body(pixels).float()
        return logits


class _Autocast(nn.Module):
    """A network under autocast, for those that create float32 tensors in their forward."""

    def __init__(self, normalise: nn.Module, body: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.normalise = normalise
        self.body = body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype = dtype

    def forward(self, images: Images) -> Logits:
        pixels = self.normalise(images).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, self.dtype):
            logits: Logits = self.body(pixels).float()
        return logits


class _InFloat32(nn.Module):
    """A layer that stays in float32, whatever the type of its input."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            answer: Tensor = self.layer(features.float())
        return answer

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> _InFloat32:
        """Stay in float32 when the network is converted; a copy never changes its device."""
        del fn, recurse
        return self


class _Within(_InFloat32):
    """One in the middle of the network, which answers in the type of its input."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features).to(features.dtype)


class _Affine(nn.Module):
    """Normalisation as one multiplication and one addition."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", 1 / std)
        self.register_buffer("shift", -mean / std)

    def forward(self, images: Images) -> Images:
        return (images * self.scale).add_(self.shift)


def _folded(classifier: nn.Module, probe: Images) -> tuple[nn.Module, nn.Module]:
    """Return the normalisation and a copy of the network without parameter gradients, folded where that is exact."""
    duplicate = copy.deepcopy(classifier).requires_grad_(False)
    body = nn.Sequential(nn.Identity(), duplicate).eval()
    if isinstance(duplicate, NormalisedModel):
        body = nn.Sequential(_Affine(duplicate.mean, duplicate.std), duplicate.model).eval()
    pairs, head = _consecutive_modules(body, probe)
    for before, after in pairs:
        first, second = body.get_submodule(before), body.get_submodule(after)
        if isinstance(second, nn.BatchNorm2d) and isinstance(first, nn.Conv2d) and second.running_mean is not None:
            _fold_norm(first, second)
            # timm's batch norms include their dropout and activation.
            included = (getattr(second, "drop", None), getattr(second, "act", None))
            _replace(body, after, nn.Sequential(*(layer for layer in included if layer is not None)).eval())
        elif isinstance(first, _Affine) and isinstance(second, nn.Conv2d) and _unpadded(second):
            _fold_affine(first, second)
            _replace(body, before, nn.Identity().eval())
    if head is not None:  # logits in bfloat16 have steps of a hundredth, too coarse for small gains of the margin
        _replace(body, head, _InFloat32(body.get_submodule(head)).eval())
    normalise, network = body
    return normalise, network


def _keep_slow_layers(body: nn.Module) -> None:
    """Keep in float32 the layers of a network whose gradient is slow in 16 bits."""
    for name, layer in list(body.named_modules()):
        if is_slow_in_16_bits(layer):
            _replace(body, name, _Within(layer).eval())


def _consecutive_modules(body: nn.Module, probe: Images) -> tuple[list[tuple[str, str]], str | None]:
    """Return the names of pairs of modules where the second takes the first one's output, and of the logits' layer.

    Other uses of that output, such as a shortcut, are not detected: the copy's logits then differ and it is rejected.
    """
    makers: dict[int, tuple[str, Tensor, int]] = {}  # module, output and its version, by the output's id
    calls: dict[str, int] = {}
    pairs: list[tuple[str, str]] = []
    hooks = []

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module
            calls[name] = calls.get(name, 0) + 1
            maker = makers.get(id(inputs[0])) if inputs else None
            if maker is not None and maker[2] == inputs[0]._version:  # not modified in place since
                pairs.append((maker[0], name))
            if isinstance(output, Tensor):
                makers[id(output)] = (name, output, output._version)  # kept alive, so that no id is reused

        return hook

    for name, module in body.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear, _Affine)):
            hooks.append(module.register_forward_hook(watch(name)))
    try:
        with torch.no_grad():
            logits = body(probe)
    finally:
        for hook in hooks:
            hook.remove()
    last = makers.get(id(logits))
    head = None
    if last is not None and isinstance(body.get_submodule(last[0]), nn.Linear) and calls[last[0]] == 1:
        head = last[0]
    return [pair for pair in pairs if calls[pair[0]] == calls[pair[1]] == 1], head


def _fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    bias = (torch.zeros_like(scale) if conv.bias is None else conv.bias) - norm.running_mean
    bias = bias * scale + (0 if norm.bias is None else norm.bias)
    conv.weight = nn.Parameter(conv.weight * scale[:, None, None, None], requires_grad=False)
    conv.bias = nn.Parameter(bias, requires_grad=False)


def _fold_affine(affine: _Affine, conv: nn.Conv2d) -> None:
    bias = torch.zeros(conv.out_channels).to(conv.weight) if conv.bias is None else conv.bias
    conv.bias = nn.Parameter(bias + (conv.weight * affine.shift).sum((1, 2, 3)), requires_grad=False)
    conv.weight = nn.Parameter(conv.weight * affine.scale, requires_grad=False)


def _unpadded(conv: nn.Conv2d) -> bool:
    """Return whether folding is exact: zero padding after the normalisation is a different grey before it."""
    return conv.groups == 1 and type(conv) is nn.Conv2d and conv.padding in ((0, 0), "valid")


def _replace(body: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(body.get_submodule(parent), child, module)
