"""Whatever is passed as weights gives the right weights, or one sentence, in bounded time and memory."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from typer.testing import CliRunner

from robustbench_eff import load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import DataError, ModelError, RobustEvalError, TrainingError, UsageError
from robustbench_eff.core.tensor_files import read_tensor_file
from robustbench_eff.corruptions.stylise_adain import _encoder, _loaded
from robustbench_eff.defenses import training_state
from robustbench_eff.models.aliases import checkpoints
from robustbench_eff.models.card import Card
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.weights import load_weights
from strange_weights import FORMS, LOADS, NETWORK, good, network

SECONDS, MEMORY = 60, 4 * 2**30
"""Longest time of one file, and most address space beyond what the process has, in bytes."""
LONG = ("deep lists", "torch.export", "a million steps")
AT_THE_COMMAND_LINE = (
    "whole numbers as keys",
    "sparse",
    "int8",
    "NaN",
    "code",
    "a doubling key",
    "a deep key",
    "PNG",
    "a page",
    "cut off",
    "a folder",
    "a named pipe",
    "an endless device",
    "10^15 values",
    "shards outside",
    "control characters in a name",
)


@pytest.fixture(autouse=True)
def _no_endless_test() -> Iterator[None]:
    """A reader that hangs fails its own test instead of stopping all."""
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


@contextmanager
def bounded_memory() -> Iterator[None]:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def written(name: str, folder: Path) -> Path:
    file, write, _ = FORMS[name]
    made = write(folder / file)
    return made if isinstance(made, Path) else folder / file


def opened(weights: Path, folder: Path) -> Classifier:
    (folder / "net.py").write_text(NETWORK)
    return load_classifier(f"{folder}/net.py:build", weights=weights, input_size=8)


@pytest.mark.parametrize("name", [name for name in FORMS if name not in LONG])
def test_a_file_gives_the_right_weights_or_a_sentence(name: str, tmp_path: Path) -> None:
    expected = FORMS[name][2]
    path = written(name, tmp_path)
    if expected == LOADS:
        state = opened(path, tmp_path).model.state_dict()
        for key, value in good().items():
            assert torch.equal(state[key], value) or key.endswith("tracked"), key
        return
    if expected.startswith(f"{LOADS}: "):
        opened(path, tmp_path)
        return
    with bounded_memory(), pytest.raises(RobustEvalError, match=expected) as caught:
        opened(path, tmp_path)
    assert str(path.name) in caught.value.message or "shard" in name
    assert len(caught.value.message) < 600


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_large_files_give_a_sentence(name: str, tmp_path: Path) -> None:
    path = written(name, tmp_path)
    with pytest.raises(ModelError, match=FORMS[name][2]):
        opened(path, tmp_path)


@pytest.mark.parametrize("name", AT_THE_COMMAND_LINE)
def test_the_command_line_prints_the_sentence(name: str, tmp_path: Path) -> None:
    path = written(name, tmp_path)
    (tmp_path / "net.py").write_text(NETWORK)
    model = ["--model", f"{tmp_path}/net.py:build", "--input-size", "8", "--num-classes", "10"]
    command = [*model, "--weights", str(path), "--benchmark", "digits", "--store", str(tmp_path / "store")]
    result = CliRunner().invoke(app, command)
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit), result.output
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output and "\x1b[31m" not in result.output


def test_rounding_is_said_and_exact_conversions_are_not(tmp_path: Path) -> None:
    assert (
        "8 tensors rounded from float64 to float32" in opened(written("rounded", tmp_path), tmp_path).provenance.notes
    )
    assert not any("rounded" in note for note in opened(written("float64", tmp_path), tmp_path).provenance.notes)


def test_bytes_of_eight_bits_are_converted_exactly(tmp_path: Path) -> None:
    state = {
        key: value.to(torch.float8_e4m3fn) if value.is_floating_point() else value for key, value in good().items()
    }
    save_file(state, tmp_path / "w.safetensors")
    found = opened(tmp_path / "w.safetensors", tmp_path).model.state_dict()
    assert all(torch.equal(found[key], value) for key, value in good().items() if value.is_floating_point())


def test_an_infinite_buffer_may_be_a_mask(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    module.register_buffer("mask", torch.zeros(2))
    state = {**module.state_dict(), "mask": torch.tensor([0.0, -torch.inf])}
    torch.save(state, tmp_path / "w.pth")
    load_weights(module, tmp_path / "w.pth")
    assert torch.equal(module.mask, state["mask"])
    torch.save(state | {"mask": torch.tensor([0.0, torch.nan])}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"mask of .* holds NaN, in 1 of 2 numbers"):
        load_weights(module, tmp_path / "w.pth")


def test_a_network_that_keeps_more_than_tensors_loads_them_itself(tmp_path: Path) -> None:
    class Extra(nn.Linear):
        def get_extra_state(self) -> dict[str, int]:
            return {"version": 1}

    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"Extra keeps _extra_state, which is no tensor"):
        load_weights(Extra(2, 2), tmp_path / "w.pth")


def test_a_trusted_file_may_run_code_and_a_safetensors_file_never(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "w.pth")
    (tmp_path / "net.py").write_text(NETWORK)
    options = {"input_size": 8, "trust_checkpoint": True}
    assert load_classifier(f"{tmp_path}/net.py:build", weights=tmp_path / "w.pth", **options).num_classes == 10
    (tmp_path / "w.pth").rename(tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"is a PyTorch file under the name of a safetensors file"):
        load_classifier(f"{tmp_path}/net.py:build", weights=tmp_path / "w.safetensors", **options)


@pytest.mark.parametrize("model", ["digits_standard", "a finished module"])
def test_models_without_arguments_refuse_them(model: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NETWORK + "\nfinished = build()\n")
    name = f"{tmp_path}/net.py:finished" if " " in model else model
    with pytest.raises(UsageError, match=r"takes no --model-arg, got width=3"):
        load_classifier(name, model_args={"width": 3}, input_size=None if " " not in model else 8)


CARDS = {
    "no JSON": ("{", "is not JSON"),
    "a list": ("[]", "has no format"),
    "empty": ("{}", "has no format"),
    "another format": ('{"format": 2}', "has another format version"),
    "nothing else": ('{"format": 1}', "name: Field required"),
    "a key twice": ('{"format": 1, "format": 1}', "twice"),
    "deep": ('{"a":' * 10**5, "within one another"),
    "architecture": ({"architecture": 3}, "architecture: Input should be a valid string"),
    "classes": ({"num_classes": "ten"}, "num_classes: Input should be a valid integer"),
    "no classes": ({"num_classes": 0}, "greater than or equal to 1"),
    "many classes": ({"num_classes": 10**12}, "less than or equal to 1000000"),
    "preprocessing": ({"preprocessing": []}, "preprocessing: "),
    "size": ({"preprocessing": {"geometry": {"size": -1}, "mean": [0], "std": [1]}}, "at least 1 pixel"),
    "std": ({"preprocessing": {"geometry": {"size": 32}, "mean": [0], "std": [0]}}, "std must be > 0"),
    "unknown field": ({"more": 1}, "'more' is unknown"),
    "unknown architecture": ({"architecture": "small_cn"}, "Did you mean 'small_cnn'"),
    "unknown argument": ({"architecture": "small_cnn(depth=3)"}, "cannot be built"),
    "negative width": ({"architecture": "small_cnn(width=-3)"}, "cannot be built"),
    "a network of 10^17 numbers": (
        {"architecture": "small_cnn(width=100000000)"},
        "describes .* numbers|cannot be built",
    ),
    "another width": ({"architecture": "small_cnn(width=16)"}, "describes|does not fit the model"),
    "activation": ({"activation": "reluu"}, "reluu"),
}


@pytest.mark.parametrize("case", CARDS)
def test_a_card_that_is_wrong_is_said(case: str, tmp_path: Path) -> None:
    content, words = CARDS[case]
    card = (checkpoints() / "digits_standard.json").read_text()
    text = content if isinstance(content, str) else json.dumps(json.loads(card) | content)
    (tmp_path / "model.json").write_text(text)
    weights = (checkpoints() / "digits_standard.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights)
    with bounded_memory(), pytest.raises(RobustEvalError, match=words):
        load_classifier(str(tmp_path))


def test_every_shipped_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    for path in sorted(checkpoints().glob("*.json")):
        card = Card.read(path)
        (tmp_path / "card.json").write_text(card.text())
        assert Card.read(tmp_path / "card.json") == card
        assert json.loads(card.text()).items() >= json.loads(path.read_text()).items()


STATE = {"step": 1, "module": {}, "optimizer": {}, "rates": {}, "average": None, "history": []}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n" + bytes(99), "PNG"),
        ([], "is not the state of a training"),
        ({"step": 1}, "is not the state of a training"),
        (STATE | {"more": 1}, "is not the state of a training"),
        (STATE | {"history": [{"epoch": 1}]}, "is not the state of a training"),
        (STATE | {"history": 3}, "is not the state of a training"),
        (STATE | {"module": 3}, "module is of another type"),
    ],
)
def test_a_state_of_a_training_that_is_none_is_said(content: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(TrainingError, match=words):
        training_state.load(path)
    torch.save(STATE, path)
    assert training_state.load(path).step == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value.to_sparse(), "0.weight should have shape .* no plain tensor"),
        (lambda value: value.to("meta"), "0.weight should have shape .* no plain tensor"),
        (lambda value: value.long(), "0.weight should have shape .* no plain tensor"),
        (lambda value: value / 0, "0.weight of .* not finite"),
        (lambda value: value[0], r"0.weight should have shape \(3, 3, 1, 1\), got \(3, 1, 1\)"),
        (lambda value: 3, "0.weight should have shape .* nothing"),
    ],
)
def test_weights_of_adain_that_are_none_are_said(change, words: str, tmp_path: Path) -> None:
    state = {key: torch.ones(1).expand(value.shape) for key, value in _encoder().state_dict().items()}
    torch.save(state | {"0.weight": change(state["0.weight"].contiguous())}, tmp_path / "vgg.pth")
    with pytest.raises(DataError, match=words):
        _loaded(_encoder, tmp_path / "vgg.pth", torch.device("cpu"))


SMALL_MEMORY = """
import resource, sys, torch
from robustbench_eff import load_classifier
from robustbench_eff.core.errors import RobustEvalError
torch.set_num_threads(1)
load_classifier("digits_standard")
limit = {"memory": resource.RLIMIT_AS, "files": resource.RLIMIT_NOFILE}[sys.argv[1]]
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(limit, (used + 2**26 if sys.argv[1] == "memory" else 3,) * 2)
try:
    load_classifier("digits_standard", weights=sys.argv[2])
except RobustEvalError as error:
    print("refused:", error.message)
"""


@pytest.mark.parametrize(("what", "words"), [("memory", "needs more memory than there is"), ("files", "Too many open")])
def test_little_memory_and_few_files_give_a_sentence(what: str, words: str, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2**26)}, tmp_path / "w.pth")
    command = [sys.executable, "-c", SMALL_MEMORY, what, str(tmp_path / "w.pth")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "refused: " in done.stdout and words in done.stdout, done.stdout + done.stderr


def test_the_file_is_read_as_what_it_is(tmp_path: Path) -> None:
    save_file(good(), tmp_path / "w.pth")
    found = read_tensor_file(tmp_path / "w.pth", ModelError)
    assert all(isinstance(value, Tensor) and torch.equal(value, good()[key]) for key, value in found.items())
