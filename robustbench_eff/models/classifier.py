"""Classifier: from images in [0, 1] to logits, including the normalization."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.core.quantized import integer_layer
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images, Logits

from .class_map import ClassMap
from .class_names import class_names_of
from .exported import check_initialised, check_shape, mark_eval
from .fingerprint import identity, model_digest, weights_sums
from .operations import count_operations
from .outputs import CallableNetwork, LogitsOnly, device_of, prepare_network
from .randomness import draws_at_random, shares_draws

CHANGES_ITSELF = "changes its own weights or buffers when it is asked: an answer depends on the images before it."
CHANGES_ITSELF_HINT = (
    "Load it anew. If it adapts on purpose, keep all that changes on the module itself, so that a copy has its "
    "own, and say in which batches it adapts: --adapt 'batches(size=64)'."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a classifier came from, for the manifest and for readers."""

    name: str
    """Name as the user wrote it."""
    source: str
    """Source, name and arguments, such as `timm:mobilenetv2_100(pad_type='same')`."""
    label_space: str
    """`imagenet`, `digits`, ... or `custom`; a suite runs on the benchmarks of this label space."""
    notes: tuple[str, ...] = ()
    """Remarks on how the model was loaded."""
    flags: tuple[str, ...] = ()
    """What a reader must know before trusting a number of this model, such as `random weights: fc.weight`; they stand
    on every row."""
    weights_from: str = ""
    """Address and hash of the weights, where they were downloaded from an address; not part of the digest."""
    architecture: str = ""
    """Text of the architecture, where the card of a training states it."""
    defense: str = ""
    """Text of the training recipe, where the card of a training states it."""


class Classifier(nn.Module):
    """A network in eval mode that takes images in [0, 1] and returns logits, both in float32."""

    mean: Tensor
    std: Tensor
    draws: bool
    """Whether the network draws random numbers, so that the same images in the same batch get other logits."""
    shares_draws: bool
    """Whether all images of a batch share what it draws."""

    def __init__(
        self,
        model: nn.Module,
        preprocessing: Preprocessing,
        provenance: Provenance,
        class_names: tuple[str, ...] = (),
    ) -> None:
        """Wrap a network, and check it on three images of noise.

        Args:
            model: Network in eval mode that takes normalized images, shape (batch, channels, height, width), and
                returns logits, shape (batch, classes), or what `core.outputs` can read as such.
            preprocessing: Geometry and normalization of its images. Three equal values of `mean` and of `std` may
                become one: a network that fails on three channels and works on one takes one.
            provenance: Where it came from.
            class_names: Name of each output; empty to look for them in the network.

        Raises:
            ModelError: The network is in train mode, fails, does not return finite float logits, or returns
                probabilities or class numbers.
        """
        super().__init__()
        mark_eval(model)
        self.model = model
        self.training = getattr(model, "training", False)  # frozen TorchScript has no mode
        self.provenance = provenance
        check_initialised(model)
        before = model_digest(model)
        registered = {*model.modules()}
        self._hidden = {
            path: module
            for path, module in before.expanded.items()
            if isinstance(module, nn.Module) and module not in registered
        }
        """Modules that are reached through lists, attributes of other objects or closures, by path."""
        self.check_mode()
        check_shape(model, preprocessing.geometry.shape)
        sums = self.weights_sums()
        trial, prepared = _tried_out(model, preprocessing, self.name)
        self.model, self.preprocessing, self.num_classes = prepared[:3]
        self.class_names = class_names or class_names_of(model, self.num_classes)
        """Name of each output, where the network says so; else empty."""
        self.check_mode()
        self.provenance = replace(
            provenance,
            notes=(*provenance.notes, *prepared.notes),
            flags=(*provenance.flags, *prepared.flags),
        )
        for name, values in (("mean", self.preprocessing.mean), ("std", self.preprocessing.std)):
            self.register_buffer(
                name, torch.tensor(values, device=device_of(model)).view(1, -1, 1, 1), persistent=False
            )
        images = RandomStreams.of(0, range(3), self.mean.device).uniform(self.preprocessing.shape, stream="probe")
        self.draws = draws_at_random(self, images)
        self.shares_draws = self.draws and shares_draws(self, images[:1])
        self.model = model if prepared.network is trial else LogitsOnly(model)
        self.can_be_copied = trial is not model
        """Whether a deep copy works as the network does."""
        self._sums = self.weights_sums()
        if self._sums != sums:
            raise ModelError(f"{self.name} {CHANGES_ITSELF}", CHANGES_ITSELF_HINT)
        self.digest = identity(provenance.source, before, model_digest(trial))
        self.opaque = before.opaque
        """What of the network cannot be hashed, by path and type; stored numbers of such a network are not reused."""

    @property
    def name(self) -> str:
        """Return the name as the user wrote it."""
        return self.provenance.name

    def forward(self, images: Images) -> Logits:
        """Return logits, shape (batch, classes).

        Args:
            images: Images in [0, 1], shape (batch, channels, height, width), float32.
        """
        logits: Logits = self.model((images - self.mean) / self.std)
        return logits

    def with_class_map(self, class_map: ClassMap) -> Classifier:
        """Return the same classifier with its outputs mapped to the classes of a benchmark.

        The result shares the weights and has the same digest.

        Args:
            class_map: Outputs of every class.

        Raises:
            ModelError: The classifier has another number of outputs than the map.
        """
        if self.num_classes != class_map.outputs:
            raise ModelError(
                f"{self.name} has {self.num_classes} outputs; these classes need a model with {class_map.outputs}."
            )
        mapped = self.with_network(ClassMappedModel(self.model, class_map).to(self.mean.device))
        mapped.num_classes = len(class_map.members)
        return mapped

    def with_network(self, network: nn.Module) -> Classifier:
        """Return the same classifier around another network, with the digest of this one.

        Args:
            network: Network that takes the same normalized images.
        """
        other = copy.copy(self)
        other._modules = {**self._modules, "model": network}
        other._sums = other.weights_sums()
        return other

    @cached_property
    def flops(self) -> int:
        """Return the floating-point operations of one image's forward pass, matrix products and convolutions only."""
        return count_operations(self, torch.zeros(1, *self.preprocessing.shape, device=self.mean.device))

    def placed(self, device: torch.device | str) -> Classifier:
        """Move the classifier to a device, and return it.

        Args:
            device: Device to compute on.

        Raises:
            ModelError: It computes with integers, which a GPU does not.
        """
        if torch.device(device).type != "cpu" and (layer := integer_layer(self.model)):
            raise ModelError(f"{self.name} computes with integers in {layer}, on a CPU only.", "Pass --device cpu.")
        return self.to(device)

    def check_mode(self) -> None:
        """Raise ModelError if any part of the model is in train mode."""
        in_train_mode = [
            name or "the model"
            for name, module in (*self.named_modules(), *self._hidden.items())
            if getattr(module, "training", False)
        ]
        if in_train_mode:
            raise ModelError(
                f"{self.name}: {in_train_mode[0]} is in train mode"
                + (f" (and {len(in_train_mode) - 1} more parts)." if len(in_train_mode) > 1 else "."),
                "Batch norm and dropout would make samples depend on each other: call model.eval() first.",
            )

    def check_weights(self) -> None:
        """Raise ModelError if a parameter or buffer has changed since the classifier was made."""
        if self.weights_sums() != self._sums:
            raise ModelError(f"{self.name}: the weights were changed during the evaluation.", "An attack must not.")

    def weights_sums(self) -> list[int]:
        """Return the sums of all parameters and buffers that can be reached; see `fingerprint.weights_sums`."""
        return [total for module in (self.model, *self._hidden.values()) for total in weights_sums(module)]


