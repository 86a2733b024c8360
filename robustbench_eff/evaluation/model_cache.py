"""A cache of loaded models that is limited by the memory of their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from robustbench_eff.attacks import Oracle
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.core.batching import Batches
from robustbench_eff.models.classifier import Classifier

MAX_CACHED_BYTES = 4 * 2**30
"""Bytes of weights above which the cache drops models; the two most recently used models always stay."""

OracleFactory = Callable[[Classifier], tuple[Oracle, str]]
"""Function that returns the oracle of a classifier and the precision in which it queries."""


@dataclass(slots=True)
class LoadedModel:
    """A classifier with its oracle, its batch sizes, and its variants for benchmarks with other classes."""

    classifier: Classifier
    num_bytes: int = field(init=False)
    """Bytes of its weights that are tensors."""
    _oracle: tuple[Oracle, str] | None = None
    _variants: dict[str, LoadedModel] = field(default_factory=dict)
    """Classifiers with a class map, by the benchmark's name."""
    _batches: dict[str, Batches] = field(default_factory=dict)
    """Batch sizes by the operation."""

    def __post_init__(self) -> None:
        state = self.classifier.state_dict().values()  # of quantised layers, also types and packed weights
        self.num_bytes = sum(value.nbytes for value in state if isinstance(value, Tensor))

    def oracle(self, making: OracleFactory) -> tuple[Oracle, str]:
        """Return the oracle that attacks query, and its precision.

        Args:
            making: Makes both on the first call.
        """
        if self._oracle is None:
            self._oracle = making(self.classifier)
        return self._oracle

    def batches(self, what: str, size: int) -> Batches:
        """Return the batch size of an operation, which shrinks for good when memory runs out.

        Args:
            what: Name of the operation.
            size: Batch size to start with.
        """
        return self._batches.setdefault(what, Batches(size))

    def with_class_map(self, benchmark: Benchmark) -> LoadedModel:
        """Return the classifier with the benchmark's classes as outputs.

        Args:
            benchmark: Benchmark with a class map.
        """
        if benchmark.name not in self._variants:
            assert benchmark.class_map is not None
            self._variants[benchmark.name] = LoadedModel(self.classifier.with_class_map(benchmark.class_map()))
        return self._variants[benchmark.name]


class ModelCache:
    """Loaded models by name; the least recently used ones are dropped when their weights take too much memory."""

    def __init__(self) -> None:
        self._loaded: dict[str, LoadedModel] = {}

    def get_or_load(self, name: str, load: Callable[[], Classifier]) -> LoadedModel:
        """Return a model, loaded if it is not in the cache.

        Args:
            name: Key of the model.
            load: Loads the model.
        """
        model = self._loaded.pop(name, None)
        self._loaded[name] = model = model or LoadedModel(load())
        oldest = list(self._loaded)
        while len(oldest) > 2 and sum(model.num_bytes for model in self._loaded.values()) > MAX_CACHED_BYTES:
            del self._loaded[oldest.pop(0)]
        return model
