"""Every kind of module that people bring, and how its evaluation must end: a right number, a flag, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import strange_answers as answers
import strange_containers as containers
import strange_formats as formats
import strange_gradients as gradients
import strange_habits as habits
import strange_noise as noise
from plain_digits import PGD
from robustbench_eff.core.threat import Threat

Run = Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True)
class Right:
    """The number is that of the independent loop, and no flag puts it in doubt."""

    run: Run = lambda module, images: module(images)
    """How the independent loop gets float32 logits out of the module."""
    differing: int = 1
    """Samples in which an attack may end otherwise, where the last bits of an iterate decide."""
    or_refused: str = ""
    """The text of a refusal that will do as well, for a module that answers wrongly only now and then."""
    flag: str = ""
    """What the only flag beside the right number says; empty for no flag."""


@dataclass(frozen=True)
class Flagged:
    """Every row of the attack carries a flag that contains this."""

    text: str
    or_refused: str = ""
    """The text of a refusal that will do as well."""


@dataclass(frozen=True)
class Refused:
    """The evaluation ends in one sentence that contains this."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Checkers:
    """An attack that asks nothing of the network: every second pixel brighter, the others darker."""

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "decisions"
    stochastic: ClassVar[bool] = False
    max_passes: ClassVar[int] = 0

    eps: float = 0.25

    @property
    def threat(self) -> Threat:
        return Threat("linf", self.eps)

    def __call__(self, classifier: Any, images: Tensor, labels: Tensor, draws: Any = None) -> Tensor:
        rows, columns = (torch.arange(size) for size in images.shape[-2:])
        signs = 1 - 2.0 * ((rows[:, None] + columns) % 2)
        return (images + self.eps * signs).clamp(0, 1)


@dataclass(frozen=True)
class Strange:
    """A kind of module, how it is evaluated, and how that must end."""

    build: Callable[[], nn.Module]
    end: Right | Flagged | Refused
    attack: str | Checkers = PGD
    images: str = "digits"
    """`digits`, `parity` (even or odd) or `narrow` (24 columns)."""
    options: Mapping[str, Any] = field(default_factory=lambda: {"input_size": 32})
    """Options of `load_classifier`."""
    adapt: str | None = None
    """How the network adapts, as for `evaluate`."""


def one_by_one(module: nn.Module, images: Tensor) -> Tensor:
    """The logits of each image alone."""
    return torch.cat([module(image) for image in images.split(1)])


ONE_BY_ONE = "batches(size=1)"
NO_GRADIENT = Refused("gradient|autograd")
ZERO = Flagged("gradient")
DRAWS = Flagged("random|draw")
BATCH = Refused("batch|order|alone|together")
PAST = Refused("chang|past|again|twice|before|adapt")
ANY_MEMORY = f"{PAST.text}|{BATCH.text}"
CHANGES = Flagged("random|draw", or_refused=ANY_MEMORY)
"""Answers that change from call to call: whether by chance or by the past cannot be told from outside."""
TRAIN_MODE = Refused("train mode|alone and in a batch")
SHAPE = Refused("shape")
CLASSES = Refused("outputs|classes")
BLACK_BOX = {"attack": Checkers()}
FGSM = "fgsm(eps=12/255)"
"""One step, for networks that are asked hundreds of times."""

