"""If memory runs out, the work continues in smaller parts with the same outcomes."""

from __future__ import annotations

import errno
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from robustbench_eff import load_classifier
from robustbench_eff.attacks import FGSM
from robustbench_eff.core.errors import ModelError, RobustEvalWarning
from robustbench_eff.corruptions.corruption import Corruption
from robustbench_eff.storage.store import Store
from running import assert_same, by_cell, outcomes, run

CAPACITY = 10
OPTIONS: dict[str, Any] = {"attacks": ["fgsm(eps=8/255)"], "corruptions": ["fog(severity=3)"], "limit": 64}


GPU = torch.OutOfMemoryError("CUDA out of memory.")
ON_CPUS = {
    "Python": MemoryError(),
    "the system": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "torch": RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"),
    "C++": RuntimeError("std::bad_alloc"),
    "oneDNN": RuntimeError("could not create a primitive"),
    "oneDNN, too": RuntimeError("could not create a memory object"),
}
"""What is raised when the memory of a CPU runs out, by who says it."""


def narrow(
    function: Callable[..., torch.Tensor], images: int, error: Exception = GPU, capacity: int = CAPACITY
) -> Callable[..., torch.Tensor]:
    """Return the function with a memory limit: `images` is the position of its argument that holds the images."""

    def narrowed(*arguments: Any) -> torch.Tensor:
        if len(arguments[images]) > capacity:
            raise error
        return function(*arguments)

    return narrowed


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("whole") / "store"
    run(store, **OPTIONS)
    return store


@pytest.mark.parametrize(("kind", "images"), [(FGSM, 2), (Corruption, 1)])
def test_a_shard_is_evaluated_in_parts(
    kind: type, images: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "__call__", narrow(kind.__call__, images))
    with pytest.warns(RobustEvalWarning, match="continuing with batches of 8"):
        run(tmp_path / "store", **OPTIONS)
    assert_same(by_cell(tmp_path / "store"), by_cell(whole))


def test_the_batch_size_that_fits_is_remembered_between_shards(tmp_path: Path) -> None:
    classifier = load_classifier("digits_standard")
    classifier.model.forward = narrow(classifier.model.forward, 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(tmp_path / "store", classifier, **OPTIONS, benchmarks=["digits"], shard_size=16)
    messages = [str(warning.message) for warning in caught if "Memory ran out" in str(warning.message)]
    assert len(messages) == 2, "once for the referee and once for the attack"
    assert set(messages) == {"Memory ran out: continuing with batches of 8. No outcome changes."}


@pytest.mark.parametrize("said_by", ON_CPUS)
def test_the_memory_of_a_cpu_runs_out(said_by: str, whole: Path, tmp_path: Path) -> None:
    classifier = load_classifier("digits_standard")
    classifier.model.forward = narrow(classifier.model.forward, 0, ON_CPUS[said_by])
    with pytest.warns(RobustEvalWarning, match="continuing with batches of 8"):
        run(tmp_path / "store", classifier, **OPTIONS, benchmarks=["digits"])
    assert_same(outcomes(tmp_path / "store"), outcomes(whole))


def test_the_memory_of_a_cpu_is_too_small_for_one_sample(tmp_path: Path) -> None:
    classifier = load_classifier("digits_standard")
    classifier.model.forward = narrow(classifier.model.forward, 0, ON_CPUS["oneDNN"], capacity=0)
    with pytest.raises(ModelError, match=r"fails on the first images of digits: .*could not create a primitive"):
        run(tmp_path / "store", classifier, limit=4, attacks=["fgsm(eps=8/255)"], benchmarks=["digits"])


def test_a_library_that_does_not_fit_into_the_address_space_is_named() -> None:
    command = f"ulimit -v 1200000; exec {Path(sys.executable).with_name('robust-eval')} --model digits_standard"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: The system refuses the memory for a library: lib")
    assert "ulimit -v unlimited" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_few_file_descriptors_are_enough(tmp_path: Path) -> None:
    command = f"ulimit -n 16; exec {Path(sys.executable).with_name('robust-eval')} --model digits_standard"
    options = f"--attack fgsm --limit 20 --quiet --store {tmp_path / 'store'}"
    ended = subprocess.run(["bash", "-c", f"{command} {options}"], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert len(Store(tmp_path / "store").cells()) == 2
