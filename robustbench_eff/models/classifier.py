"""Classifier: from images in [0, 1] to logits, including the normalization."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images, Logits

from .class_map import ClassMap
from .fingerprint import model_digest, weights_digest, weights_sums


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


class Classifier(nn.Module):
    """A network in eval mode and float32 that takes images in [0, 1] and returns logits."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, model: nn.Module, preprocessing: Preprocessing, provenance: Provenance, code: Path | None = None
    ) -> None:
        """Wrap a network, and check it on three images of noise.

        Args:
            model: Network in eval mode that takes normalized images, shape (batch, 3, size, size), and returns logits,
                shape (batch, classes).
            preprocessing: Geometry and normalization of its images.
            provenance: Where it came from.
            code: The user's file that built the network, if there is one; part of the digest.

        Raises:
            ModelError: The network is in train mode, fails, does not return finite float logits of that shape, has
                fewer than two outputs, or returns probabilities.
        """
        super().__init__()
        self.model = model
        self.preprocessing = preprocessing
        self.provenance = provenance
        device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
        for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
            self.register_buffer(name, torch.tensor(values, device=device).view(1, 3, 1, 1), persistent=False)
        self.training = model.training
        self.check_mode()
        self.num_classes = self._probe()
        self._sums = weights_sums(model)
        self.digest = model_digest(model, weights_digest(model), provenance.source, code)

    @property
    def name(self) -> str:
        """Return the name as the user wrote it."""
        return self.provenance.name

    def forward(self, images: Images) -> Logits:
        """Return logits, shape (batch, classes).

        Args:
            images: Images in [0, 1], shape (batch, 3, height, width), float32.
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
        mapped = copy.copy(self)
        mapped._modules = {**self._modules, "model": ClassMappedModel(self.model, class_map).to(self.mean.device)}
        mapped.num_classes = len(class_map.members)
        mapped._sums = weights_sums(mapped.model)
        return mapped

    @cached_property
    def flops(self) -> int:
        """Return the floating-point operations of one image's forward pass, matrix products and convolutions only."""
        size = self.preprocessing.geometry.size
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self(torch.zeros(1, 3, size, size, device=self.mean.device))
        return int(counter.get_total_flops())

    def check_mode(self) -> None:
        """Raise ModelError if any part of the model is in train mode."""
        in_train_mode = [name or "the model" for name, module in self.named_modules() if module.training]
        if in_train_mode:
            raise ModelError(
                f"{self.name}: {in_train_mode[0]} is in train mode"
                + (f" (and {len(in_train_mode) - 1} more parts)." if len(in_train_mode) > 1 else "."),
                "Batch norm and dropout would make samples depend on each other: call model.eval() first.",
            )

    def check_weights(self) -> None:
        """Raise ModelError if a parameter or buffer has changed since the classifier was made."""
        if weights_sums(self.model) != self._sums:
            raise ModelError(f"{self.name}: the weights were changed during the evaluation.", "An attack must not.")

    def _probe(self) -> int:
        """Check the logits of three images of noise, and return the number of classes."""
        size = self.preprocessing.geometry.size
        images = RandomStreams.of(0, range(3), self.mean.device).uniform((3, size, size), stream="probe")
        try:
            with torch.no_grad():
                logits = self(images)
        except Exception as error:
            raise ModelError(
                f"{self.name} fails on a batch of shape {tuple(images.shape)}: {type(error).__name__}: {error}",
                "Its forward must take the images alone, at this size: see --input-size and --model-arg.",
            ) from error
        self.check_mode()
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(f"{self.name} must return logits of shape (N, K), got {got} for N = {len(images)}.")
        if not logits.dtype.is_floating_point or not logits.isfinite().all():
            raise ModelError(
                f"{self.name} returns NaN, infinite or non-float logits ({logits.dtype}) on images of noise.",
                "Check the weights and the normalisation.",
            )
        if logits.shape[1] < 2:
            raise ModelError(f"{self.name} has one output: it cannot be wrong.", "Return one logit per class.")
        if is_probability(logits):
            raise ModelError(
                f"{self.name} returns probabilities (each row is in [0, 1] and sums to 1), not logits.",
                "Attacks on a softmax see vanishing gradients and look too weak: return the logits, or their log.",
            )
        return int(logits.shape[1])


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


def is_probability(logits: Logits) -> bool:
    """Return True if every row could be the output of a softmax: in [0, 1] with sum 1.

    Args:
        logits: Output of a network, shape (batch, classes).
    """
    return bool(logits.min() >= 0 and logits.max() <= 1 and (logits.sum(1) - 1).abs().max() < 1e-4)


def flags_within(module: nn.Module) -> tuple[str, ...]:
    """Return the flags of all classifiers that a module is or contains, such as one that a user's factory loaded.

    Args:
        module: Network.
    """
    parts = [part for part in module.modules() if isinstance(part, Classifier)]
    return tuple(dict.fromkeys(flag for part in parts for flag in part.provenance.flags))