OUTPUTS = {
    "hugging face output": Strange(answers.output_dataclass, Right(lambda net, images: net(images).logits)),
    "object with logits": Strange(answers.output_object, Right(lambda net, images: net(images).logits)),
    "named tuple": Strange(answers.named_tuple, Right(lambda net, images: net(images).logits)),
    "dictionary of segmentation": Strange(answers.dictionary_of_out, Right(lambda net, images: net(images)["out"])),
    "dictionary without a name that is known": Strange(answers.unknown_dictionary, Refused("logits")),
    "dictionary": Strange(answers.dictionary, Right(lambda net, images: net(images)["logits"])),
    "tuple of one": Strange(answers.single_tuple, Right(lambda net, images: net(images)[0])),
    "tuple with features": Strange(answers.logits_and_features, Right(lambda net, images: net(images)[0])),
    "tuple of two logits": Strange(answers.two_logits, Right(lambda net, images: net(images)[0], flag="first")),
    "list of one": Strange(answers.single_list, Right(lambda net, images: net(images)[0])),
    "text": Strange(answers.text, Refused("logits")),
    "single logit": Strange(
        answers.single_logit,
        Right(lambda net, images: nn.functional.pad(net(images), (1, 0))),
        images="parity",
    ),
    "single logit without a column": Strange(
        answers.flat_logit,
        Right(lambda net, images: nn.functional.pad(net(images)[:, None], (1, 0))),
        images="parity",
    ),
    "single probability": Strange(answers.single_probability, Refused("probabilit"), images="parity"),
    "two classes": Strange(answers.is_odd, Right(), images="parity"),
    "probabilities": Strange(answers.probabilities, Refused("probabilities")),
    "logarithms of probabilities": Strange(answers.log_probabilities, Right()),
    "logarithm of a mean of probabilities": Strange(answers.mean_of_probabilities, Right()),
    "scaled probabilities": Strange(answers.scaled_probabilities, Right()),
    "NaN for some images": Strange(answers.not_a_number_somewhere, Refused("NaN")),
    "infinite logits": Strange(answers.infinite, Refused("infinite")),
    "a class of minus infinity": Strange(answers.excluded_class, Refused("infinite")),
    "integers": Strange(answers.integers, Refused("int|float")),
    "complex numbers": Strange(answers.complex_numbers, Refused("complex|float")),
    "class numbers": Strange(answers.class_numbers, Refused("class number|shape|int")),
    "class numbers as floats": Strange(answers.float_class_numbers, Refused("class number|whole number|shape")),
    "sigmoid of each class": Strange(answers.sigmoids, Flagged("probabilities")),
    "outputs of one position": Strange(answers.one_position, Right(lambda net, images: net(images).flatten(1))),
    "outputs of many positions": Strange(answers.logits_per_position, SHAPE),
    "transposed outputs": Strange(answers.transposed, SHAPE),
    "twice as many rows": Strange(answers.twice_as_many_rows, SHAPE),
    "squeezed outputs": Strange(answers.squeezed, Right(or_refused="shape|alone|batch")),
    "seven classes": Strange(answers.seven_classes, CLASSES),
    "thousand classes": Strange(answers.thousand_classes, CLASSES),
    "background class": Strange(answers.background_class, CLASSES),
    "tied classes": Strange(answers.tied_classes, Right()),
    "logits of -1e9": Strange(answers.masked_logits, Right()),
}

INPUTS = {
    "sequential": Strange(habits.sequential, Right()),
    "mean and std as options": Strange(
        lambda: nn.Sequential(*habits.sequential()[1:]).eval(),
        Right(lambda net, images: net((images - 0.5) / 0.5)),
        options={"input_size": 32, "mean": [0.5], "std": [0.5]},
    ),
    "one channel": Strange(answers.grey, Right(lambda net, images: net(images[:, :1]))),
    "mean of the channels": Strange(answers.mean_of_channels, Right()),
    "input that is not square": Strange(
        habits.sequential, Right(), images="narrow", options={"input_size": (32, 24), "geometry": "none"}
    ),
    "channels last in the forward": Strange(answers.channels_last_input, Right()),
    "channels last in memory": Strange(answers.channels_last_memory, Right()),
    "demands channels last": Strange(answers.demands_channels_last, Refused("channels_last")),
    "demands a contiguous input": Strange(answers.demands_contiguous, Right()),
    "pixels up to 255": Strange(answers.bytes_input, Right()),
    "demands 28 pixels": Strange(answers.demands_28_pixels, Refused("28")),
    "forward with keywords": Strange(answers.keywords, Right()),
    "forward of two inputs": Strange(answers.two_inputs, Refused("text")),
}

