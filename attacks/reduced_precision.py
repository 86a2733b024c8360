"""The same network, cheaper to query: folded batch norm and normalisation, channels-last, 16 bits, compiled.

What comes out is close to the plain float32 network, not equal: whoever uses it asks the plain one before believing it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from robustbench_eff.core.types import Images, ImagesToLogits, Logits, NormalisedModel

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]

TYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
MAX_LOGIT_ERROR: dict[Precision, float] = {"float32": 1e-3, "bfloat16": 0.15, "float16": 0.05}
"""Largest error of a logit that is taken for rounding, as a fraction of the logits' standard deviation."""

UNSUPPORTED_MODEL_ERRORS = (RuntimeError, TypeError, ValueError, AssertionError, AttributeError, KeyError)
"""What a user's module may raise that cannot be copied, or does not like 16 bits."""


def has_fast_float16(device: torch.device) -> bool:
    """Whether the hardware multiplies float16 matrices faster than float32: by tensor cores, or AMX on a CPU.

    bfloat16 is never taken unasked: its rounding is eight times coarser, and Square gets stuck on it.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (7, 0)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # younger than the oldest torch we accept
        return False
    return bool(torch.cpu.get_capabilities().get("amx_fp16"))


def accelerated(
    classifier: ImagesToLogits, probe: Images, precision: Precision, *, compiled: bool
) -> tuple[ImagesToLogits, str]:
    """A cheaper twin of `classifier`, checked on `probe` (a few images), and what was done in words.

    The network itself where no twin gives its logits within ACCEPTED, or where it is no module that can be copied;
    the words then say why.
    """
    if not isinstance(classifier, nn.Module):
        return classifier, "float32, as it is: not an nn.Module"
    with torch.no_grad():
        expected = classifier(probe)
    scale = float(expected.std()) if expected.numel() > 1 else 1.0
    reasons = []
    for build in (_Cast,) if precision == "float32" else (_Cast, _Autocast):
        try:
            twin = build(*_folded(classifier, probe), TYPES[precision]).eval()
            with torch.no_grad():
                error = float((twin(probe) - expected).abs().max()) / max(scale, 1e-12)
        except torch.OutOfMemoryError:
            raise
        except UNSUPPORTED_MODEL_ERRORS as problem:
            reasons.append(f"{type(problem).__name__}: {problem}".splitlines()[0])
            continue
        if error <= MAX_LOGIT_ERROR[precision]:
            words = f"{precision}, folded, channels-last" + (", compiled" if compiled else "")
            if compiled:
                torch.compiler.reset()  # Twins share a cache, and with too many of them none would be compiled.
                twin.compile(dynamic=True)
            return twin, words
        reasons.append(f"logits off by {error:.2g} standard deviations")
    return classifier, f"float32, as it is: {'; '.join(reasons)}"


class _Cast(nn.Module):
    """A network whose weights are of another type; float32 in and out."""

    def __init__(self, normalise: nn.Module, body: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.normalise = normalise
        self.body = body.to(dtype=dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype = dtype

    def forward(self, images: Images) -> Logits:
        # In this order: the other ways round a CPU takes several times as long.
        pixels = self.normalise(images).to(self.dtype).contiguous(memory_format=torch.channels_last)
        logits: Logits = self.body(pixels).float()
        return logits


class _Autocast(nn.Module):
    """For networks that make float32 tensors on the way: the types are chosen operation by operation."""

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


class _Head(nn.Module):
    """The layer that makes the logits, in float32 whatever it is given.

    Logits in bfloat16 have steps of a hundredth: too coarse for attacks that live on small gains of the margin.
    """

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor) -> Logits:
        with torch.autocast(features.device.type, enabled=False):
            logits: Logits = self.linear(features.float())
        return logits

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> _Head:
        """Is not converted with the rest; a twin is made on the device it stays on."""
        del fn, recurse
        return self


class _Affine(nn.Module):
    """Normalisation as a multiplication and an addition."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", 1 / std)
        self.register_buffer("shift", -mean / std)

    def forward(self, images: Images) -> Images:
        return (images * self.scale).add_(self.shift)


def _folded(classifier: nn.Module, probe: Images) -> tuple[nn.Module, nn.Module]:
    """What is done to pixels first, and a copy of the network without gradients for its parameters.

    Normalisation and batch norms are folded where that is exact.
    """
    twin = copy.deepcopy(classifier).requires_grad_(False)
    body = nn.Sequential(nn.Identity(), twin).eval()
    if isinstance(twin, NormalisedModel):
        body = nn.Sequential(_Affine(twin.mean, twin.std), twin.model).eval()
    pairs, head = _neighbours(body, probe)
    for before, after in pairs:
        first, second = body.get_submodule(before), body.get_submodule(after)
        if isinstance(second, nn.BatchNorm2d) and isinstance(first, nn.Conv2d) and second.running_mean is not None:
            _fold_norm(first, second)
            # timm's batch norms carry their activation with them.
            rest = [part for part in (getattr(second, "drop", None), getattr(second, "act", None)) if part is not None]
            _replace(body, after, nn.Sequential(*rest).eval())
        elif isinstance(first, _Affine) and isinstance(second, nn.Conv2d) and _unpadded(second):
            _fold_affine(first, second)
            _replace(body, before, nn.Identity().eval())
    if head is not None:
        _replace(body, head, _Head(body.get_submodule(head)).eval())
    normalise, network = body
    return normalise, network


def _neighbours(body: nn.Module, probe: Images) -> tuple[list[tuple[str, str]], str | None]:
    """Names of modules where the second one is given the very tensor that the first one made; and who makes the logits.

    A tensor that goes elsewhere too, as before a shortcut, is not seen here: then the twin's logits differ, and it
    is refused.
    """
    makers: dict[int, tuple[str, Tensor, int]] = {}
    calls: dict[str, int] = {}
    pairs: list[tuple[str, str]] = []
    hooks = []

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module
            calls[name] = calls.get(name, 0) + 1
            maker = makers.get(id(inputs[0])) if inputs else None
            if maker is not None and maker[2] == inputs[0]._version:  # nothing was written into it since
                pairs.append((maker[0], name))
            if isinstance(output, Tensor):
                makers[id(output)] = (name, output, output._version)  # alive, so that no id is used twice

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
    is_head = last is not None and isinstance(body.get_submodule(last[0]), nn.Linear) and calls[last[0]] == 1
    return [pair for pair in pairs if calls[pair[0]] == calls[pair[1]] == 1], last[0] if last and is_head else None


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
    """Zero padding comes after the normalisation, so it would be another grey before it."""
    return conv.groups == 1 and type(conv) is nn.Conv2d and conv.padding in ((0, 0), "valid")


def _replace(body: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(body.get_submodule(parent), child, module)
