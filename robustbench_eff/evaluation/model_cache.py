"""Models that are loaded, kept as long as they take little memory together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from robustbench_eff.attacks import Oracle
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.core.batching import Batches
from robustbench_eff.models.classifier import Classifier

MAX_CACHED_BYTES = 4 * 2**30
"""Bytes of weights that are kept together; what was asked for last is kept in any case."""

OracleFactory = Callable[[Classifier], tuple[Oracle, str]]


@dataclass(slots=True)
class LoadedModel:
    """A classifier with how attacks query it and how it is read with other classes."""

    classifier: Classifier
    _queried: tuple[Oracle, str] | None = None
    _read: dict[str, LoadedModel] = field(default_factory=dict)
    _batches: dict[str, Batches] = field(default_factory=dict)

    def oracle(self, making: OracleFactory) -> tuple[Oracle, str]:
        """Its oracle and the precision of that, made once."""
        if self._queried is None:
            self._queried = making(self.classifier)
        return self._queried

    def batches(self, what: str, size: int) -> Batches:
        """How many images something is done with at once: `size`, until memory runs out."""
        return self._batches.setdefault(what, Batches(size))

    def with_class_map(self, benchmark: Benchmark) -> LoadedModel:
        """The same classifier with the benchmark's classes for outputs."""
        if benchmark.name not in self._read:
            assert benchmark.class_map is not None
            self._read[benchmark.name] = LoadedModel(self.classifier.with_class_map(benchmark.class_map()))
        return self._read[benchmark.name]


class ModelCache:
    """What was loaded, by name; what was not asked for longest goes first when it becomes too much."""

    def __init__(self) -> None:
        self._loaded: dict[str, LoadedModel] = {}

    def get_or_load(self, name: str, load: Callable[[], Classifier]) -> LoadedModel:
        """The model of that name, loaded if it is not here."""
        loaded = self._loaded.pop(name, None)
        self._loaded[name] = loaded = loaded or LoadedModel(load())
        oldest = list(self._loaded)
        while len(oldest) > 2 and sum(map(_bytes, self._loaded.values())) > MAX_CACHED_BYTES:
            del self._loaded[oldest.pop(0)]
        return loaded


def _bytes(loaded: LoadedModel) -> int:
    return sum(tensor.nbytes for tensor in loaded.classifier.state_dict().values())
