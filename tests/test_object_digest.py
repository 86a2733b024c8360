"""The digest of everything that can be reached from a module: what changes it, and what does not."""

from __future__ import annotations

import argparse
import copy
import enum
import functools
import io
import pickle
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from robustbench_eff.attacks import PGD, Oracle
from robustbench_eff.core.code_origin import BY_USER
from robustbench_eff.core.object_digest import foreign_digest, object_digest
from robustbench_eff.core.user_code import load_module, load_object
from robustbench_eff.models.fingerprint import identity, model_digest

SLOPE = 1.0


@dataclass
class Config:
    """A setting in a dataclass."""

    shift: float


class Mode(enum.Enum):
    """A setting in an enumeration."""

    A = 1
    B = 2


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("shift",)

    def __init__(self, shift: float) -> None:
        self.shift = shift


class Holder(nn.Module):
    """A module that holds any value in a private attribute."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2, bias=False)
        nn.init.eye_(self.layer.weight)
        self._value = value

    def forward(self, images: Tensor) -> Tensor:
        """Return the images."""
        answer: Tensor = self.layer(images)
        return answer


def digest(module: nn.Module) -> str:
    return model_digest(module.eval()).digest()


def shifted(shift: float) -> Callable[[Tensor], Tensor]:
    return lambda images: images + shift


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def estimator(regularisation: float) -> LogisticRegression:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    return LogisticRegression(C=regularisation).fit(points, [0, 1, 0, 1])


def quantised(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(40, 40))
    return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)


def per_channel(scale: float) -> Tensor:
    scales = torch.tensor([scale, 0.5])
    return torch.quantize_per_channel(torch.ones(2, 2), scales, torch.zeros(2, dtype=torch.int64), 0, torch.qint8)


def hooked(shift: float) -> nn.Module:
    module = nn.Linear(2, 2)
    nn.init.eye_(module.weight)
    nn.init.zeros_(module.bias)
    module.register_forward_hook(lambda module, inputs, output: output + shift)
    return module


def buffered(value: float, persistent: bool) -> nn.Module:
    module = nn.Module()
    module.register_buffer("shift", torch.tensor(value), persistent=persistent)
    return module


def traced(shift: float) -> torch.jit.ScriptModule:
    class Shifted(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images + shift

    module: torch.jit.ScriptModule = torch.jit.trace(Shifted().eval(), torch.zeros(2))
    return module


def patched(shift: float) -> nn.Module:
    module = Holder(None)
    module.forward = types.MethodType(lambda self, images: images + shift, module)  # type: ignore[method-assign]
    return module


PAIRS: dict[str, tuple[Any, Any]] = {
    "number": (1.0, 1.0000001),
    "text": ("crop", "squash"),
    "bytes": (b"a", b"b"),
    "type of a number": (1, 1.0),
    "NumPy scalar": (np.float32(0.0), np.float32(0.4)),
    "NumPy array": (np.zeros(3), np.array([0, 0, 0.1])),
    "array of objects": (np.array([1, "a"], dtype=object), np.array([1, "b"], dtype=object)),
    "tensor": (torch.zeros(3), torch.ones(3)),
    "shape of a tensor": (torch.zeros(3), torch.zeros(1, 3)),
    "bfloat16 tensor": (torch.zeros(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)),
    "quantised tensor": (torch.quantize_per_tensor(torch.ones(2), s, 0, torch.qint8) for s in (0.5, 0.25)),  # type: ignore[dict-item]
    "tensor quantised by channel": (per_channel(0.5), per_channel(0.25)),
    "sparse tensor": (torch.eye(3).to_sparse(), (2 * torch.eye(3)).to_sparse()),
    "complex tensor": (torch.zeros(2, dtype=torch.complex64), torch.full((2,), 1j)),
    "Parameter in a list": ([nn.Parameter(torch.zeros(2))], [nn.Parameter(torch.ones(2))]),
    "module in a list": ([Holder(1)], [Holder(2)]),
    "module in a dict": ({"a": Holder(1)}, {"a": Holder(2)}),
    "order of a list": ([1, 2], [2, 1]),
    "key of a dict": ({"a": 1}, {"b": 1}),
    "key that is an object": ({(1, Mode.A): 1}, {(1, Mode.B): 1}),
    "nested containers": ({"a": [{"b": (1, 2)}]}, {"a": [{"b": (1, 3)}]}),
    "set": ({"a", "b"}, {"a", "c"}),
    "Namespace": (argparse.Namespace(shift=0.0), argparse.Namespace(shift=0.4)),
    "dataclass": (Config(0.0), Config(0.4)),
    "slots": (Slotted(0.0), Slotted(0.4)),
    "enumeration": (Mode.A, Mode.B),
    "partial": (functools.partial(torch.add, other=0.0), functools.partial(torch.add, other=0.4)),
    "closure": (shifted(0.0), shifted(0.4)),
    "default argument": (lambda images, shift=0.0: images, lambda images, shift=0.4: images),
    "code of a function": (lambda images: images + 1, lambda images: images - 1),
    "constant of a function": (lambda images: images + 1, lambda images: images + 2),
    "function of torch": (torch.relu, torch.tanh),
    "bound method": (Config(0.0).__eq__, Config(0.4).__eq__),
    "type": (torch.float16, torch.bfloat16),
    "generator of random numbers": (generator(0), generator(1)),
    "generator of NumPy": (np.random.default_rng(0), np.random.default_rng(1)),
    "estimator of scikit-learn": (estimator(1.0), estimator(0.1)),
    "path": (Path("a"), Path("b")),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_a_setting_of_any_kind_is_part_of_the_digest(kind: str) -> None:
    one, other = PAIRS[kind]
    assert digest(Holder(one)) != digest(Holder(other))
    assert not model_digest(Holder(one)).opaque
    assert digest(Holder(one)) == digest(Holder(one))


@pytest.mark.parametrize(
    "make",
    [hooked, patched, quantised, lambda value: buffered(value, True), lambda value: buffered(value, False)],
    ids=["hook", "replaced method", "dynamic int8", "buffer", "non-persistent buffer"],
)
def test_a_module_that_differs_in_one_value_has_another_digest(make: Callable[[Any], nn.Module]) -> None:
    assert digest(make(0)) != digest(make(1))
    assert digest(make(1)) == digest(make(1))


def test_torchscript_is_told_apart_by_its_code() -> None:
    assert digest(traced(0.0)) == digest(traced(0.0)) != digest(traced(0.4))
    script = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    saved = io.BytesIO()
    torch.jit.save(script, saved)
    saved.seek(0)
    loaded = torch.jit.load(saved)
    before = digest(loaded)
    with torch.no_grad():
        next(loaded.parameters()).add_(1)
    assert digest(loaded) != before


def test_an_exported_program_is_told_apart_by_its_code_and_weights() -> None:
    def exported(shift: float, weight: float) -> nn.Module:
        class Shifted(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.tensor([weight]))

            def forward(self, images: Tensor) -> Tensor:
                return images * self.weight + shift

        module: nn.Module = torch.export.export(Shifted(), (torch.zeros(2, 1),)).module()
        return module

    digests = [model_digest(exported(*values)).digest() for values in ((0.0, 1.0), (0.4, 1.0), (0.0, 2.0), (0.0, 1.0))]
    assert digests[0] == digests[3] and len(set(digests)) == 3


def test_a_digest_survives_copies_pickles_and_another_order_of_sets() -> None:
    module = Holder({"names": {"a", "b", "c"}, "nested": [Config(1.0), np.zeros(2)], "again": Mode.A})
    module.layer.register_forward_hook(print)
    first = digest(module)
    assert digest(copy.deepcopy(module)) == digest(pickle.loads(pickle.dumps(module))) == first
    module._value["names"] = {"c", "b", "a"}
    module.layer._forward_hooks.clear()
    nn.Linear(1, 1).register_forward_hook(print)  # the number of the next hook is another one
    module.layer.register_forward_hook(print)
    assert digest(module) == first


def test_what_decides_no_answer_is_left_out() -> None:
    assert digest(Holder(torch.device("cpu"))) == digest(Holder(torch.device("meta")))
    assert digest(Holder(threading.Lock())) == digest(Holder(threading.Lock()))
    frozen = Holder(None)
    frozen.requires_grad_(False)
    assert digest(frozen) == digest(Holder(None))


def test_cycles_end() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    other: list[Any] = [2]
    other.append(other)
    assert digest(Holder(ring)) != digest(Holder(other))


def test_what_cannot_be_hashed_is_named(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        found = model_digest(Holder({"log": file}))
        assert found.opaque == ("_value.'log' (_io.TextIOWrapper)",)
    assert model_digest(Holder(iter(x for x in ()))).opaque == ("_value (builtins.generator)",)


def test_a_file_may_lie_anywhere(tmp_path: Path) -> None:
    digests = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "net.py").write_text(
            "from torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        return x\n"
        )
        digests.append(digest(load_module(f"{folder}/net.py").Net()))
    assert digests[0] == digests[1]


def test_a_global_constant_and_code_of_another_file_are_part_of_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = (
        "import importlib\nfrom torch import nn\nimport far_module\nnear = importlib.import_module('near_module')\n"
        "SHIFT = {shift}\nclass Net(nn.Module):\n    def forward(self, x):\n"
        "        return near.change(x) + SHIFT + far_module.change(x)\n"
    )

    def digest_with(shift: float = 0.0, near: str = "x", far: str = "x", comment: str = "") -> str:
        for name in ("near_module", "far_module"):
            sys.modules.pop(name, None)
        (tmp_path / "net.py").write_text(text.format(shift=shift) + comment)
        (tmp_path / "near_module.py").write_text(f"def change(x):\n    return {near}\n")
        (tmp_path / "far_module.py").write_text(
            f"def change(x):\n    return inner(x)\ndef inner(x):\n    return {far}\n"
        )
        sys.dont_write_bytecode, written = True, sys.dont_write_bytecode
        try:
            return digest(load_module(f"{tmp_path}/net.py").Net())
        finally:
            sys.dont_write_bytecode = written

    digests = [digest_with(), digest_with(shift=0.4), digest_with(near="x + 1"), digest_with(far="-x")]
    assert len(set(digests)) == 4
    assert digest_with(comment="# nothing changed\n") == digests[0]
    for name in ("near_module", "far_module"):
        sys.modules.pop(name, None)


def test_what_forward_rewrites_itself_is_no_part_of_the_identity() -> None:
    def identified(module: nn.Module) -> str:
        before = model_digest(module)
        module._value["calls"] += 1
        module._value["last"] = torch.ones(2)
        return identity("user:net", before, model_digest(module))

    assert identified(Holder({"calls": 0, "shift": 0.0})) == identified(Holder({"calls": 5, "shift": 0.0}))
    assert identified(Holder({"calls": 0, "shift": 0.0})) != identified(Holder({"calls": 0, "shift": 0.4}))


def test_this_package_and_installed_ones_have_no_foreign_digest() -> None:
    assert foreign_digest(PGD()) == ""
    assert object_digest(Oracle).digest() == object_digest(Oracle).digest()


def test_the_code_of_a_users_attack_is_its_foreign_digest(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"

    def digest_of(body: str) -> str:
        file.write_text(
            "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine:\n    eps: float = 0.1\n"
            f"    def __call__(self, classifier, images, labels, draws=None):\n        return {body}\n"
        )
        return foreign_digest(load_object(f"{file}:Mine", BY_USER)())

    assert "" != digest_of("images") == digest_of("images") != digest_of("images.flip(0)")