FORMATS = {
    "bfloat16 outputs": Strange(formats.bfloat16_outputs, Right(lambda net, images: net(images).float())),
    "half outputs": Strange(formats.half_outputs, Right(lambda net, images: net(images).float())),
    "double outputs": Strange(formats.double_outputs, Right(lambda net, images: net(images).float())),
    "bfloat16 module": Strange(
        formats.bfloat16_module, Right(lambda net, images: net(images.bfloat16()).float(), differing=4)
    ),
    "half module": Strange(formats.half_module, Right(lambda net, images: net(images.half()).float(), differing=2)),
    "double module": Strange(formats.double_module, Right(lambda net, images: net(images.double()).float())),
    "autocast": Strange(formats.autocast, Right(lambda net, images: net(images).float(), differing=4)),
    "scripted": Strange(formats.scripted, Right()),
    "frozen script": Strange(formats.frozen_script, Right()),
    "traced": Strange(formats.traced, Right()),
    "traced for eight": Strange(formats.traced_for_eight, Refused("batch|fails|size")),
    "exported": Strange(formats.exported, Right()),
    "exported for eight": Strange(formats.exported_for_eight, Refused("batch|fails|size")),
    "graph module": Strange(formats.graph_module, Right()),
    "compiled": Strange(formats.compiled, Right()),
    "data parallel": Strange(formats.data_parallel, Right()),
    "dynamic int8 as converted": Strange(
        formats.dynamic_int8_as_converted, Refused("alone and in a batch"), **BLACK_BOX
    ),
    "dynamic int8": Strange(formats.dynamic_int8, Refused("alone and in a batch"), **BLACK_BOX),
    "dynamic int8 one by one": Strange(formats.dynamic_int8, Right(one_by_one), **BLACK_BOX, adapt=ONE_BY_ONE),
    "dynamic int8 under PGD": Strange(formats.dynamic_int8, NO_GRADIENT, adapt=ONE_BY_ONE),
    "static int8": Strange(formats.static_int8, Right(), **BLACK_BOX),
    "static int8 under PGD": Strange(formats.static_int8, NO_GRADIENT),
    "estimator of scikit-learn": Strange(gradients.estimator, Right(), **BLACK_BOX),
    "estimator of scikit-learn under PGD": Strange(gradients.estimator, NO_GRADIENT),
}

HABITS = {
    "train mode": Strange(habits.train_mode, Refused("train mode")),
    "one norm in train mode": Strange(habits.one_norm_in_train_mode, Refused("train mode")),
    "norms without running statistics": Strange(habits.norms_without_running_statistics, BATCH),
    "batch norm as a function": Strange(habits.functional_batch_norm, BATCH),
    "instance norm": Strange(habits.instance_norm, Right()),
    "group norm": Strange(habits.group_norm, Right()),
    "relative to the batch": Strange(habits.relative_to_the_batch, BATCH),
    "softmax over the batch": Strange(habits.softmax_over_the_batch, BATCH),
    "sorted batch": Strange(habits.sorted_batch, BATCH),
    "position in the batch": Strange(habits.position_in_the_batch, BATCH),
    "largest logit of the batch": Strange(habits.largest_of_the_batch, Right(or_refused=BATCH.text)),
    "sees its neighbour": Strange(habits.sees_its_neighbour, BATCH),
    "one image at a time": Strange(habits.too_large_a_batch, Refused("one image at a time")),
    "two images at least": Strange(habits.too_small_a_batch, Refused("more than 1 value")),
    "four images at most": Strange(habits.at_most_four, Refused("four images")),
    "adapts in forward": Strange(habits.adapts, PAST),
    "adapts a tensor of its own": Strange(habits.adapts_tensors_of_its_own, CHANGES),
    "updates running statistics": Strange(habits.updates_running_statistics, PAST),
    "initialised by the first batch": Strange(habits.initialised_by_the_first_batch, PAST),
    "lazy head": Strange(habits.lazy_head, Refused("[Ll]azy|ninitiali[sz]ed")),
    "counts its calls": Strange(habits.counts_calls, Right()),
    "counts its calls in a buffer": Strange(habits.counts_calls_in_a_buffer, PAST),
    "remembers its input": Strange(habits.remembers_its_input, Right()),
    "answers by identity": Strange(habits.answers_by_identity, Right(or_refused=ANY_MEMORY)),
    "answers by shape": Strange(habits.answers_by_shape, Refused(ANY_MEMORY)),
    "answers by content": Strange(habits.answers_by_content, Right()),
    "every second call": Strange(habits.every_second_call, CHANGES),
    "noise": Strange(noise.noise, DRAWS, attack=FGSM),
    "noise of its own generator": Strange(noise.noise_of_its_own_generator, DRAWS, attack=FGSM),
    "noise of NumPy": Strange(noise.noise_of_numpy, DRAWS, attack=FGSM),
    "noise of NumPy's global state": Strange(noise.noise_of_numpys_global_state, DRAWS, attack=FGSM),
    "noise seeded inside": Strange(noise.noise_seeded_inside, BATCH),
    "noise of each image": Strange(noise.noise_of_each_image, Right()),
    "noise once and for all": Strange(noise.noise_once_and_for_all, Right()),
    "noise on the weights": Strange(noise.noise_on_the_weights, DRAWS, attack=FGSM),
    "dropout on purpose": Strange(noise.dropout_on_purpose, DRAWS, attack=FGSM),
    "random resizing and padding": Strange(noise.random_resize_and_pad, DRAWS, attack=FGSM),
    "random member": Strange(noise.random_member, DRAWS, attack=FGSM),
}

