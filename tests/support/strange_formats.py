"""Networks in unusual number formats and file formats, one function each."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from plain_digits import base
from strange_answers import Around


def bfloat16_outputs() -> nn.Module:
    return Around(lambda body, images: body(images).bfloat16())


def half_outputs() -> nn.Module:
    return Around(lambda body, images: body(images).half())


def double_outputs() -> nn.Module:
    return Around(lambda body, images: body(images).double())


def bfloat16_module() -> nn.Module:
    return base().bfloat16()


def half_module() -> nn.Module:
    return base().half()


def double_module() -> nn.Module:
    return base().double()


def autocast() -> nn.Module:
    def forward(body: nn.Module, images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return body(images)

    return Around(forward)


def scripted() -> nn.Module:
    return torch.jit.script(base())


def frozen_script() -> nn.Module:
    return torch.jit.freeze(torch.jit.script(base()))


def traced() -> nn.Module:
    return torch.jit.trace(base(), torch.rand(2, 3, 32, 32))


def traced_for_eight() -> nn.Module:
    """A trace that wrote the batch size down."""
    body = nn.Sequential(base()[:-1], nn.Flatten(), base()[-1]).eval()
    fixed = Around(
        lambda body, images: body(images).view(images.shape[0], 10) + torch.zeros(int(images.shape[0]), 1), body
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(fixed, torch.rand(8, 3, 32, 32))


def exported() -> nn.Module:
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    return torch.export.export(base(), (torch.rand(2, 3, 32, 32),), dynamic_shapes=(batch,)).module()


def exported_for_eight() -> nn.Module:
    return torch.export.export(base(), (torch.rand(8, 3, 32, 32),)).module()


def graph_module() -> nn.Module:
    return torch.fx.symbolic_trace(base())


def compiled() -> nn.Module:
    return torch.compile(base(), backend="eager")


def data_parallel() -> nn.Module:
    return nn.DataParallel(base()).eval()


def dynamic_int8_as_converted() -> nn.Module:
    """The layers that torch puts in are in train mode, whatever the mode of the network was."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(base(), {nn.Linear}, dtype=torch.qint8)


def dynamic_int8() -> nn.Module:
    return dynamic_int8_as_converted().eval()


def static_int8() -> nn.Module:
    from plain_digits import images_and_labels

    quantization = torch.ao.quantization
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = nn.Sequential(base()[0], quantization.QuantStub(), *base()[1:], quantization.DeQuantStub()).eval()
        body.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
        prepared = quantization.prepare(body)
        prepared(images_and_labels()[0][:32])
        return quantization.convert(prepared).eval()
