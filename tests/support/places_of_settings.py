"""Networks that brighten their input by a setting that each keeps in another place, and that differ in nothing else."""

from __future__ import annotations

import argparse
import collections
import ctypes
import enum
import fractions
import functools
import types
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plain_digits import base, images_and_labels

LOW, HIGH = 0.0, 0.4
"""The two values of the setting."""


class Shifted(nn.Module):
    """The plain network on brighter images; `read` finds the setting in `place`, which is any attribute."""

    def __init__(self, read: Callable[[nn.Module], Any], **attributes: Any) -> None:
        super().__init__()
        self.body = base()
        self.read = read
        for name, value in attributes.items():
            setattr(self, name, value)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images + self.read(self))


@dataclass
class Settings:
    shift: float


class Plain:
    def __init__(self, shift: float) -> None:
        self.shift = shift

    def read(self, module: nn.Module) -> float:
        return self.shift

    def __call__(self, module: nn.Module) -> float:
        return self.shift


class Slotted:
    __slots__ = ("shift",)

    def __init__(self, shift: float) -> None:
        self.shift = shift


class Amount(enum.Enum):
    NONE = LOW
    MUCH = HIGH


class Session:
    """As a session of a runtime for exported networks: it cannot be pickled, and nothing shows what it holds."""

    __slots__ = ("_handle",)

    def __init__(self, shift: float) -> None:
        self._handle = ctypes.pointer(ctypes.c_double(shift))

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle 'Session' object")

    def run(self) -> float:
        return self._handle.contents.value


def _default(shift: float) -> Callable[[nn.Module], float]:
    return lambda module, amount=shift: amount


def _keyword_default(shift: float) -> Callable[[nn.Module], float]:
    def read(module: nn.Module, *, amount: float = shift) -> float:
        return amount

    return read


def _closure(shift: float) -> Callable[[nn.Module], float]:
    return lambda module: shift


def _nested_closure(shift: float) -> Callable[[nn.Module], float]:
    inner = _closure(shift)
    return lambda module: 2 * inner(module) / 2


def _first(amount: float, module: nn.Module) -> float:
    return amount


def _buffer(shift: float) -> nn.Module:
    module = Shifted(lambda module: module.shift)
    module.register_buffer("shift", torch.tensor(shift), persistent=False)
    return module


def _hooked(shift: float) -> nn.Module:
    body = base()
    body.register_forward_pre_hook(lambda module, inputs: (inputs[0] + shift,))
    return body


def _hooked_output(shift: float) -> nn.Module:
    body = base()
    body.register_forward_hook(lambda module, inputs, logits: logits.roll(round(5 * shift), 1))
    return body


def _replaced_method(shift: float) -> nn.Module:
    module = base()
    module.forward = types.MethodType(
        lambda self, images: nn.Sequential.forward(self, images + shift),
        module,
    )
    return module


def _class_attribute(shift: float) -> nn.Module:
    return type("OwnClass", (Shifted,), {"shift": shift})(lambda module: module.shift)


def _replaced_method_of_the_class(shift: float) -> nn.Module:
    kind = type("OwnClass", (Shifted,), {})
    kind.amount = lambda self: shift
    return kind(lambda module: module.amount())


def _base_of_the_class(shift: float) -> nn.Module:
    kind = type("OwnBase", (Shifted,), {"shift": shift})
    return type("OwnClass", (kind,), {})(lambda module: module.shift)


def _list_of_modules(shift: float) -> nn.Module:
    member = base()
    member[-1].weight.data = member[-1].weight.data.roll(round(5 * shift), 0)
    module = Shifted(lambda module: 0.0, members=[member])
    module.read = lambda module: 0 * module.members[0](torch.zeros(1, 3, 32, 32)).sum()
    module.forward = lambda images: module.members[0](images)
    return module


def _estimator(shift: float) -> nn.Module:
    """A fitted object of scikit-learn with weights of its own."""
    from sklearn.linear_model import RidgeClassifier

    images, labels = images_and_labels(360)
    fitted = RidgeClassifier(alpha=100).fit(images.flatten(1).numpy(), labels.numpy())
    fitted.coef_ = np.roll(fitted.coef_, round(5 * shift), 0)
    module = Shifted(lambda module: 0.0, estimator=fitted)

    def forward(images: Tensor) -> Tensor:
        return torch.from_numpy(fitted.decision_function(images.detach().flatten(1).numpy())).float()

    module.forward = forward
    return module


def _traced(shift: float) -> nn.Module:
    return torch.jit.trace(Shifted(lambda module: shift), torch.rand(2, 3, 32, 32))


def _graph(shift: float) -> nn.Module:
    traced = torch.fx.symbolic_trace(Shifted(lambda module: shift))
    return traced.eval()