GRADIENTS = {
    "in-place forward": Strange(gradients.in_place, Right(lambda net, images: net(images.clone()))),
    "writes behind autograd": Strange(gradients.in_place_of_a_leaf, Right(lambda net, images: net(images.clone()))),
    "in-place activations": Strange(gradients.in_place_activations, Right()),
    "in-place activation first": Strange(gradients.in_place_first, Right(lambda net, images: net(images.clone()))),
    "no_grad": Strange(gradients.without_gradient, NO_GRADIENT),
    "inference_mode": Strange(gradients.inference_forward, NO_GRADIENT),
    "detached input": Strange(gradients.detached, NO_GRADIENT),
    "detached output": Strange(gradients.detached_output, NO_GRADIENT),
    "through NumPy": Strange(gradients.through_numpy, NO_GRADIENT),
    "through NumPy without gradients": Strange(gradients.through_numpy, Right(), **BLACK_BOX),
    "switches gradients off": Strange(gradients.switches_gradients_off, NO_GRADIENT),
    "rounding": Strange(gradients.rounding, ZERO),
    "straight-through rounding": Strange(gradients.straight_through, Right()),
    "killed gradients": Strange(gradients.killed_gradients, ZERO),
    "signs": Strange(gradients.signs, ZERO),
    "argmax inside": Strange(gradients.argmax_inside, Refused(f"{NO_GRADIENT.text}|probabilities")),
    "saturated": Strange(gradients.saturated, ZERO),
    "huge": Strange(gradients.huge, ZERO),
    "tiny": Strange(gradients.tiny, Right()),
    "constant": Strange(gradients.constant, ZERO),
    "gradients of NaN": Strange(gradients.gradients_of_nan, Flagged("gradient|not_finite|NaN")),
    "purifies": Strange(gradients.purifies, NO_GRADIENT),
    "purifies with a gradient": Strange(gradients.purifies_differentiably, Right()),
    "asks for gradients": Strange(gradients.asks_for_gradients, Right()),
    "checkpointed": Strange(gradients.checkpointed, Right()),
    "frozen": Strange(gradients.frozen, Right()),
    "made in inference mode": Strange(gradients.made_in_inference_mode, Refused("[Ii]nference")),
}

CONTAINERS = {
    "members of a closure": Strange(containers.listed_members, Right()),
    "members in a list": Strange(containers.ensemble, Right()),
    "member of a list in train mode": Strange(containers.ensemble_with_a_member_in_train_mode, TRAIN_MODE),
    "dropout of a list in train mode": Strange(
        containers.ensemble_with_dropout_in_train_mode, Flagged("random|draw", or_refused="train mode")
    ),
    "member of a dictionary in train mode": Strange(containers.dictionary_with_a_member_in_train_mode, TRAIN_MODE),
    "tensors in a list": Strange(containers.listed_tensors, Right()),
    "parameters in a list": Strange(containers.listed_parameters, Right()),
    "partial": Strange(containers.partial_forward, Right()),
    "closure": Strange(containers.closure_forward, Right()),
    "forward hook": Strange(containers.forward_hook, Right()),
    "forward pre-hook": Strange(containers.forward_pre_hook, Right()),
    "weight norm": Strange(containers.weight_norm, Right()),
    "weight norm of old": Strange(containers.old_weight_norm, Right()),
    "spectral norm": Strange(containers.spectral_norm, Right()),
    "functional call": Strange(containers.functional_call, Right()),
    "lock": Strange(containers.lock, Right()),
    "unused generator": Strange(containers.unused_generator, Right()),
    "iterator": Strange(containers.iterator, Right(flag="not identified")),
    "slots": Strange(containers.slots, Right()),
    "training as a property": Strange(containers.training_property, Right()),
    "training always true": Strange(containers.always_training, Refused("train mode")),
    "call of its own": Strange(containers.own_call, Right()),
}

STRANGE_MODELS: Mapping[str, Strange] = {**OUTPUTS, **INPUTS, **FORMATS, **HABITS, **GRADIENTS, **CONTAINERS}
