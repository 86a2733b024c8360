"""`--name` and the file of `--models`: every model has its own name and options; the name identifies nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import ModelError, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_model
from robustbench_eff.registry.models_file import read_models
from robustbench_eff.storage.store import Store
from small_models import UNTRAINED_MODEL, USER_MODEL, random_weights

RUN = ("--benchmark", "digits", "--attack", "none", "--limit", "4", "--device", "cpu")


def command(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two networks of one program with different weights, below a folder of their own."""
    below = tmp_path / "nets"
    below.mkdir()
    (below / "net.py").write_text(USER_MODEL)
    namespace: dict = {}
    exec(UNTRAINED_MODEL, namespace)
    random_weights(below / "drawn.safetensors", namespace["build"]())
    (below / "models.yaml").write_text(
        "Fixed: net.py:build\n"
        "Drawn, 4 channels:\n"
        "  model: net.py:build\n"
        "  weights: drawn.safetensors\n"
        "  mean: 0.5\n"
        "  std: [0.2, 0.2, 0.25]\n"
        "  input_size: [32, 24]\n"
        "  geometry: squash\n"
        "  model_args: {width: 4}\n"
        "Digits: digits_standard\n"
    )
    return below


def test_every_model_of_a_file_has_its_name_and_options(folder: Path) -> None:
    fixed, drawn, digits = read_models(folder / "models.yaml", trust_code=True)
    assert [request.name for request in (fixed, drawn, digits)] == ["Fixed", "Drawn, 4 channels", "Digits"]
    assert (drawn.weights, drawn.mean, drawn.std) == (folder / "drawn.safetensors", (0.5,), (0.2, 0.2, 0.25))
    assert (drawn.input_size, drawn.model_args) == ((32, 24), {"width": 4})
    alone = ModelRequest(
        name=f"{folder}/net.py:build", weights=drawn.weights, mean=(0.5,), std=(0.2, 0.2, 0.25), input_size=(32, 24),
        geometry="squash", model_args={"width": 4},
    )  # fmt: skip
    classifier, same = build_model.load(drawn), build_model.load(alone)
    assert classifier.name == "Drawn, 4 channels"
    assert classifier.digest == same.digest, "the name is not part of the identity"
    assert build_model.load(fixed).digest != classifier.digest


def test_a_run_of_a_file_shows_its_names_alone(folder: Path, tmp_path: Path) -> None:
    code, printed = command(
        *("--models", str(folder / "models.yaml"), "--trust-code", "--store", str(tmp_path / "store")), *RUN
    )
    assert code == 0, printed
    assert {cell.model for cell in Store(tmp_path / "store").cells().values()} == {
        *("Fixed", "Drawn, 4 channels", "Digits")
    }
    code, printed = command("plan", "--models", str(folder / "models.yaml"), "--trust-code", *RUN)
    assert code == 0
    assert "Drawn, 4 channels" in printed


def test_a_program_that_a_file_names_is_not_run_unasked(folder: Path) -> None:
    request, *_ = read_models(folder / "models.yaml")
    with pytest.raises(UsageError, match=r"models\.yaml would run .*net\.py.*nothing was run"):
        build_model.load(request)


def test_a_name_on_the_command_line_is_what_tables_show(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    models = ("--model", "digits_standard", "--name", "Plain", "--model", "digits_sat", "--name", "SAT [ours]")
    code, printed = command(*models, "--store", store, *RUN)
    assert code == 0
    assert "SAT [ours]" in printed
    assert {cell.model for cell in Store(store).cells().values()} == {"Plain", "SAT [ours]"}


def test_what_is_missing_comes_with_the_command_that_gives_it(tmp_path: Path) -> None:
    model = ("--model", "timm:lcnet_035", "--weights", str(tmp_path / "lost.pth"))
    code, printed = command(*model, "--name", "small one", *RUN)
    assert code == 2
    assert "--model timm:lcnet_035 --name 'small one' --weights FILE" in printed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "models.yaml: the file: Input should be a valid dictionary"),
        ("{}", "names no model"),
        ("- a\n- b\n", "valid dictionary"),
        ("A: [1, 2]\n", "A"),
        ("A: {weights: x.pth}\n", "A.*model: Field required"),
        ("A: {model: x, wieghts: y}\n", "wieghts: Extra inputs are not permitted"),
        ("A: {model: x, num_classes: 0}\n", "num_classes"),
        ("A: {model: x, input_size: [1, 2, 3]}\n", "A: input_size .* is not a height and a width"),
        ("A: {model: x, mean: 0.5}\n", "A: mean is given without std"),
        ("A: {model: x, mean: 123, std: 0.2}\n", "A: mean 123 and std 0.2 mix units"),
        ("A: {model: x, weights: 'http://host/x'}\n", "A: .* is sent unencrypted"),
        ("A: {model: x, trust_code: true}\n", "trust_code: Extra inputs"),
        ("'': digits_standard\n", "is empty"),
        ('"two\\nlines": digits_standard\n', "line break"),
        ("A: digits_standard\nA: digits_sat\n", "A.* is stated twice"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "models.yaml").write_text(text)
    with pytest.raises(UsageError, match=sentence) as refused:
        read_models(tmp_path / "models.yaml")
    assert "\n" not in refused.value.message or "line 1, column 1" in refused.value.message  # of the YAML parser


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "digits_sat", "--name", "a", "--name", "b"), "--name is given 2 times, and --model 1 times"),
        (("--model", "digits_sat", "--name", ""), "is empty"),
        (("--model", "digits_sat", "--name", "a", "--model", "digits_fast", "--name", "a"), "a would be the name of"),
        (("--models", "FILE", "--mean", "0.5", "--std", "0.5"), "--mean, --std would apply to the models of"),
        (("--models", "lost.yaml"), "lost.yaml"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "models.yaml").write_text("A: digits_standard\n")
    named = [str(tmp_path / "models.yaml") if word == "FILE" else word for word in words]
    code, printed = command(*named, *RUN, "--store", str(tmp_path / "store"))
    assert code == 2
    assert sentence in " ".join(printed.split())
    assert not (tmp_path / "store").exists()


def test_an_entry_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("Mine: timm:lcnet_035\n")
    (request,) = read_models(tmp_path / "models.yaml")
    with pytest.raises(ModelError, match="Mine"):
        build_model.check_outputs(
            build_model.load(ModelRequest(name="Mine", found_by="digits_sat")),
            ModelRequest(name=request.name, num_classes=3),
        )