def _int8(shift: float) -> nn.Module:
    """A dynamically quantised layer whose weights differ in the middle only, where the text of a tensor has dots."""
    body = base()
    wide = nn.Sequential(nn.Linear(48, 300), nn.Linear(300, 10)).eval()
    with torch.no_grad():
        wide[0].weight.copy_(nn.functional.pad(torch.eye(48), (0, 0, 100, 152)))
        wide[1].weight.copy_(nn.functional.pad(body[-1].weight.roll(round(5 * shift), 0), (100, 152)))
        wide[0].bias.zero_()
        wide[1].bias.copy_(body[-1].bias)
    body[-1] = wide
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(body, {nn.Linear}, dtype=torch.qint8).eval()


def _attribute(value: Callable[[float], Any], read: Callable[[Any], Any]) -> Callable[[float], nn.Module]:
    """A builder that keeps `value(shift)` in a public attribute."""
    return lambda shift: Shifted(lambda module: read(module.setting), setting=value(shift))


def _read(value: Callable[[float], Callable[[nn.Module], Any]]) -> Callable[[float], nn.Module]:
    """A builder whose `read` is made from the setting."""
    return lambda shift: Shifted(value(shift))


PLACES: dict[str, Callable[[float], nn.Module]] = {
    "number": _attribute(float, float),
    "text": _attribute(str, float),
    "bytes": _attribute(lambda shift: str(shift).encode(), float),
    "dictionary": _attribute(lambda shift: {"shift": shift}, lambda config: config["shift"]),
    "nested containers": _attribute(
        lambda shift: {"a": [1, ({"b": (2, [shift])},)]}, lambda config: config["a"][1][0]["b"][1][0]
    ),
    "keys of a dictionary": _attribute(lambda shift: {shift: "shift"}, lambda config: next(iter(config))),
    "order of a dictionary": _attribute(
        lambda shift: dict.fromkeys([HIGH - shift, shift]), lambda config: list(config)[1]
    ),
    "set": _attribute(lambda shift: {shift}, max),
    "deque": _attribute(lambda shift: collections.deque([shift]), max),
    "named tuple": _attribute(collections.namedtuple("Config", "shift"), lambda config: config.shift),
    "mapping proxy": _attribute(lambda shift: types.MappingProxyType({"s": shift}), lambda config: config["s"]),
    "argparse.Namespace": _attribute(lambda shift: argparse.Namespace(shift=shift), lambda args: args.shift),
    "SimpleNamespace": _attribute(lambda shift: types.SimpleNamespace(shift=shift), lambda args: args.shift),
    "dataclass": _attribute(Settings, lambda settings: settings.shift),
    "object": _attribute(Plain, lambda settings: settings.shift),
    "object with slots": _attribute(Slotted, lambda settings: settings.shift),
    "weak reference": lambda shift: Shifted(
        lambda module: module.setting().shift, owner=(kept := Plain(shift)), setting=weakref.ref(kept)
    ),
    "enum": _attribute(Amount, lambda amount: amount.value),
    "fraction": _attribute(fractions.Fraction, float),
    "complex number": _attribute(complex, lambda number: number.real),
    "NumPy scalar": _attribute(np.float32, float),
    "NumPy array": _attribute(lambda shift: np.array([[shift]]), lambda array: array.item()),
    "NumPy array of objects": _attribute(lambda shift: np.array([shift, None], dtype=object), lambda array: array[0]),
    "tensor": _attribute(torch.tensor, lambda tensor: tensor),
    "tensor in a list": _attribute(lambda shift: [torch.tensor(shift)], lambda tensors: tensors[0]),
    "sparse tensor": _attribute(
        lambda shift: torch.tensor([0.0, shift + 1]).to_sparse(), lambda tensor: float(tensor.to_dense()[1] - 1)
    ),
    "parameter in a list": _attribute(lambda shift: [nn.Parameter(torch.tensor(shift))], lambda found: found[0]),
    "private attribute": lambda shift: Shifted(lambda module: module._shift, _shift=shift),
    "buffer that is not saved": _buffer,
    "partial": _read(lambda shift: functools.partial(_first, shift)),
    "closure": _read(_closure),
    "closure of a closure": _read(_nested_closure),
    "default of a lambda": _read(_default),
    "keyword default": _read(_keyword_default),
    "bound method": _read(lambda shift: Plain(shift).read),
    "callable object": _read(Plain),
    "forward pre-hook": _hooked,
    "forward hook": _hooked_output,
    "replaced method": _replaced_method,
    "replaced method of the class": _replaced_method_of_the_class,
    "class attribute": _class_attribute,
    "base of the class": _base_of_the_class,
    "modules in a list": _list_of_modules,
    "estimator": _estimator,
    "session that cannot be pickled": lambda shift: Shifted(
        lambda module: module.session.run(), session=Session(shift)
    ),
    "traced": _traced,
    "graph": _graph,
    "dynamic int8": _int8,
}
"""Builders of such networks, by the place of the setting."""
