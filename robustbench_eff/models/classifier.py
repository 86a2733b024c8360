"""A classifier: images in [0, 1] to logits, with its normalisation inside."""

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
    """Where a classifier came from, for the manifest and for the reader."""

    name: str
    """As the user wrote it."""
    source: str
    """What it resolved to, such as `timm:mobilenetv2_100(pad_type='same')`."""
    label_space: str
    """`imagenet`, `digits`, ... or `custom`: decides the benchmarks a suite runs on."""
    notes: tuple[str, ...] = ()
    """What the loader did that a reader should know."""


class Classifier(nn.Module):
    """Images `float32 (N, 3, H, W)` in [0, 1] to logits `(N, K)`, in eval mode, in plain float32.

    Raises ModelError when the model is in train mode, does not return finite float logits `(N, K)`,
    or returns probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, model: nn.Module, preprocessing: Preprocessing, provenance: Provenance, code: Path | None = None
    ) -> None:
        """`code` is the user's file that built the model, where that is not the one of its class."""
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
        return self.provenance.name

    def forward(self, images: Images) -> Logits:
        logits: Logits = self.model((images - self.mean) / self.std)
        return logits

    def with_class_map(self, class_map: ClassMap) -> Classifier:
        """The same classifier with its outputs read as the classes of a benchmark.

        It shares the weights and keeps the digest. Raises ModelError where it has another number of outputs.
        """
        if self.num_classes != class_map.outputs:
            raise ModelError(
                f"{self.name} has {self.num_classes} outputs; these classes are made of {class_map.outputs}."
            )
        read = copy.copy(self)
        read._modules = {**self._modules, "model": ClassMappedModel(self.model, class_map).to(self.mean.device)}
        read.num_classes = len(class_map.members)
        read._sums = weights_sums(read.model)
        return read

    @cached_property
    def flops(self) -> int:
        """Floating-point operations of one image's forward pass, matrix products and convolutions only."""
        size = self.preprocessing.geometry.size
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self(torch.zeros(1, 3, size, size, device=self.mean.device))
        return int(counter.get_total_flops())

    def check_mode(self) -> None:
        """Raise ModelError if any part of the model is in train mode."""
        trained = [name or "the model" for name, module in self.named_modules() if module.training]
        if trained:
            raise ModelError(
                f"{self.name}: {trained[0]} is in train mode"
                + (f" (and {len(trained) - 1} more parts)." if len(trained) > 1 else "."),
                "Batch norm and dropout would make samples depend on each other: call model.eval() first.",
            )

    def check_weights(self) -> None:
        """Raise ModelError if a parameter or buffer is not what it was when the classifier was made."""
        if weights_sums(self.model) != self._sums:
            raise ModelError(f"{self.name}: the weights were changed during the evaluation.", "An attack must not.")

    def _probe(self) -> int:
        """Classify three noise pictures and look at what comes out; returns the number of classes."""
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
                f"{self.name} returns NaN, infinite or non-float logits ({logits.dtype}) on noise pictures.",
                "Check the weights and the normalisation.",
            )
        if logits.shape[1] < 2:
            raise ModelError(f"{self.name} has one output: it cannot be wrong.", "Return one logit a class.")
        if is_probability(logits):
            raise ModelError(
                f"{self.name} returns probabilities (each row is in [0, 1] and sums to 1), not logits.",
                "Attacks on a softmax see vanishing gradients and look too weak: return the logits, or their log.",
            )
        return int(logits.shape[1])


class ClassMappedModel(nn.Module):
    """A network whose outputs are read as other classes.

    The mean of probabilities is taken as the logarithm of a mean of exponentials of logits: what all classes share
    changes neither the best of them nor their softmax.
    """

    indices: Tensor
    members: Tensor

    def __init__(self, model: nn.Module, class_map: ClassMap) -> None:
        super().__init__()
        self.model = model
        self.aggregation = class_map.aggregation
        widest = max(map(len, class_map.members))
        padded = [[*outputs, *[class_map.outputs] * (widest - len(outputs))] for outputs in class_map.members]
        self.register_buffer("indices", torch.tensor(padded), persistent=False)
        self.register_buffer("members", torch.tensor([*map(len, class_map.members)]), persistent=False)
        self.training = model.training

    def forward(self, images: Images) -> Logits:
        logits: Tensor = self.model(images)
        if self.indices.shape[1] == 1:
            return logits[:, self.indices[:, 0]]
        nothing = torch.full_like(logits[:, :1], float("-inf"))
        grouped = torch.cat((logits, nothing), 1)[:, self.indices]
        if self.aggregation == "max":
            return grouped.amax(2)
        return grouped.logsumexp(2) - self.members.log()


def is_probability(logits: Logits) -> bool:
    """Whether every row could be a softmax output."""
    return bool(logits.min() >= 0 and logits.max() <= 1 and (logits.sum(1) - 1).abs().max() < 1e-4)
