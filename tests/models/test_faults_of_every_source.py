"""What is wrong with a file of weights is one sentence and status 2 for every source, and nothing in the file runs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from model_examples import SOURCES, model_example
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_model
from robustbench_eff.testing import ModelExample

MARKER = "a-pickle-ran"


class Hostile:
    """Leaves a marker in the working directory when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path(MARKER),)


def _delete(file: Path) -> None:
    file.unlink()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _overwrite(file: Path) -> None:
    file.write_bytes(b"\x00weights\xff" * 200)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _pickle(file: Path) -> None:
    file.write_bytes(pickle.dumps({"state_dict": Hostile()}))


def _pickle_of_torch(file: Path) -> None:
    torch.save({"state_dict": Hostile()}, file)


def _another_architecture(file: Path) -> None:
    save_file(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)).state_dict(), file)


def _without_a_key(file: Path) -> None:
    state = load_file(file)
    del state[next(name for name in state if name.endswith("weight"))]
    save_file(state, file)


def _with_a_key_more(file: Path) -> None:
    save_file(load_file(file) | {"attention.weight": torch.ones(3, 3)}, file)


def _another_shape(file: Path) -> None:
    state = load_file(file)
    name = next(name for name, values in state.items() if values.ndim == 4)
    save_file(state | {name: torch.ones(*state[name].shape[:2], 9, 9)}, file)


def _not_finite(file: Path) -> None:
    state = load_file(file)
    name = next(name for name, values in state.items() if values.ndim > 1)
    save_file(state | {name: torch.full_like(state[name], float("nan"))}, file)


def _nothing(_: Path) -> None:
    pass


OF_FILES = (_delete, _cut, _overwrite, _empty, _pickle, _pickle_of_torch)
"""Faults of any file."""
OF_STATES = (_another_architecture, _without_a_key, _with_a_key_more, _another_shape, _not_finite)
"""Faults of a state_dict that can be read."""
PROGRAMS = ("onnx", "tflite", "torchscript", "exported")
"""Sources whose files hold the network, too."""
WITHOUT_WEIGHTS = ("ensemble", "shipped")
"""Sources that read no file of the user."""


def file_of(example: ModelExample) -> Path:
    """The file that is changed."""
    if example.request.weights is not None:
        return example.request.weights
    place = Path(example.target)
    return place / "model.safetensors" if place.is_dir() else place


def load(request: ModelRequest) -> None:
    """Load a model as a run does: what is missing is listed first."""
    if lacking := build_model.missing(request):
        raise MissingInputs(lacking)
    build_model.load(request)


def _marked(name: str, *values: object) -> object:
    """A case; those of CLIP, whose smallest network is large, are slow."""
    return pytest.param(name, *values, marks=pytest.mark.slow if name == "open_clip" else ())


CASES = [
    _marked(name, fault)
    for name in SOURCES
    if name not in WITHOUT_WEIGHTS
    for fault in (*OF_FILES, *(() if name in PROGRAMS else OF_STATES))
]


@pytest.mark.parametrize(("name", "fault"), CASES, ids=lambda value: getattr(value, "__name__", value).strip("_"))
def test_a_faulty_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    example = model_example(name, tmp_path)
    fault(file_of(example))
    with pytest.raises(UsageError) as refused:
        load(example.request)
    assert refused.value.exit_code == 2
    assert isinstance(refused.value, MissingInputs) or "\n" not in refused.value.message
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("write", [_pickle, _pickle_of_torch])
@pytest.mark.parametrize(
    "name", [_marked(name) for name in SOURCES if name not in (*WITHOUT_WEIGHTS, *PROGRAMS, "hf", "trained")]
)
def test_a_pickle_is_not_run_under_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, write: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    request = replace(model_example(name, tmp_path).request, weights=tmp_path / "weights.pth")
    write(tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"weights\.pth .*(run code|is a pickle)") as refused:
        load(request)
    assert "\n" not in refused.value.message
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("name", [_marked(name) for name in SOURCES if name != "ensemble"])
def test_another_number_of_classes_is_one_sentence(tmp_path: Path, name: str) -> None:
    request = replace(model_example(name, tmp_path).request, num_classes=6)
    with pytest.raises(UsageError) as refused:
        load(request)
    assert refused.value.exit_code == 2
    assert "6" in str(refused.value)
    assert "\n" not in refused.value.message
