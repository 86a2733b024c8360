"""`torchscript:FILE` and `exported:FILE`: programs with gradients, run only if the user names or trusts them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from robustbench_eff import load_classifier
from robustbench_eff.attacks.pgd import PGD
from robustbench_eff.core.errors import ModelError, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_model

IMAGES = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()


def save(network: nn.Module, folder: Path, form: str) -> str:
    file = folder / "network"
    if form == "torchscript":
        torch.jit.save(torch.jit.script(network), file)
        return f"torchscript:{file}"
    shapes = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if form == "any batch" else {}
    program = torch.export.export(network, (torch.zeros(4, 3, 8, 8),), **shapes)
    torch.export.save(program, file.with_suffix(".pt2"))
    return f"exported:{file}.pt2"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["torchscript", "any batch", "batches of four"])
def test_programs_answer_and_have_gradients(form: str, network: nn.Module, tmp_path: Path) -> None:
    name = save(network, tmp_path, form)
    size = {"input_size": 8} if form == "torchscript" else {}  # the others state it
    model = load_classifier(name, device="cpu", **size)
    for count in (1, 4, 5):
        assert torch.allclose(model(IMAGES[:count]), network(IMAGES[:count]), atol=1e-6)
    assert load_classifier(name, device="cpu", **size).digest == model.digest
    labels = network(IMAGES).argmax(1)
    attack = PGD(eps=0.3, steps=5)
    assert torch.equal(attack(model, IMAGES, labels), attack(load_classifier(network, input_size=8), IMAGES, labels))


@pytest.mark.parametrize("prefix", ["torchscript", "exported"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"text"])
def test_other_files_are_refused_in_a_sentence(prefix: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "network").write_bytes(content)
    with pytest.raises(ModelError, match=r"is not a file of (TorchScript|torch\.export), or is damaged") as refused:
        load_classifier(f"{prefix}:{tmp_path}/network", device="cpu")
    assert "\n" not in refused.value.message


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    """A PyTorch file that is no program holds a pickle; loading it as a program must not run that."""

    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    torch.save(Bomb(), tmp_path / "network")
    for prefix in ("torchscript", "exported"):
        with pytest.raises(ModelError, match="is not a file of"):
            load_classifier(f"{prefix}:{tmp_path}/network", device="cpu")
    assert not (tmp_path / "exploded").exists()


def test_a_program_that_a_suite_names_needs_trust(network: nn.Module, tmp_path: Path) -> None:
    name = save(network, tmp_path, "torchscript")
    request = ModelRequest(name=name, input_size=8, named_in="Suite theirs.yaml")
    for step in (build_model.missing, build_model.load):
        with pytest.raises(UsageError, match=r"Suite theirs\.yaml would load and run the program .*nothing was run"):
            step(request)
    trusted = ModelRequest(name=name, input_size=8, named_in="Suite theirs.yaml", trust_code=True)
    assert build_model.load(trusted).num_classes == 5
