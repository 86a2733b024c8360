"""ModelRequest: which model a user wants; LoadedModule: what a model source returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from robustbench_eff.core.code_origin import CodeOrigin
from robustbench_eff.core.errors import Missing, ModelError, UsageError
from robustbench_eff.core.outside_files import check_file
from robustbench_eff.core.preprocessing import Mode, PerChannel, Preprocessing, Size, size_before_crop
from robustbench_eff.system import addresses
from robustbench_eff.system.addresses import Address

from .pixel_units import in_unit_range

if TYPE_CHECKING:
    from torch import nn

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".th", ".bin", ".index")
"""Ends of the names of weights files."""
IMAGENET, WITH_BACKGROUND = 1000, 1001
"""Outputs of networks for ImageNet, and of TensorFlow's, whose first is a class for the background."""


class ModelOptions(TypedDict, total=False):
    """Options of a model besides its name: the fields of `ModelRequest`, in the types that a Python caller uses."""

    weights: Path | str | None
    """File of weights to load in place of the model's own, or its address on the web."""
    num_classes: int | None
    """Number of outputs; None for the model's own."""
    mean: Sequence[float] | None
    """Mean of each channel, or one for all, of pixels in [0, 1]; None for the model's own."""
    std: Sequence[float] | None
    """Standard deviation of each channel, or one for all; None for the model's own."""
    input_size: Size | None
    """Side of the square input, or its height and width, in pixels; None for the model's own."""
    geometry: Mode | None
    """How an image gets the size of the input; None for the model's own."""
    model_args: Mapping[str, Any] | None
    """Keyword arguments for the function that builds the network."""
    trust_checkpoint: bool
    """Unpickle a weights file that contains more than tensors, which may run code."""
    trust_code: bool
    """Run the program that the model's folder names as its architecture."""
    random_weights: bool
    """Draw the weights that no file gives at random, under a fixed seed; every row then says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """A model by name, with all options that the user may set; None keeps the model's own value.

    Raises:
        UsageError: `mean` or `std` is given without the other, or is not in units of pixels in [0, 1].
    """

    name: str
    """Name as the user wrote it, such as `effnet_b0`, `timm:resnet50` or `path/to/file.py:factory`."""
    found_by: str = ""
    """What finds the model where `name` is only what the user calls it: any form of name; empty for `name` itself."""
    weights: Path | None = None
    """File of weights to load in place of the model's own."""
    weights_address: Address | None = None
    """Where that file is downloaded from; `with_local_weights` sets `weights` to it."""
    num_classes: int | None = None
    """Number of outputs."""
    mean: tuple[float, ...] | None = None
    """Mean of each channel, or one for all, of pixels in [0, 1]."""
    std: tuple[float, ...] | None = None
    """Standard deviation of each channel, or one for all."""
    input_size: Size | None = None
    """Side of the square input, or its height and width, in pixels."""
    geometry: Mode | None = None
    """How an image gets the size of the input."""
    images_sizes: tuple[Size, ...] = ()
    """Usual height and width of the images of each set, for a network that states no size; empty for large ones."""
    model_args: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments for the function that builds the network."""
    trust_checkpoint: bool = False
    """Unpickle a weights file that contains more than tensors, which may run code."""
    trust_code: bool = False
    """Run the programs that files name: the folder of the model, or the file in `named_in`."""
    named_in: str = ""
    """The file that names the model, such as a suite; empty where the user does."""
    random_weights: bool = False
    """Draw the weights that no file gives at random, under a fixed seed; every row then says so."""
    assumed: tuple[str, ...] = ()
    """What was assumed of the options, one line each, for the notes of the model."""

    @property
    def form(self) -> str:
        """What finds the model."""
        return self.found_by or self.name

    @property
    def origin(self) -> CodeOrigin:
        """Who names the model, and with it the program that it may be."""
        return CodeOrigin(self.named_in, self.trust_code)

    def __post_init__(self) -> None:
        """Check that mean and std come together, in units of pixels in [0, 1]."""
        if (self.mean is None) != (self.std is None):
            given, other = ("mean", "std") if self.std is None else ("std", "mean")
            raise UsageError(
                f"{given} is given without {other}.",
                f"Pass --{other} too; {'1' if other == 'std' else '0'} means that the network was trained without it.",
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and max(map(abs, values)) > 1:
                scaled = ",".join(f"{value / 255:.4g}" for value in values)
                raise UsageError(
                    f"{name} {','.join(f'{value:g}' for value in values)} is not in units of pixels from 0 to 1.",
                    f"If the values are for pixels from 0 to 255, divide them by 255: --{name} {scaled}",
                )

    @classmethod
    def from_options(cls, name: str, options: ModelOptions) -> ModelRequest:
        """Return the request for a model of that name.

        Args:
            name: Name of the model.
            options: Fields of the request in the types that a Python caller uses.

        Raises:
            TypeError: There is no option of that name.
            UsageError: The address of the weights is not valid.
        """
        values: dict[str, Any] = dict(options)
        values |= weights_fields(values.pop("weights", None))
        values |= normalization_fields(values.get("mean"), values.get("std"))
        values["model_args"] = values.get("model_args") or {}
        return cls(name=name, **values)

    def missing_weights_file(self) -> list[Missing]:
        """Return the weights file if the user named one that does not exist; an address is not asked.

        Raises:
            ModelError: It exists, and is no file: a folder, a named pipe, a device.
        """
        if self.weights is None or self.weights_address is not None or self.weights.is_file():
            return []
        if self.weights.is_dir():
            files = sorted(path.name for path in self.weights.iterdir() if path.suffix in WEIGHT_SUFFIXES)
            inside = f"Pass the file in it: {', '.join(files[:3])}." if files else "Pass the file of weights."
            raise ModelError(f"{self.weights} is a folder, not a file of weights.", inside)
        if self.weights.exists():
            check_file(self.weights, ModelError)
        return [Missing(f"weights file {self.weights}", "on this machine", "--weights FILE")]

    def refuse_model_args(self, why: str) -> None:
        """Raise an error if there are model arguments, which this model cannot take.

        Args:
            why: Sentence that says why not.

        Raises:
            UsageError: There are.
        """
        if self.model_args:
            given = ", ".join(f"{key}={value!r}" for key, value in self.model_args.items())
            raise UsageError(f"{self.name} takes no --model-arg, got {given}: {why}.", "Leave it out.")

    def label_space(self, default: str) -> str:
        """Return the label space that the number of classes suggests.

        Args:
            default: Label space if the user gave no number of classes.
        """
        return default if self.num_classes is None else label_space_of(self.num_classes)

    def adapt(self, preprocessing: Preprocessing, crop_pct: float) -> Preprocessing:
        """Return the preprocessing with the options that the user set.

        Args:
            preprocessing: The model's own.
            crop_pct: Side of the center crop over the short side of the resized image, in (0, 1].

        Raises:
            ModelError: `mean` or `std` has neither one value nor three.
            UsageError: A value is not valid, such as a `std` of 0.
        """
        geometry = preprocessing.geometry
        if self.input_size is not None:
            cuts = geometry.mode == "crop" or geometry.resize is not None
            resize = size_before_crop(self.input_size, crop_pct) if cuts else None
            geometry = dataclasses.replace(geometry, size=self.input_size, resize=resize)
        if self.geometry is not None and self.geometry != geometry.mode:
            resize = size_before_crop(geometry.size, crop_pct) if self.geometry == "crop" else None
            geometry = dataclasses.replace(geometry, mode=self.geometry, resize=resize)
        mean = preprocessing.mean if self.mean is None else _per_channel(self.mean, preprocessing.channels)
        std = preprocessing.std if self.std is None else _per_channel(self.std, preprocessing.channels)
        return Preprocessing(geometry=geometry, mean=mean, std=std)


def normalization_fields(mean: Sequence[float] | None, std: Sequence[float] | None) -> dict[str, Any]:
    """Return the fields of a request for a mean and a standard deviation, for pixels in [0, 1] or from 0 to 255.

    Args:
        mean: One value or one per channel; None for the model's own.
        std: The same.

    Raises:
        UsageError: The values are for neither, or mixed.
    """
    if mean is None or std is None or not len(mean) or not len(std):
        return {name: None if given is None else tuple(given) for name, given in (("mean", mean), ("std", std))}
    found = in_unit_range(tuple(mean), tuple(std))
    return {"mean": found.mean, "std": found.std, "assumed": found.notes}


def weights_fields(weights: Path | str | None) -> dict[str, Any]:
    """Return the fields of a request for what a user gave as its weights: a file, or an address on the web.

    Args:
        weights: Path, or `https://HOST/FILE`, with or without `#sha256=HEX`; None for the model's own.

    Raises:
        UsageError: The address is not valid.
    """
    if weights is None:
        return {}
    if addresses.is_address(str(weights)):
        return {"weights_address": addresses.parse(str(weights))}
    return {"weights": Path(weights)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModule:
    """A network in eval mode, before it becomes a Classifier."""

    module: nn.Module
    """The network, on the CPU; it takes normalized images and returns logits."""
    preprocessing: Preprocessing
    """Geometry and normalization of its images."""
    source: str
    """Source, name and arguments, such as `timm:mobilenetv2_100(pad_type='same')`; part of the model's digest."""
    label_space: str
    """`imagenet`, `digits`, ... or `custom`."""
    notes: tuple[str, ...] = ()
    """Remarks on how the model was loaded."""
    flags: tuple[str, ...] = ()
    """What a reader must know before trusting a number of this model; they stand on every row."""
    class_names: tuple[str, ...] = ()
    """Name of each output, where the source knows them; empty to look for them in the network."""
    weights_from: str = ""
    """Addresses and hashes of weights that the source itself has downloaded from addresses."""
    all_loaded: bool = False
    """Whether `load_weights` has set every tensor of the state_dict, so that none of them can be random."""
    architecture: str = ""
    """Text of the architecture, where a card states it."""
    defense: str = ""
    """Text of the training recipe, where a card states it."""


def source_text(prefix: str, name: str, model_args: Mapping[str, Any]) -> str:
    """Return a source as manifests write it: `timm:mobilenetv2_100(pad_type='same')`.

    Args:
        prefix: Prefix of the model source.
        name: Name of the model within the source.
        model_args: Keyword arguments of the network.
    """
    arguments = ", ".join(f"{key}={value!r}" for key, value in sorted(model_args.items()))
    return f"{prefix}:{name}({arguments})" if arguments else f"{prefix}:{name}"


def label_space_of(num_classes: int) -> str:
    """Return `imagenet` for 1,000 classes, else `custom`: the user must then name the benchmark.

    Args:
        num_classes: Number of outputs of a model.
    """
    return "imagenet" if num_classes == IMAGENET else "custom"


def _per_channel(values: tuple[float, ...], channels: int) -> PerChannel:
    if len(values) not in (1, 3):
        raise ModelError(f"--mean and --std take one value or three, got {len(values)}.")
    return values * channels if len(values) == 1 else values
