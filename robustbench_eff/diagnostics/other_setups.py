"""What the clean accuracy of a model would be if it were set up otherwise: the usual slips, tried on a few images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom
from torch import Tensor

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import RobustEvalError, UsageError, reason
from robustbench_eff.core.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Geometry,
    Mode,
    Preprocessing,
    size_before_crop,
)
from robustbench_eff.core.progress import ignore_progress
from robustbench_eff.evaluation.plan import ASSUMED
from robustbench_eff.evaluation.preflight import check
from robustbench_eff.evaluation.requested_images import RequestedImages
from robustbench_eff.evaluation.resolve_cells import RequestedCell, all_opened, check_classes, requested_cells
from robustbench_eff.evaluation.seen_classes import seen_by
from robustbench_eff.evaluation.settings import Settings
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.sources.user_module import DEFAULT_CROP, DEFAULT_SIZE, SMALL
from robustbench_eff.registry import build_model

CIFAR_SIZE = 32
"""Input size, in pixels, that most networks for small images have."""
_REFUSALS = (RobustEvalError, RuntimeError, ValueError)
"""What says that a network does not take images: several sizes, or a fixed input size."""
_LEVEL = 0.01
"""Probability with which two set-ups that are equally good are taken for different, by a sign test."""
_BATCH = 16
"""Images per forward pass."""
_PER_CLASS = 4
"""Samples per class from which on an order of classes is guessed."""
_FOUND = 0.5
"""Least accuracy in a guessed order of the classes."""
NORMALIZATIONS = (
    ((0.0,) * 3, (1.0,) * 3),
    (IMAGENET_MEAN, IMAGENET_STD),
    ((0.5,) * 3, (0.5,) * 3),
    ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    ((0.0,) * 3, (1 / 255,) * 3),
)
"""Mean and std that are usual: none, ImageNet's, symmetric, CIFAR-10's, and pixels from 0 to 255."""
CAFFE = (0.48502, 0.457957, 0.407604), (1 / 255,) * 3
"""Mean of ImageNet for pixels from 0 to 255 whose std is 1."""
_REVERSED = "channels in the order blue, green, red: reverse them in a factory, images.flip(1)"


class Setup(NamedTuple):
    """The number of right answers in a set-up."""

    options: tuple[str, ...]
    """Options that set the model up so, besides those that were given."""
    remark: str
    """What to change besides, as no option can; else empty."""
    right: npt.NDArray[np.bool_]
    """Whether each image is classified correctly."""

    @property
    def words(self) -> str:
        """What to change, for readers."""
        return ", and ".join(part for part in (" ".join(self.options), self.remark) if part)


@dataclass(frozen=True, slots=True)
class SetupReport:
    """The accuracy of a model on a few clean images, as it is set up and otherwise."""

    right: int
    """Number of images that are classified correctly."""
    count: int
    """Number of images."""
    better: tuple[Setup, ...]
    """Set-ups that are clearly better, the best first."""
    assumed: tuple[str, ...]
    """What was assumed of the model and the images, one line each."""
    order: tuple[str, ...]
    """Names of the classes in an order that fits the outputs far better; empty where the stated one does."""


def try_setups(request: ModelRequest, settings: Settings, device: str) -> SetupReport:
    """Return what the model gets right on the sample of the settings, and which set-ups would be clearly better.

    A set-up is better if it is right on more of the images on which the two differ than a fair coin would be, at a
    level of 1 %. Nothing is changed.

    Args:
        request: The model.
        settings: Images and sample.
        device: Torch device.

    Raises:
        RobustEvalError: The model or the images cannot be loaded, as in an evaluation.
    """
    trial = _Trial.of(request, settings, device)
    current = trial.classifier.preprocessing
    first = trial.tried((), current)
    if first is None:
        raise trial.refusal(request.name, current)
    tried = list(trial.normalized((), current))
    best = max([first, *tried], key=lambda setup: int(setup.right.sum()))
    for options, geometry in trial.geometries(current.geometry):
        other = replace(current, geometry=geometry)
        if (resized := trial.tried(options, other)) is not None:
            tried += [resized, *trial.normalized(options, other, () if geometry.long_side <= SMALL else best.options)]
    if current.channels == len(IMAGENET_MEAN):
        caffe = replace(current, mean=CAFFE[0], std=CAFFE[1])
        flipped = (trial.tried((), current, flip=True), trial.tried(_options(caffe), caffe, flip=True))
        tried += [setup for setup in flipped if setup is not None]
    better = sorted((item for item in tried if _is_better(item, first)), key=lambda item: -int(item.right.sum()))
    return SetupReport(
        right=int(first.right.sum()),
        count=len(first.right),
        better=tuple(better),
        assumed=trial.assumed(),
        order=trial.better_order(current),
    )


def _options(preprocessing: Preprocessing) -> tuple[str, ...]:
    """The options of a normalization."""
    mean, std = (
        ",".join(f"{value:g}" for value in (values if len({*values}) > 1 else values[:1]))
        for values in (preprocessing.mean, preprocessing.std)
    )
    return "--mean", mean, "--std", std


def _is_better(one: Setup, other: Setup) -> bool:
    gained, lost = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
    return gained > lost and float(binom.sf(gained - 1, gained + lost, 0.5)) <= _LEVEL


@dataclass(frozen=True, slots=True)
class _Trial:
    """A classifier on the sample."""

    classifier: Classifier
    images: RequestedImages
    requested: RequestedCell
    native: tuple[int, int]
    """Height and width of the first image, in pixels."""

    @classmethod
    def of(cls, request: ModelRequest, settings: Settings, device: str) -> _Trial:
        ready = check([request], settings, device)
        cell = requested_cells(ready)[0]
        model = ready.models[0].model
        classifier = build_model.load(model, device) if isinstance(model, ModelRequest) else model
        opened = next(iter(all_opened(ready, cell.benchmark)))
        seen = seen_by(classifier, cell.benchmark, opened)
        check_classes(classifier, seen, opened)
        if seen.class_map is not None:
            classifier = classifier.with_class_map(seen.class_map())
        images = RequestedImages(ready, settings.sample or settings.limit)
        width, height = decode(opened.read(0), opened.ids[0]).size
        return cls(classifier, images, cell._replace(benchmark=seen), (height, width))

    def tried(self, options: tuple[str, ...], preprocessing: Preprocessing, *, flip: bool = False) -> Setup | None:
        """The answers in a set-up; None if the network does not take such images."""
        try:
            return self._answered(options, preprocessing, flip=flip)
        except _REFUSALS:
            return None

    def _answered(self, options: tuple[str, ...], preprocessing: Preprocessing, *, flip: bool) -> Setup:
        images = self.images.get(self.requested, preprocessing, ignore_progress)
        right = self._predictions(images, preprocessing, flip=flip) == images.labels
        return Setup(options, _REVERSED if flip else "", right)

    def refusal(self, name: str, current: Preprocessing) -> UsageError:
        """The error of a set-up in which the network does not take the images, with one in which it does."""
        why, hint = "", "State how its images are prepared: --input-size and --geometry."
        try:
            self._answered((), current, flip=False)
        except _REFUSALS as error:
            why = error.message if isinstance(error, RobustEvalError) else reason(error)
        squashed = replace(current.geometry, mode="squash", resize=None)
        for words, geometry in [(("--geometry", "squash"), squashed), *self.geometries(current.geometry)]:
            if self.tried(words, replace(current, geometry=geometry)) is not None:
                hint = f"It takes them with {' '.join(words)}."
                break
        return UsageError(f"{name} cannot classify these images as it is set up: {why}", hint)

    def normalized(
        self, options: tuple[str, ...], current: Preprocessing, only: tuple[str, ...] = ()
    ) -> Iterator[Setup]:
        """The answers under the usual normalizations, or the one with certain options."""
        channels = current.channels
        for mean, std in NORMALIZATIONS:
            other = replace(current, mean=mean[:channels], std=std[:channels])
            words = _options(other)
            if other == current or only not in ((), words):
                continue
            if (setup := self.tried((*options, *words), other)) is not None:
                yield setup

    def geometries(self, current: Geometry) -> list[tuple[tuple[str, ...], Geometry]]:
        """Other ways to give images their size, with their options."""
        height, width = self.native
        if (height, width) != current.shape and max(height, width) <= SMALL:
            side = str(height) if height == width else f"{height}x{width}"
            return [(("--input-size", side, "--geometry", "none"), Geometry(size=(height, width), mode="none"))]
        if max(height, width) <= SMALL:  # a network for large images sees them enlarged
            larger = Geometry(size=DEFAULT_SIZE, resize=size_before_crop(DEFAULT_SIZE, DEFAULT_CROP))
            return [(("--input-size", str(DEFAULT_SIZE)), larger)]
        found: list[tuple[tuple[str, ...], Geometry]] = []
        if max(height, width) <= 2 * SMALL < current.long_side:  # a network for small images sees them enlarged
            words = ("--input-size", str(CIFAR_SIZE), "--geometry", "squash")
            found.append((words, Geometry(size=CIFAR_SIZE, mode="squash")))
        others: dict[Mode, int | tuple[int, int] | None] = {
            "squash": None,
            "crop": size_before_crop(current.size, DEFAULT_CROP),
        }
        return found + [
            (("--geometry", mode), replace(current, mode=mode, resize=resize))
            for mode, resize in others.items()
            if mode != current.mode and current.long_side > SMALL
        ]

    def assumed(self) -> tuple[str, ...]:
        """The lines on what was assumed."""
        notes = self.classifier.provenance.notes
        return (*(note for note in notes if note.startswith(ASSUMED)), *self.requested.benchmark.assumed)

    def better_order(self, current: Preprocessing) -> tuple[str, ...]:
        """The names of the classes in the order of the outputs that fits best, if it fits far better."""
        images = self.images.get(self.requested, current, ignore_progress)
        count, names = self.classifier.num_classes, images.protocol.class_names
        if not images.assumed or len(names) != count or len(images) < _PER_CLASS * count:
            return ()
        predictions = self._predictions(images, current)
        confusion = np.zeros((count, count), np.int64)
        np.add.at(confusion, (images.labels, predictions), 1)
        classes, outputs = linear_sum_assignment(-confusion)
        right = int(confusion[classes, outputs].sum())
        if right < _FOUND * len(images) or right < 2 * int(np.trace(confusion)):
            return ()
        name_of = dict(zip(outputs.tolist(), classes.tolist(), strict=True))
        return tuple(names[name_of[output]] for output in range(count))

    def _predictions(
        self, images: ImageSet, preprocessing: Preprocessing, *, flip: bool = False
    ) -> npt.NDArray[np.int64]:
        device = self.classifier.mean.device
        mean, std = (_column(values, device) for values in (preprocessing.mean, preprocessing.std))
        found = []
        with torch.no_grad():
            for start in range(0, len(images), _BATCH):
                batch, _ = images.batch(start, min(start + _BATCH, len(images)), device)
                normalized = (batch - mean) / std
                logits: Tensor = self.classifier.model(normalized.flip(1) if flip else normalized)
                found.append(logits.argmax(1).cpu().numpy())
        return np.concatenate(found)


def _column(values: Sequence[float], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device).view(1, -1, 1, 1)
