"""A file that is named as a model: what it holds, and an option that works when followed; nothing of it is run."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from robustbench_eff.core.errors import UsageError
from robustbench_eff.models.known_architectures import architectures, build, digest_of, fitting, table
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_model
from robustbench_eff.registry.load_classifier import load_classifier

NAME = "mobilenetv3_small_050"


def refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        build_model.missing(ModelRequest(name=str(path)))
    assert caught.value.exit_code == 2
    return caught.value


@functools.cache
def state(num_classes: int = 7) -> dict[str, torch.Tensor]:
    return timm.create_model(NAME, num_classes=num_classes).state_dict()


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in state().items()}


@pytest.mark.parametrize(
    "content",
    {
        "plain": lambda: state(),
        "DataParallel": lambda: prefixed("module."),
        "compiled and parallel": lambda: prefixed("module._orig_mod."),
        "a training": lambda: {
            "epoch": 3,
            "optimizer": {"state": {}},
            "state_dict": state(),
            "state_dict_ema": state(),
        },
        "averaged weights alone": lambda: {"epoch": 3, "model_ema": state()},
        "without counters": lambda: {key: value for key, value in state().items() if "num_batches" not in key},
    }.values(),
)
def test_weights_of_a_known_architecture_give_a_command_that_works(
    content: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    torch.save(content(), tmp_path / "best.pth")
    error = refused(tmp_path / "best.pth")
    assert "holds weights, not a network: " in error.message
    assert "a last layer of 7 outputs; images of 3 channels" in error.message
    assert f"timm:{NAME}" in error.message
    words = shlex.split(error.hint.splitlines()[0].removeprefix("Write "))
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options.keys() == {"--model", "--weights", "--num-classes"}
    classifier = load_classifier(
        options["--model"], weights=options["--weights"], num_classes=int(options["--num-classes"]), input_size=64
    )
    assert classifier.num_classes == 7


def test_safetensors_are_in_another_order(tmp_path: Path) -> None:
    save_file(state(), tmp_path / "model.safetensors")
    error = refused(tmp_path / "model.safetensors")
    assert f"Write --model timm:{NAME} --weights {tmp_path / 'model.safetensors'} --num-classes 7" in error.hint


def test_an_own_network_needs_its_file(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 12))
    torch.save(net.state_dict(), tmp_path / "own.pt")
    error = refused(tmp_path / "own.pt")
    assert "4 tensors, 100 numbers; a last layer of 12 outputs; images of 1 channels." in error.message
    assert "No network of timm or torchvision has tensors of these names and shapes (0, 3)." in error.message
    assert error.hint == f"Name the file that defines the network: --model FILE.py --weights {tmp_path / 'own.pt'}"


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('it ran')",)


class Net(nn.Sequential):
    """A network that is pickled whole."""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: Net(nn.Conv2d(3, 4, 3)), ("is a whole network in a pickle", "test_lone_files.Net")),
        (lambda: {"state_dict": state(), "args": Bomb()}, ("more than tensors", "nothing was read")),
        (lambda: {"optimizer": {"state": {}}, "epoch": 3}, ("does not contain a state_dict", "optimizer, epoch")),
        (dict, ("holds an empty dictionary",)),
        (lambda: [torch.ones(3)], ("holds a list",)),
    ],
)
def test_what_is_no_state_dict_is_said_and_not_run(
    content: Callable[[], Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    torch.save(content(), tmp_path / "model.pt")
    error = refused(tmp_path / "model.pt")
    assert all(word in error.message for word in words)


def test_a_whole_network_is_evaluated_once_it_is_trusted(tmp_path: Path) -> None:
    source = "from torch import nn\nclass Tiny(nn.Sequential):\n    def __init__(self):\n"
    source += "        super().__init__(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))\n"
    (tmp_path / "tiny_net.py").write_text(source, encoding="utf-8")
    script = "import torch, tiny_net; torch.save(tiny_net.Tiny(), 'whole.pt')"
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    hint = refused(tmp_path / "whole.pt").hint
    assert f"--model FILE.py --weights {tmp_path / 'whole.pt'} --trust-checkpoint" in hint
    classifier = load_classifier(
        str(tmp_path / "tiny_net.py"), weights=tmp_path / "whole.pt", trust_checkpoint=True, input_size=8
    )
    assert classifier.num_classes == 5


def test_programs_and_other_kinds_are_named(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()).eval()
    torch.jit.script(net).save(str(tmp_path / "scripted.pt"))
    assert refused(tmp_path / "scripted.pt").hint == f"Write --model torchscript:{tmp_path / 'scripted.pt'}"
    torch.export.save(torch.export.export(net, (torch.rand(2, 3, 8, 8),)), tmp_path / "program.pt2")
    assert refused(tmp_path / "program.pt2").hint == f"Write --model exported:{tmp_path / 'program.pt2'}"
    for name, hint in {
        "net.onnx": "Write --model onnx:",
        "net.onnx.gz": "Write --model onnx:",
        "net.tflite": "Write --model tflite:",
        "train.ipynb": "then --model train.py",
    }.items():
        (tmp_path / name).write_bytes(b"\0" * 64)
        assert hint in refused(tmp_path / name).hint
    (tmp_path / "photo.pt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    assert "is a PNG image" in refused(tmp_path / "photo.pt").message
    (tmp_path / "empty.pth").touch()
    assert "is empty" in refused(tmp_path / "empty.pth").message


def test_a_path_without_a_file_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model_best.pth").touch()
    error = refused(tmp_path / "model_bset.pth")
    assert "nothing is there" in error.message
    assert "Did you mean 'model_best.pth'?" in error.hint
    assert "does not exist" in refused(tmp_path / "absent" / "model.pt").hint
    assert f"Name a file in it: {tmp_path / 'model_best.pth'}." in refused(tmp_path).hint


@pytest.mark.parametrize(
    "name", [f"timm:{NAME}", "timm:vit_tiny_patch16_224", "torchvision:vgg11", "torchvision:vit_b_16"]
)
def test_the_table_is_that_of_the_libraries(name: str) -> None:
    module = build(name)
    assert name in table()[digest_of(module.state_dict())]
    assert next(fit for fit in fitting(module.state_dict()) if fit.name == name).num_classes is None


def test_the_table_has_every_architecture() -> None:
    from torchvision import models

    ours = set(architectures())
    names = [f"timm:{name}" for name in timm.list_models()]
    names += [f"torchvision:{name}" for name in models.list_models(module=models)]
    missing = [name for name in names if name not in ours]
    assert len(missing) < 0.1 * len(names), f"run scripts/render_architectures.py: {missing[:9]}"


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("mobilenetv2_100", "timm:mobilenetv2_100?"),
        ("densenet121", "timm:densenet121 or torchvision:densenet121?"),
        ("resnet50.a1_in1k", "timm:resnet50.a1_in1k?"),
        ("ResNet50_Weights.IMAGENET1K_V2", "torchvision:ResNet50_Weights.IMAGENET1K_V2?"),
        ("vit_b_16", "torchvision:vit_b_16?"),
        ("google/vit-base-patch16-224", "hf:google/vit-base-patch16-224?"),
        ("Carmon2019Unlabeled", "robustbench:Carmon2019Unlabeled?"),
        ("carmon2019unlabelled", "robustbench:Carmon2019Unlabeled"),
        ("ViT-B-16-quickgelu/openai", "open_clip:ViT-B-16-quickgelu/openai?"),
        ("mobilenetv2-100", "timm:mobilenetv2_100"),
        ("mobilnetv2_100", "timm:mobilenetv2_100"),
        ("digits_standrad", "digits_standard"),
    ],
)
def test_a_name_without_its_source_is_answered_with_it(name: str, offered: str) -> None:
    with pytest.raises(UsageError, match="Unknown model") as caught:
        build_model.missing(ModelRequest(name=name))
    question = caught.value.hint.splitlines()[0]
    assert question.startswith("Did you mean ")
    assert offered in question


@pytest.mark.parametrize("name", [f"timm:{NAME}", "torchvision:mobilenet_v3_small"])
def test_the_number_of_classes_is_that_of_the_weights(name: str, tmp_path: Path) -> None:
    library, _, architecture = name.partition(":")
    network = timm.create_model(architecture, num_classes=7) if library == "timm" else None
    if network is None:
        from torchvision import models

        network = models.get_model(architecture, num_classes=7)
    torch.save(network.state_dict(), tmp_path / "seven.pth")
    classifier = load_classifier(name, weights=tmp_path / "seven.pth", input_size=64)
    assert classifier.num_classes == 7
    assert classifier.provenance.label_space == "custom"
    assert "assumed: 7 classes, the outputs of the last layer in seven.pth" in "\n".join(classifier.provenance.notes)
