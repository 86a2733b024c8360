"""`ensemble:A+B`: the mean of the answers of several models, each with its own normalization and size of input.

Source: Lakshminarayanan et al. 2017, arXiv:1612.01474, section 2.4, for the mean of probabilities. Logits of different
networks have different scales, so their mean would follow the network with the largest; it has to be asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.errors import Missing, ModelError, UsageError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing, size_text
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import LoadedModule, ModelRequest

from . import build_model

MEANS = ("probabilities", "logits")
"""What is averaged, by default the first."""


class Member(nn.Module):
    """One network of an ensemble, from pixels to logits."""

    mean: Tensor
    std: Tensor

    def __init__(self, classifier: Classifier, given: Preprocessing) -> None:
        """Take the network of a classifier, and its normalization unless all members get images with the user's.

        Args:
            classifier: The classifier.
            given: How the images are prepared that the ensemble gets.
        """
        super().__init__()
        self.network = classifier.model
        own = classifier.preprocessing.geometry.shape
        self.resized = None if own == given.geometry.shape else own
        is_done = (given.mean, given.std) == (classifier.preprocessing.mean, classifier.preprocessing.std)
        mean, std = classifier.mean, classifier.std
        self.register_buffer("mean", torch.zeros_like(mean) if is_done else mean, persistent=False)
        self.register_buffer("std", torch.ones_like(std) if is_done else std, persistent=False)
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (batch, classes).

        Args:
            images: Images as the ensemble gets them, shape (batch, channels, height, width).
        """
        if self.resized is not None:
            images = functional.interpolate(images, self.resized, mode="bilinear", antialias=True)
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits


class Ensemble(nn.Module):
    """The mean of the probabilities of several networks, as their logarithm, or the mean of their logits."""

    def __init__(self, members: Sequence[Member], mean: str) -> None:
        """Build the ensemble.

        Args:
            members: The networks.
            mean: One of `MEANS`.
        """
        super().__init__()
        self.members = nn.ModuleList(members)
        self.mean = mean
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (batch, classes).

        Args:
            images: Images in [0, 1], shape (batch, 3, height, width).
        """
        logits = torch.stack([member(images) for member in self.members])
        if self.mean == "logits":
            return logits.mean(0)
        return functional.log_softmax(logits, dim=-1).logsumexp(0) - math.log(len(logits))


@dataclass(frozen=True, slots=True)
class Ensembles:
    """Several models as one. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return what any member lacks. See `ModelSource`.

        Args:
            target: Names of models, with `+` between them.
            request: The user's options.
        """
        _mean(request)
        if lacking := request.missing_weights_file():
            return lacking
        how = "load it alone once, where its host can be reached: the cache keeps it"
        lacks = [item for member in _requests(target, request) for item in build_model.missing(member)]
        return [replace(item, how=how, option="") if item.option else item for item in lacks]

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the ensemble; images have the size of the largest member, or the one of the request.

        See `ModelSource`.

        Args:
            target: Names of models, with `+` between them.
            request: The user's options.
        """
        mean = _mean(request)
        classifiers = [build_model.load(member) for member in _requests(target, request)]
        _check_agreement(classifiers)
        largest = max(classifiers, key=lambda classifier: math.prod(classifier.preprocessing.geometry.shape))
        channels = largest.preprocessing.channels
        pixels = Preprocessing(geometry=largest.preprocessing.geometry, mean=(0.0,) * channels, std=(1.0,) * channels)
        preprocessing = request.adapt(pixels, _crop_pct(largest))
        sources = "+".join(classifier.provenance.source for classifier in classifiers)
        return LoadedModule(
            module=Ensemble([Member(item, preprocessing) for item in classifiers], mean).eval(),
            preprocessing=preprocessing,
            source=f"ensemble:{sources}(mean={mean!r})",
            label_space=classifiers[0].provenance.label_space,
            notes=(
                f"mean of the {mean} of {len(classifiers)} models",
                *(f"{item.name}: {note}" for item in classifiers for note in item.provenance.notes),
            ),
            flags=(
                *(f"{item.name}: {flag}" for item in classifiers for flag in item.provenance.flags),
                *(flag for item in classifiers for flag in _prepared_otherwise(item, preprocessing.geometry)),
            ),
            class_names=next((item.class_names for item in classifiers if item.class_names), ()),
            weights_from="; ".join(
                f"{item.name}: {item.provenance.weights_from}" for item in classifiers if item.provenance.weights_from
            ),
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return that of the first member. See `ModelSource`.

        Args:
            target: Names of models, with `+` between them.
            request: The user's options.
        """
        return build_model.expected_label_space(_requests(target, request)[0])


ENSEMBLES = Ensembles()


def _requests(target: str, request: ModelRequest) -> list[ModelRequest]:
    """One request per member."""
    names = [name.strip() for name in target.split("+")]
    if len(names) < 2 or not all(names):
        raise UsageError(f"{request.name} does not name two models.", "Write ensemble:A+B, or ensemble:A+B+C.")
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{request.name} names {repeated} twice.", "Name each model once: all count the same.")
    if nested := next((name for name in names if name.startswith("ensemble:")), None):
        raise UsageError(f"{nested} is a part of an ensemble.", "Name all models with + between them: ensemble:A+B+C.")
    if request.weights is not None or request.weights_address is not None:
        raise UsageError("--weights cannot be given for an ensemble.", "Load each network in a factory of your own.")
    return [replace(request, name=name, model_args={}) for name in names]


def _mean(request: ModelRequest) -> str:
    arguments = dict(request.model_args)
    mean = arguments.pop("mean", MEANS[0])
    if arguments or mean not in MEANS:
        given = ", ".join(f"{key}={value}" for key, value in request.model_args.items())
        raise UsageError(f"An ensemble takes --model-arg mean=probabilities or mean=logits, got {given}.")
    return str(mean)


def _check_agreement(classifiers: Sequence[Classifier]) -> None:
    first = classifiers[0]
    for other in classifiers[1:]:
        facts = [
            ("outputs", first.num_classes, other.num_classes),
            ("the label space", first.provenance.label_space, other.provenance.label_space),
            ("channels", first.preprocessing.channels, other.preprocessing.channels),
        ]
        for what, own, others in facts:
            if own != others:
                message = f"{first.name} and {other.name} cannot be averaged: {what} {own} and {others}."
                raise ModelError(message, "Members must answer for the same classes, on the same kind of images.")
        if first.class_names and other.class_names and first.class_names != other.class_names:
            pairs = zip(first.class_names, other.class_names, strict=True)
            own, others = next(pair for pair in pairs if pair[0] != pair[1])
            raise ModelError(
                f"{first.name} and {other.name} cannot be averaged: the same output is {own!r} and {others!r}.",
                "Members must have the same classes in the same order.",
            )


def _crop_pct(classifier: Classifier) -> float:
    geometry = classifier.preprocessing.geometry
    return geometry.shape[0] / geometry.covered[0]


def _prepared_otherwise(classifier: Classifier, geometry: Geometry) -> list[str]:
    """A flag for a member that gets other images than it would alone."""
    own = classifier.preprocessing.geometry
    if own == geometry:
        return []
    resized = f", resized to {size_text(own.size)}" if own.shape != geometry.shape else ""
    return [f"{classifier.name} gets images {geometry}{resized}; alone {own}"]
