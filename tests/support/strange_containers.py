"""Networks that keep their parts in unusual places, one function each."""

from __future__ import annotations

import functools
import threading
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from plain_digits import base
from strange_answers import Around


def listed_members() -> nn.Module:
    """An ensemble in a plain Python list, in eval mode."""
    members = [base(), base()]
    with torch.no_grad():
        members[1][-1].weight.mul_(0.5)
    return Around(lambda body, images: sum(member(images) for member in members), nn.Identity())


class Ensemble(nn.Module):
    """Members in a plain Python list of the module."""

    def __init__(self, members: Any) -> None:
        super().__init__()
        self.members = members
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        members = self.members.values() if isinstance(self.members, dict) else self.members
        return sum(member(images) for member in members)


def ensemble() -> nn.Module:
    return Ensemble([base(), base()])


def ensemble_with_a_member_in_train_mode() -> nn.Module:
    return Ensemble([base(), base().train()])


def ensemble_with_dropout_in_train_mode() -> nn.Module:
    member = base()
    member.insert(len(member) - 1, nn.Dropout(0.5))
    return Ensemble([base(), member])


def dictionary_with_a_member_in_train_mode() -> nn.Module:
    return Ensemble({"one": base(), "two": base().train()})


class Weights(nn.Module):
    """Tensors in a plain list; nothing is registered."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.layers = list(base().children())[:-1]
        self.weights = [kind(tensor.detach().clone()) for tensor in base()[-1].parameters()]
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        for layer in self.layers:
            images = layer(images)
        return images @ self.weights[0].T + self.weights[1]


def listed_tensors() -> nn.Module:
    return Weights(torch.Tensor)


def listed_parameters() -> nn.Module:
    return Weights(nn.Parameter)


def _brighter(images: Tensor, body: nn.Module, amount: float) -> Tensor:
    return body((images + amount).clamp(0, 1))


def partial_forward() -> nn.Module:
    module = Around(lambda body, images: None)
    module.forward = functools.partial(_brighter, body=base(), amount=0.05)
    return module


def closure_forward() -> nn.Module:
    body, amount = base(), 0.05
    module = Around(lambda body, images: None, nn.Identity())
    module.forward = lambda images: body((images + amount).clamp(0, 1))
    return module


def forward_hook() -> nn.Module:
    body = base()
    body.register_forward_hook(lambda module, inputs, logits: logits - 3 * (torch.arange(10) == 1))
    return body


def forward_pre_hook() -> nn.Module:
    body = base()
    body.register_forward_pre_hook(lambda module, inputs: (inputs[0].flip(3),))
    return body


def weight_norm() -> nn.Module:
    body = base()
    parametrizations.weight_norm(body[-1])
    return body.eval()


def old_weight_norm() -> nn.Module:
    """Its weight is a tensor with a history: it cannot be copied deeply."""
    body = base()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.nn.utils.weight_norm(body[-1])
    return body.eval()


def spectral_norm() -> nn.Module:
    body = base()
    parametrizations.spectral_norm(body[-1])
    return body.eval()


def functional_call() -> nn.Module:
    weights = {name: value.detach() for name, value in base().state_dict().items()}
    return Around(lambda body, images: torch.func.functional_call(body, weights, images))


def lock() -> nn.Module:
    module = Around(lambda body, images: body(images))
    module.lock = threading.Lock()
    return module


def unused_generator() -> nn.Module:
    module = Around(lambda body, images: body(images))
    module.generator = torch.Generator()
    return module


def iterator() -> nn.Module:
    module = Around(lambda body, images: body(images))
    module.log = (line for line in ("it", "cannot", "be", "copied"))
    return module


class WithSlots(nn.Module):
    __slots__ = ("shift",)

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.body = base()
        object.__setattr__(self, "shift", shift)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images + self.shift)


def slots() -> nn.Module:
    return WithSlots(0.02)


class OwnTraining(Around):
    """`training` is a property that cannot be switched."""

    answer = False

    @property
    def training(self) -> bool:
        return self.answer

    @training.setter
    def training(self, value: bool) -> None:
        pass


class AlwaysTraining(OwnTraining):
    answer = True


def training_property() -> nn.Module:
    return OwnTraining(lambda body, images: body(images))


def always_training() -> nn.Module:
    return AlwaysTraining(lambda body, images: body(images))


class OwnCall(Around):
    """`__call__` itself is replaced, so hooks do not run."""

    def __call__(self, images: Tensor) -> Tensor:
        return self.body(images.flip(3))


def own_call() -> nn.Module:
    return OwnCall(lambda body, images: body(images))
