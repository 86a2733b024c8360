"""What to evaluate and how: the one place of every default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args, get_type_hints

from robustbench_eff.core.errors import UsageError

DEFAULT_STORE = "robust-eval-store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Command line, Python and manifest all speak these fields."""

    suite: str = "standard"
    """A shipped suite or the path of a YAML file."""
    benchmarks: Sequence[str] = ()
    """Empty: those of the suite that share the model's label space."""
    attacks: Sequence[str] = ()
    """Spec texts that replace the suite's perturbations; clean accuracy is always measured."""
    corruptions: Sequence[str] = ()
    """The same of corruptions."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Benchmark name to path or `hf:ID[@SPLIT]`."""
    limit: int | None = None
    """Evaluate the first so many samples of each benchmark."""
    device: str = "auto"
    """One, several with commas between, or `all` GPUs; the same one twice takes two workers."""
    engine: Literal["local", "ray"] = "local"
    """Who runs the workers: this machine, or a Ray cluster."""
    ray_address: str | None = None
    """Of a cluster that is there, `auto` for the one this machine belongs to; one is started here unless said."""
    workers: int | None = None
    """Processes that work side by side: one for each device, or as many as the cluster has room for, unless said.
    Changes no outcome."""
    batch_size: int | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the network that attacks query; the referee's is always plain float32. `auto` is float16 where the
    hardware multiplies it faster and the network is large enough to gain."""
    compile: bool = False
    """Compile the network that attacks query."""
    shard_size: int | None = None
    seed: int = 0
    store: Path | str = DEFAULT_STORE
    alexnet_baseline: Path | str | None = None
    """JSON file with AlexNet's figures, where other than the published ones are meant."""
    shuffle_shards: bool = False
    """Work through the samples in random order, so that the first of them are a fair sample of all."""
    target_ci: float | None = None
    """In points: a cell whose number is an accuracy ends when its interval is no wider than plus or minus this. Implies
    shuffled shards."""
    skip_missing: bool = False
    """Evaluate what is there when something is missing, and say what was not."""

    @property
    def explicit_perturbations(self) -> Sequence[str]:
        """What replaces the suite's perturbations; empty where the suite's are meant."""
        return (*self.attacks, *self.corruptions)

    def __post_init__(self) -> None:
        for name in ("precision", "engine"):
            known, given = get_args(get_type_hints(Settings)[name]), getattr(self, name)
            if given not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}, got {given!r}.")
        if self.ray_address is not None and self.engine != "ray":
            raise UsageError("ray_address is for the engine ray.", "Add --engine ray.")
        if self.engine == "ray" and self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"With the engine ray, device is auto, cpu or cuda, got {self.device!r}.")
        for name in ("limit", "batch_size", "shard_size", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}.")
        if self.target_ci is not None and not 0 < self.target_ci < 50:
            raise UsageError(f"target_ci must be between 0 and 50 points, got {self.target_ci}.", "Try ±0.5.")
