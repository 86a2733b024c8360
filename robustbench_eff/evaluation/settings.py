"""What to evaluate and how: the one place of every default."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from robustbench_eff.core.errors import UsageError

if TYPE_CHECKING:
    from robustbench_eff.core.types import Attack, ImageCorruption

DEFAULT_STORE = "robust-eval-store"
Engine = Literal["local", "ray"]
QueryPrecision = Literal["auto", "float32", "bfloat16", "float16"]
_CHOICES = {"engine": ("local", "ray"), "precision": ("auto", "float32", "bfloat16", "float16")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of an evaluation, shared by the command line, Python and the manifest of a run.

    Raises:
        UsageError: A value is out of range, or two options exclude each other.
    """

    suite: str = "standard"
    """Name of a shipped suite, or path of a YAML file."""
    benchmarks: Sequence[str] = ()
    """Names of benchmarks; empty for those of the suite that share the model's label space."""
    attacks: Sequence[str | Attack] = ()
    """Attacks as texts or as your own objects; they replace the suite's perturbations. Clean accuracy is always
    measured."""
    corruptions: Sequence[str | ImageCorruption] = ()
    """Corruptions, frame sequences or sets of them, as texts or objects; they replace the suite's perturbations."""
    adapt: str | None = None
    """How the network depends on batch, order or past, such as `batches(size=1)` or `tent(batch_size=200)`; None for a
    network whose answer to an image depends on this image alone."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Where images are: benchmark name to path or `hf:ID[@SPLIT][#REVISION]`."""
    class_order: str | None = None
    """Order of the classes of your own images: `sorted`, `natural`, `numeric`, or a file with their names in the order
    of the model's outputs; None for what the files state, see docs/data.md."""
    class_map: Path | str | None = None
    """File with the outputs of the model that stand for each class of your own images; None where classes are
    outputs."""
    limit: int | None = None
    """Evaluate only the first N samples of each benchmark; None for all."""
    sample: int | None = None
    """Evaluate N samples of each benchmark, drawn at random, the same in every run; None for the first ones, or all."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:N`, several with commas between, or `all` GPUs; the same one twice takes two
    workers."""
    engine: Engine = "local"
    """What runs the workers: this machine, or a Ray cluster."""
    ray_address: str | None = None
    """Address of a Ray cluster, `auto` for the one this machine belongs to; None starts one here."""
    workers: int | None = None
    """Number of processes that evaluate side by side; None for one per device, or as many as the Ray cluster has room
    for. Changes no outcome."""
    batch_size: int | None = None
    """Images per forward pass; None for a size that suits the image size and the device. Changes no outcome."""
    precision: QueryPrecision = "auto"
    """Precision of the network that attacks query; the referee always judges in float32. `auto` is float16 or bfloat16
    where the hardware multiplies it faster and the network is large enough to gain; `bfloat16` holds for the gradients
    of attacks with many steps, and float32 for all else."""
    compile: bool = False
    """Compile the network that attacks query."""
    shard_size: int | None = None
    """Samples per shard; None for a size that suits the image size and the device."""
    seed: int = 0
    """Seed of all random draws."""
    store: Path | str = DEFAULT_STORE
    """Folder or URL of the outcomes."""
    alexnet_baseline: Path | str | None = None
    """JSON file with AlexNet's errors, to which mCE and mFR are relative; None for the published ones."""
    radii: Sequence[float] = ()
    """L2 radii at which certified accuracy is reported; empty for a grid that depends on the noise. Changes no
    outcome."""
    shuffle_shards: bool = False
    """Evaluate the samples in random order, so that the finished ones are always a fair sample of all."""
    target_ci: float | None = None
    """End a cell early once the half-width of its 95 % interval is at most this many percentage points, for cells
    whose number is an accuracy. Implies `shuffle_shards`."""
    votes: int | None = None
    """How often the referee classifies each image; None for once, or for a network that draws random numbers for enough
    votes that they move an accuracy by at most one percentage point. A number makes every model count as such a
    network."""
    trust_code: bool = False
    """Run the programs that files name: a suite an attack or a model, the folder of a training its architecture."""
    skip_missing: bool = False
    """Evaluate what is available if something is missing, and report what was skipped."""

    @property
    def explicit_perturbations(self) -> Sequence[str | Attack | ImageCorruption]:
        """What replaces the suite's perturbations; empty to evaluate the suite's."""
        return (*self.attacks, *self.corruptions)

    def __post_init__(self) -> None:
        """Check the values."""
        if not str(self.store).strip():
            raise UsageError("store is empty.", f"Leave it out for {DEFAULT_STORE}.")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise UsageError(f"{name} must be one of {', '.join(choices)}, got {value!r}.")
        for name in ("benchmarks", "attacks", "corruptions"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise UsageError(f"{name} must be a list, got {value!r}.", f"Write {name}=[...].")
        if self.class_order is not None and self.class_map is not None:
            raise UsageError("class_order and class_map exclude each other.", "A class map states the order as well.")
        if self.ray_address is not None and self.engine != "ray":
            raise UsageError("ray_address belongs to the engine ray.", "Add --engine ray.")
        if self.engine == "ray" and self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"With the engine ray, device must be auto, cpu or cuda, got {self.device!r}.")
        if self.limit is not None and self.sample is not None:
            raise UsageError("limit and sample exclude each other.", "Samples are drawn from all images.")
        for name in ("limit", "sample", "batch_size", "shard_size", "workers", "votes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}.")
        if any(not 0 <= radius < math.inf for radius in self.radii):
            raise UsageError(f"radii must be L2 distances of at least 0 in units of [0, 1] pixels, got {self.radii}.")
        if self.target_ci is not None and not 0 < self.target_ci < 50:
            raise UsageError(f"target_ci must be between 0 and 50 points, got {self.target_ci}.", "Try ±0.5.")
        if self.adapt is not None:
            from .adapted_cells import check_settings  # imports torch

            check_settings(self)


class EvaluateOptions(TypedDict, total=False):
    """The fields of `Settings` as keyword arguments of `evaluate`; their meanings and defaults stand there."""

    suite: str
    benchmarks: Sequence[str]
    attacks: Sequence[str | Attack]
    corruptions: Sequence[str | ImageCorruption]
    adapt: str | None
    data: Mapping[str, str]
    class_order: str | None
    class_map: Path | str | None
    limit: int | None
    sample: int | None
    device: str
    engine: Engine
    ray_address: str | None
    workers: int | None
    batch_size: int | None
    precision: QueryPrecision
    compile: bool
    shard_size: int | None
    seed: int
    store: Path | str
    alexnet_baseline: Path | str | None
    radii: Sequence[float]
    shuffle_shards: bool
    target_ci: float | None
    votes: int | None
    trust_code: bool
    skip_missing: bool
