"""Several workers on one machine: the same outcomes as one worker, whichever of them die."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from fixed_answers import Fixed
from robustbench_eff import load_classifier
from robustbench_eff.core.errors import EvaluationError, Missing, MissingInputs, ModelError, UsageError
from robustbench_eff.evaluation.engines.process_pool import _sendable
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.system import devices
from running import ATTACKS, COUNT, Ears, assert_same, by_cell, run, wait_until


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("reference") / "store"
    run(store)
    return store


def test_a_worker_that_is_killed_loses_and_doubles_nothing(reference: Path, tmp_path: Path) -> None:
    """A model that was passed as an object is sent to the new worker again."""
    ears = Ears(lambda: os.kill(multiprocessing.active_children()[-1].pid, signal.SIGKILL))
    run(tmp_path / "store", load_classifier("digits_standard"), workers=2, shard_size=8, listener=ears)
    assert ears.disturbed
    assert ears.computed == 4 * COUNT
    assert_same(by_cell(tmp_path / "store"), by_cell(reference))
    assert not multiprocessing.active_children()


def test_errors_of_a_worker_are_raised_unchanged() -> None:
    missing = MissingInputs([Missing("weights of x", "there", "--weights FILE")], "robust-eval")
    came = pickle.loads(pickle.dumps(_sendable(missing)))
    assert (type(came), str(came), came.missing) == (MissingInputs, str(missing), missing.missing)


ODD = """
from robustbench_eff import load_classifier

class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")
        self.cannot_be_sent = lambda: None

def fail_of_gradients(module, images):
    if images[0].requires_grad:
        raise Odd("twice", "odd")

def build():
    model = load_classifier("digits_standard").model
    model.register_forward_pre_hook(fail_of_gradients)
    return model
"""


def test_an_error_that_cannot_be_pickled_is_reported(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    model = ModelRequest(name=f"{tmp_path}/odd.py:build", input_size=32, num_classes=10)
    result = run(tmp_path / "store", model, benchmarks=["digits"], attacks=["fgsm"], limit=16, workers=2)
    with pytest.raises(EvaluationError, match=r"fgsm.* failed: Odd: twice odd"):
        result.check()
    with pytest.raises(RuntimeError, match="in a worker: ZeroDivisionError"):
        raise pickle.loads(pickle.dumps(_sendable(ZeroDivisionError())))


def test_a_model_that_cannot_be_sent_is_reported(tmp_path: Path) -> None:
    class Local(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3)) * 7 - 9

    with pytest.raises(ModelError, match=r"cannot be sent to another process(.|\n)*Define its class in a module"):
        run(tmp_path / "store", Local().eval(), workers=2)


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_reported(tmp_path: Path) -> None:
    """Its workers die before they have read their model, which is larger than the buffer of a pipe."""
    (tmp_path / "script.py").write_text(
        "from robustbench_eff import evaluate, load_classifier\n"
        f"evaluate(load_classifier('digits_standard'), attacks=['fgsm'], store={str(tmp_path / 'store')!r}, workers=2)"
    )
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "call evaluate under `if __name__ == '__main__':`" in done.stderr


FAILING = """
from pathlib import Path
from robustbench_eff import load_classifier

def fail_once(module, images):
    flag = Path(__file__).with_name("failed")
    if images[0].requires_grad and not flag.exists():
        flag.touch()
        raise RuntimeError("CUDA error: unspecified launch failure")

def build():
    model = load_classifier("digits_standard").model
    model.register_forward_pre_hook(fail_once)
    return model
"""


def test_a_worker_whose_gpu_fails_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    model = ModelRequest(name=f"{tmp_path}/failing.py:build", input_size=32, num_classes=10)
    ears = Ears(lambda: None)
    options = {"benchmarks": ["digits"], "attacks": ["fgsm"], "limit": 32, "listener": ears}
    run(tmp_path / "store", model, workers=2, shard_size=8, **options)
    assert (tmp_path / "failed").exists()
    assert ears.computed == 2 * 32


def test_a_module_is_the_same_model_for_any_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 2):
        run(
            tmp_path / "store",
            Fixed(3, outputs=10).eval(),
            benchmarks=["digits"],
            attacks=["fgsm"],
            limit=8,
            workers=workers,
        )
    assert len(by_cell(tmp_path / "store")) == 2


def is_running(pid: int) -> bool:
    """A process that has ended stays in /proc as a zombie until its parent, here init, collects it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_end_with_the_run_that_was_killed(tmp_path: Path) -> None:
    script = (
        "from robustbench_eff import evaluate\n"
        "import multiprocessing\n"
        "from robustbench_eff.evaluation.evaluate import NullListener\n"
        "class Ears(NullListener):\n"
        "    def planned(self, plan):\n"
        "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "if __name__ == '__main__':\n"
        f"    evaluate('digits_standard', attacks={ATTACKS!r}, store={str(tmp_path / 'store')!r}, workers=2, "
        "listener=Ears())"
    )
    (tmp_path / "script.py").write_text(script)
    process = subprocess.Popen([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    children = [int(word) for word in process.stdout.readline().split()]
    assert len(children) == 2
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(child) for child in children))


@pytest.mark.parametrize(
    ("names", "workers", "expected"),
    [
        ("cpu", None, ["cpu"]),
        ("cpu", 2, ["cpu", "cpu"]),
        ("cpu,cpu", None, ["cpu", "cpu"]),
        ("cpu, cpu", 3, ["cpu"] * 3),
    ],
)
def test_devices_and_workers(names: str, workers: int | None, expected: list[str]) -> None:
    assert devices.resolve_devices(names, workers) == expected


@pytest.mark.parametrize(
    ("names", "workers", "gpus", "expected"),
    [
        ("all", None, 0, ["cpu"]),
        ("all", None, 3, ["cuda:0", "cuda:1", "cuda:2"]),
        ("all", 4, 2, ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]),
        ("auto", 2, 3, ["cuda:0", "cuda:1"]),
        ("auto", 3, 2, ["cuda:0", "cuda:1", "cuda:0"]),
        ("auto", 2, 0, ["cpu", "cpu"]),
    ],
)
def test_all_devices_are_the_gpus_or_the_cpu(
    names: str, workers: int | None, gpus: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert devices.resolve_devices(names, workers) == expected


def test_every_device_has_a_worker() -> None:
    with pytest.raises(UsageError, match="2 devices need as many workers, got --workers 1"):
        devices.resolve_devices("cpu,cpu", 1)