_CANNOT_COPY = (RuntimeError, TypeError, ValueError, AttributeError, copy.Error, pickle.PickleError)
"""What `copy.deepcopy` raises for modules that hold generators, locks or tensors with a history."""


def copy_for_trial(model: nn.Module) -> nn.Module:
    """Return a copy to be tried out, because a network that adapts would adapt to what it is tried on.

    Args:
        model: Any network; one that cannot be copied is returned itself.
    """
    try:
        copied = copy.deepcopy(model)
        for part, original in zip(copied.modules(), model.modules(), strict=True):
            mode = getattr(original, "training", None)  # frozen TorchScript has none
            if mode is not None and part.training != mode:  # copies of integer layers forget it
                part.training = mode
    except _CANNOT_COPY:  # a network that cannot be copied can still be evaluated, but not adapt
        return model
    return copied


def _tried_out(model: nn.Module, preprocessing: Preprocessing, name: str) -> tuple[nn.Module, CallableNetwork]:
    """A copy of a network and how it is called; the network itself where copies do not work as it does."""
    trial = copy_for_trial(model)
    try:
        return trial, prepare_network(trial, preprocessing, name)
    except ModelError:
        if trial is model:
            raise
    return model, prepare_network(model, preprocessing, name)


class ClassMappedModel(nn.Module):
    """A network whose outputs are mapped to other classes.

    The mean of probabilities is computed as the logarithm of the mean of the exponentials of the logits: a term that
    all classes share changes neither the argmax nor the softmax.
    """

    indices: Tensor
    members: Tensor

    def __init__(self, model: nn.Module, class_map: ClassMap) -> None:
        """Wrap a network.

        Args:
            model: Network with as many outputs as the map says.
            class_map: Outputs of every class.
        """
        super().__init__()
        self.model = model
        self.aggregation = class_map.aggregation
        widest = max(map(len, class_map.members))
        padded = [[*outputs, *[class_map.outputs] * (widest - len(outputs))] for outputs in class_map.members]
        self.register_buffer("indices", torch.tensor(padded), persistent=False)
        self.register_buffer("members", torch.tensor([*map(len, class_map.members)]), persistent=False)
        self.training = model.training

    def forward(self, images: Images) -> Logits:
        """Return the logits of the benchmark's classes, shape (batch, classes).

        Args:
            images: Normalized images.
        """
        logits: Tensor = self.model(images)
        if self.indices.shape[1] == 1:
            return logits[:, self.indices[:, 0]]
        padding = torch.full_like(logits[:, :1], float("-inf"))
        grouped = torch.cat((logits, padding), 1)[:, self.indices]
        if self.aggregation == "max":
            return grouped.amax(2)
        return grouped.logsumexp(2) - self.members.log()


def flags_within(module: nn.Module) -> tuple[str, ...]:
    """Return the flags of all classifiers that a module is or contains, such as one that a user's factory loaded.

    Args:
        module: Network.
    """
    parts = [part for part in module.modules() if isinstance(part, Classifier)]
    return tuple(dict.fromkeys(flag for part in parts for flag in part.provenance.flags))
