"""The user's own modules and weights files: what they need, what makes them other models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from robustbench_eff import load_classifier
from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.models.classifier import Classifier
from small_models import USER_MODEL


def test_a_users_file_works_like_any_other_model(user_file: Path, tmp_path: Path) -> None:
    plain = load_classifier(f"{user_file}:build", input_size=32)
    assert plain.num_classes == 10
    assert plain.preprocessing.geometry.mode == "none"
    wide = load_classifier(f"{user_file}:build", input_size=32, model_args={"width": 6, "classes": 7})
    assert wide.num_classes == 7
    state = {"net": {f"module.{key}": value for key, value in plain.model.state_dict().items()}, "epoch": 1}
    torch.save(state, tmp_path / "theirs.pth")
    again = load_classifier(f"{user_file}:build", input_size=32, weights=tmp_path / "theirs.pth")
    assert again.digest == plain.digest
    assert again.provenance.notes[:3] == (
        "weights from theirs.pth",
        "entry 'net' (others left: epoch)",
        "prefix 'module.' removed",
    )


def test_other_code_is_another_model_and_a_comment_is_not(user_file: Path) -> None:
    sources = (USER_MODEL, USER_MODEL + "\n# a comment\n", USER_MODEL.replace(".mean((2, 3))", ".amax((2, 3))"))
    digests = []
    for source in sources:
        user_file.write_text(source)
        digests.append(load_classifier(f"{user_file}:build", input_size=32).digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("buidl", {}, "does not define 'buidl'.\nDid you mean 'build'"),
        ("nothing", {}, "returned a int, not a torch.nn.Module"),
        ("build", {"model_args": {"depth": 3}}, "cannot be called with"),
        ("build", {"num_classes": 1000}, "has 10 outputs, not the 1000"),
        ("build", {"mean": [0.1, 0.2], "std": [1]}, "one value or three"),
        ("build", {"mean": [0], "std": [0]}, "std must be > 0"),
        ("raises", {}, "KeyError: 'lost'"),
        ("two_inputs", {}, "Its forward must take the images alone"),
    ],
)
def test_a_bad_factory_is_refused(user_file: Path, name: str, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_classifier(f"{user_file}:{name}", input_size=32, **options)


def test_a_file_may_import_its_neighbours_and_be_called_anything(tmp_path: Path) -> None:
    import copy

    (tmp_path / "robust_eval_neighbour.py").write_text("CLASSES = 4\n")
    source = "from robust_eval_neighbour import CLASSES\n" + USER_MODEL.replace("classes=10", "classes=CLASSES")
    (tmp_path / "copy.py").write_text(source)
    assert load_classifier(f"{tmp_path}/copy.py:build", input_size=32).num_classes == 4
    assert sys.modules["copy"] is copy


def test_the_file_that_builds_a_model_is_part_of_it_and_what_is_no_python_is_left_unread(tmp_path: Path) -> None:
    (tmp_path / "networks_of_mine.py").write_text(USER_MODEL)
    (tmp_path / "broken_of_mine.py").write_text("def (:")
    entry = tmp_path / "entry.py"
    text = (
        "try:\n    from ..above import nothing\nexcept ImportError:\n    pass\n"
        "try:\n    import broken_of_mine\nexcept SyntaxError:\n    pass\n"
        "from networks_of_mine import Net\n"
        "def build():\n    net = Net()\n    net.register_forward_hook(lambda module, images, logits: logits * {})\n"
        "    return net\n"
    )
    digests = []
    for factor in (1, 1, 2):
        entry.write_text(text.format(factor))
        torch.manual_seed(0)
        digests.append(load_classifier(f"{entry}:build", input_size=32).digest)
    assert digests[0] == digests[1] != digests[2]


def test_structure_and_plain_attributes_are_part_of_the_identity() -> None:
    def digest(activation: nn.Module, slope: float) -> str:
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), activation, nn.Linear(4, 2)).eval()
        module.slope = slope
        return load_classifier(module, input_size=2).digest

    assert digest(nn.ReLU(), 1.0) == digest(nn.ReLU(), 1.0)
    assert len({digest(nn.ReLU(), 1.0), digest(nn.Tanh(), 1.0), digest(nn.ReLU(), 2.0)}) == 3


def test_missing_files_are_missing_inputs(user_file: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputs, match=r"no\.safetensors"):
        load_classifier(f"{user_file}:build", weights=tmp_path / "no.safetensors")
    with pytest.raises(MissingInputs, match=r"model file .*absent\.py"):
        load_classifier(f"{tmp_path}/absent.py:build")


def test_a_file_that_needs_unpickling_is_refused_unless_trusted(user_file: Path, tmp_path: Path) -> None:
    state = load_classifier(f"{user_file}:build", input_size=32).model.state_dict()
    torch.save({"state_dict": state, "args": subprocess.CompletedProcess([], 0)}, tmp_path / "unsafe.pth")
    with pytest.raises(ModelError, match=r"refused: reading it would run code[\s\S]*--trust-checkpoint"):
        load_classifier(f"{user_file}:build", input_size=32, weights=tmp_path / "unsafe.pth")
    trusted = load_classifier(
        f"{user_file}:build", input_size=32, weights=tmp_path / "unsafe.pth", trust_checkpoint=True
    )
    assert isinstance(trusted, Classifier)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda state: {**state, "extra": torch.ones(1)}, "1 unexpected, such as extra"),
        (lambda state: {key: state[key] for key in list(state)[1:]}, "1 missing, such as body.0.weight"),
        (lambda state: {**state, "head.weight": torch.ones(3, 4)}, "1 of another shape"),
        (lambda state: {"weights": state}, "does not contain a state_dict under"),
        (lambda state: [1, 2], "holds a list"),
    ],
)
def test_weights_that_do_not_fit_are_refused(user_file: Path, tmp_path: Path, content, words: str) -> None:
    state = dict(load_classifier(f"{user_file}:build", input_size=32).model.state_dict())
    torch.save(content(state), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=words):
        load_classifier(f"{user_file}:build", input_size=32, weights=tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_file_that_is_no_checkpoint_is_refused(user_file: Path, tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"w.{suffix}").write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelError, match=r"not a safetensors file|cannot be read|is refused"):
        load_classifier(f"{user_file}:build", input_size=32, weights=tmp_path / f"w.{suffix}")


def test_a_module_of_the_user_must_be_in_eval_mode() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    with pytest.raises(ModelError, match="train mode"):
        load_classifier(module, input_size=32)
    assert load_classifier(module.eval(), input_size=32).num_classes == 10
