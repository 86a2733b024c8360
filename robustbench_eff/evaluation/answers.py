"""What a model answers to a few images before any work: by this it is recognised, and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.errors import ModelError, RobustEvalError, reason
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images, Logits
from robustbench_eff.models.adaptation.adapted_network import restart
from robustbench_eff.models.classifier import CHANGES_ITSELF, Classifier, copy_for_trial
from robustbench_eff.models.randomness import seeded
from robustbench_eff.storage.answers import NOISE, Answers

from .adapted_cells import ONE_BY_ONE
from .plan import CellRuntime

SAMPLES = 8
"""Images of noise, and first images of each benchmark, that a model is asked about."""
FLOAT32_TOLERANCE = 1e-3
"""Largest difference between two answers to one image that float32 rounding explains, on whatever hardware, as a
fraction of the logits' standard deviation. Batches of other sizes change the answers of good networks by 1e-6."""
ROUNDINGS = 8
"""The same for networks that compute in 16 bits, in units of the rounding of one number."""
REPEATS = 64
"""Draws over which the answers of a network that draws at random are averaged."""
STANDARD_ERRORS = 8
"""Differences of such averages that are attributed to chance."""


class ModelAnswers:
    """The answers of the models of a run to noise and to the first images of their benchmarks."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], Answers] = {}
        self._asked: set[tuple[int | str, str]] = set()

    def ask(self, subject: tuple[int, str], runtime: CellRuntime) -> None:
        """Check a model on the first images of a benchmark, once, and keep its answers; its surrogate likewise.

        Args:
            subject: Number of the model, and name of the benchmark.
            runtime: A cell of both.

        Raises:
            ModelError: The answers depend on more than the image, or another model of the run has the same digest and
                answers otherwise.
        """
        if subject not in self._asked:
            self._asked.add(subject)
            adaptation = "" if runtime.adaptation is None else runtime.adaptation.text
            self._ask(runtime.classifier, runtime.cell.model_identity, runtime, adaptation)
        surrogate = runtime.queried.surrogate
        if surrogate is not None and (surrogate.name, subject[1]) not in self._asked:
            self._asked.add((surrogate.name, subject[1]))
            self._ask(surrogate, (surrogate.digest, str(surrogate.preprocessing)), runtime, "")

    def collected(self) -> Mapping[tuple[str, str], Answers]:
        """Return the answers by the digest and the preprocessing of the model."""
        return {identity: found for identity, found in self._answers.items() if found.logits}

    def _ask(self, classifier: Classifier, identity: tuple[str, str], runtime: CellRuntime, adaptation: str) -> None:
        try:
            new = _answers_of(classifier, runtime, adaptation)
        except RobustEvalError:
            raise
        except Exception as error:  # whatever the user's network raises
            raise ModelError(
                f"{classifier.name} fails on the first images of {runtime.images.benchmark}: {reason(error)}",
                "If it cannot take so many images at once, set a smaller --batch-size.",
            ) from error
        if classifier.opaque:
            return  # its cells belong to this run alone
        known = self._answers.get(identity)
        if known is not None and not new.agrees(known.logits):
            raise ModelError(
                f"{classifier.name}: two models of this run have one hash, but different answers to the same images.",
                "Evaluate them in separate runs: the store then tells them apart by their answers.",
            )
        logits = {**(known.logits if known else {}), **new.logits}
        self._answers[identity] = Answers(logits=logits, tolerance=new.tolerance)


def _answers_of(classifier: Classifier, runtime: CellRuntime, adaptation: str) -> Answers:
    """The answers of a model to noise and to the first images of a benchmark, after the checks on them."""
    copied, count = _copied(classifier), min(SAMPLES, runtime.batches.size)
    how, device = f"{runtime.queried.classes}{adaptation}", classifier.mean.device
    images = first_images(runtime.images, count, how, device, alone=not adaptation)
    if not adaptation:
        check_independence(copied, images.images, draws=classifier.draws or runtime.votes is not None)
    asked = [images] if runtime.queried.classes else [images, noise(copied, count, adaptation)]
    return collected(copied, {key: value for item in asked for key, value in answers(copied, item).items()})


def _copied(classifier: Classifier) -> Classifier:
    copied = copy_for_trial(classifier) if classifier.can_be_copied else classifier
    assert isinstance(copied, Classifier)
    return copied


class Asked(NamedTuple):
    """Images that a model is asked about, and under which names the store keeps its answers."""

    keys: Mapping[str, int]
    """Number of images, counted from the first one, whose answers each name stands for."""
    images: Images


def noise(classifier: Classifier, count: int, adaptation: str) -> Asked:
    """Return images of noise of the size that a model takes.

    Args:
        classifier: The model.
        count: Number of images.
        adaptation: How it adapts; empty if it does not.
    """
    draws = RandomStreams.of(0, range(count), classifier.mean.device)
    images = draws.uniform(classifier.preprocessing.shape, stream="answers")
    return Asked({f"{NOISE} {adaptation}".rstrip(): count}, images)


def first_images(images: ImageSet, count: int, how: str, device: torch.device, *, alone: bool) -> Asked:
    """Return the first images of a benchmark; their answers are named by all of them, and that to the first by itself.

    So runs that ask about different numbers of images still share one answer. Where an answer depends on the other
    images, only runs that ask about the same ones do.

    Args:
        images: The benchmark.
        count: Number of images.
        how: How the model answers: the hash of a map to other classes, and its adaptation; empty if it has neither.
        device: Device of the result.
        alone: Whether the answer to an image depends on nothing else.
    """
    batch, _ = images.batch(0, count, device)

    def key(number: int) -> str:
        return hashlib.blake2b(batch[:number].cpu().numpy().tobytes() + how.encode(), digest_size=8).hexdigest()

    return Asked({key(number): number for number in ({1, len(batch)} if alone else {len(batch)})}, batch)


def answers(classifier: Classifier, asked: Asked) -> Mapping[str, npt.NDArray[np.float32]]:
    """Return the logits of a model by their keys; nothing if it answers otherwise when asked again with the same seed.

    Args:
        classifier: The model.
        asked: The images.
    """
    first, second = (_seeded(classifier, asked.images) for _ in range(2))
    if _differ(classifier, first, second) is not None:
        return {}
    return {key: first[:number].cpu().numpy() for key, number in asked.keys.items()}


def collected(classifier: Classifier, logits: Mapping[str, npt.NDArray[np.float32]]) -> Answers:
    """Return the answers of a model as the store compares them.

    Args:
        classifier: The model.
        logits: All its answers.
    """
    return Answers(logits=logits, tolerance=_tolerance(classifier))


def check_independence(classifier: Classifier, images: Images, *, draws: bool) -> None:
    """Check that the answer to an image depends on nothing but the image.

    Asked are each image alone, all in a batch, twice, and in another order; weights and buffers must stay as they are.
    A network that draws random numbers is compared by its mean answers over many draws.

    Args:
        classifier: The model.
        images: A few images of the benchmark; nothing is checked with fewer than two.
        draws: Whether the model draws random numbers, or is judged as if it did.

    Raises:
        ModelError: The answers depend on the other images of a batch, on their order or on earlier images.
    """
    if len(images) < 2:
        return
    before, fresh = classifier.weights_sums(), _copied(classifier)
    together, again = (_ask(classifier, images) for _ in range(2))
    if classifier.weights_sums() != before:
        raise ModelError(
            f"{classifier.name} {CHANGES_ITSELF}",
            "To evaluate it as it adapts, say in which batches: --adapt 'batches(size=64)'; see the guide to models.",
        )
    if draws:
        _check_means(classifier, images, together)
    elif _differ(classifier, together, again) is not None:
        raise ModelError(
            f"{classifier.name} answers the same batch otherwise when it is asked again: it draws random numbers on "
            "some images only, or an answer depends on the images before it.",
            "If it draws, --votes 100 judges it by votes. To evaluate it as it adapts, say in which batches: --adapt "
            "'batches(size=64)'; see the guide to models.",
        )
    else:
        _check_equal(classifier, fresh, images, together)


def _check_equal(classifier: Classifier, fresh: Classifier, images: Images, together: Logits) -> None:
    """Compare answers to single images and in another order; `fresh` has not been asked anything before."""
    alone = torch.cat([_ask(fresh, images[row : row + 1]) for row in range(len(images))])
    turned = _ask(classifier, images.flip(0)).flip(0)
    for what, others in (("alone and in a batch", alone), ("in a batch and in the same batch turned round", turned)):
        if (size := _differ(classifier, together, others)) is not None:
            raise _dependent(classifier, what, size)


def _check_means(classifier: Classifier, images: Images, together: Logits) -> None:
    batches = torch.stack([_ask(classifier, images)[:2] for _ in range(REPEATS)])
    singles = torch.stack(
        [torch.cat([_ask(classifier, images[row : row + 1]) for row in range(2)]) for _ in range(REPEATS)]
    )
    error = ((batches.var(0) + singles.var(0)) / REPEATS).sqrt()
    gap = (batches.mean(0) - singles.mean(0)).abs() - STANDARD_ERRORS * error
    allowed = _tolerance(classifier) * float(together.std())
    if bool((gap > allowed).any()):
        raise _dependent(
            classifier, f"alone and in a batch, on average over {REPEATS} draws", float(gap.max() / together.std())
        )


def _dependent(classifier: Classifier, what: str, size: float) -> ModelError:
    return ModelError(
        f"{classifier.name} gives an image different logits {what}: they differ by {size:.2g} of the logits' standard "
        "deviation, so that every number would depend on the batch size.",
        "Batch norm without running statistics does this, dynamic int8 quantisation, which scales the activations of a "
        "batch together, and random numbers that are seeded inside forward. "
        f"Evaluate one image at a time with --adapt '{ONE_BY_ONE}', or in stated batches, --adapt 'batches(size=64)'.",
    )


def _ask(classifier: Classifier, images: Images) -> Logits:
    restart(classifier)
    with torch.no_grad(), plain_float32(images.device):
        logits: Tensor = classifier(images)
    return logits.float()


def _seeded(classifier: Classifier, images: Images) -> Logits:
    with seeded(classifier, 0, "answers", images.device):
        return _ask(classifier, images)


def _differ(classifier: Classifier, one: Logits, other: Logits) -> float | None:
    """The largest difference as a fraction of the standard deviation; None if rounding explains it."""
    size = float((one - other).abs().max()) / max(float(one.std()), 1e-30)
    return size if size > _tolerance(classifier) else None


def _tolerance(classifier: Classifier) -> float:
    types = {tensor.dtype for tensor in classifier.model.state_dict().values() if isinstance(tensor, Tensor)}
    coarsest = max((torch.finfo(kind).eps for kind in types if kind.is_floating_point), default=0.0)
    return max(FLOAT32_TOLERANCE, ROUNDINGS * coarsest)
