"""Every model source passes the battery, the battery can fail, and other packages can add sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn

from robustbench_eff import load_classifier
from robustbench_eff.core.errors import Missing, ModelError, UsageError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.models.aliases import checkpoints
from robustbench_eff.models.request import LoadedModule, ModelRequest
from robustbench_eff.models.robustbench_table import find_entry
from robustbench_eff.models.source import ModelSource
from robustbench_eff.models.sources.robustbench_models import build_network
from robustbench_eff.registry import build_model, plugins
from robustbench_eff.registry.model_sources import MODEL_SOURCES, UNPREFIXED_SOURCES
from robustbench_eff.testing import MODEL_SOURCE_CHECKS, ModelExample
from small_models import USER_MODEL, random_weights, save_small_vit
from small_onnx import small_onnx
from small_tflite import small_tflite

SOURCES = {**MODEL_SOURCES, **UNPREFIXED_SOURCES}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelExample]:
    """The example of a source, with its files in a temporary folder."""
    folder = tmp_path_factory.mktemp("models")

    def example(name: str) -> ModelExample:
        source: ModelSource = SOURCES[name].load()
        target, weights, options = globals()[f"_{name}"](folder)
        prefix = "" if name in UNPREFIXED_SOURCES else f"{name}:"
        return ModelExample(source, target, ModelRequest(name=prefix + target, weights=weights, **options))

    return example


def _weights(path: Path, module: nn.Module) -> Path:
    return path if path.is_file() else random_weights(path, module)


def _timm(folder: Path) -> tuple[str, Path, dict]:
    return "lcnet_035", _weights(folder / "timm.safetensors", timm.create_model("lcnet_035")), {"input_size": 64}


def _torchvision(folder: Path) -> tuple[str, Path, dict]:
    module = torchvision.models.shufflenet_v2_x0_5()
    return "shufflenet_v2_x0_5", _weights(folder / "torchvision.safetensors", module), {"input_size": 64}


def _open_clip(folder: Path) -> tuple[str, Path, dict]:
    open_clip = pytest.importorskip("open_clip")
    path = folder / "clip.safetensors"
    if not path.is_file():
        random_weights(path, open_clip.create_model("RN50-quickgelu", pretrained=None))
    (folder / "templates.txt").write_text("a {}\n")
    return "RN50-quickgelu/openai", path, {"model_args": {"templates": str(folder / "templates.txt")}}


def _published(folder: Path) -> tuple[str, Path, dict]:
    module = timm.create_model("tf_efficientnet_b0")
    return "sat_effnet_b0", _weights(folder / "sat.safetensors", module), {"input_size": 64}


def _robustbench(folder: Path) -> tuple[str, Path, dict]:
    target = "cifar10/corruptions/Hendrycks2020AugMix_WRN"
    return target, _weights(folder / "robustbench.safetensors", build_network(find_entry(target))), {}


def _checkpoint(folder: Path) -> tuple[str, Path, dict]:
    module = torchvision.models.shufflenet_v2_x1_0()
    return "salman2020_shufflenet_l2_eps3", _weights(folder / "checkpoint.safetensors", module), {"input_size": 64}


def _ensemble(_: Path) -> tuple[str, None, dict]:
    return "digits_standard+digits_advprop", None, {}


def _hf(folder: Path) -> tuple[str, None, dict]:
    if not (folder / "vit").is_dir():
        save_small_vit(folder / "vit")
    return str(folder / "vit"), None, {}


def _onnx(folder: Path) -> tuple[str, None, dict]:
    (folder / "small.onnx").write_bytes(small_onnx().SerializeToString())
    return str(folder / "small.onnx"), None, {}


def _tflite(folder: Path) -> tuple[str, None, dict]:
    (folder / "small.tflite").write_bytes(small_tflite())
    return str(folder / "small.tflite"), None, {}


def _torchscript(folder: Path) -> tuple[str, None, dict]:
    torch.jit.save(torch.jit.script(Net(3).eval()), folder / "small.pt")
    return str(folder / "small.pt"), None, {"input_size": 8}


def _exported(folder: Path) -> tuple[str, None, dict]:
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(Net(3).eval(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=shapes), folder / "small.pt2"
    )
    return str(folder / "small.pt2"), None, {}


def _shipped(_: Path) -> tuple[str, None, dict]:
    return "digits_standard", None, {}


def _trained(folder: Path) -> tuple[str, None, dict]:
    training = folder / "mine"
    training.mkdir(exist_ok=True)
    for suffix, name in ((".json", "model.json"), (".safetensors", "model.safetensors")):
        (training / name).write_bytes((checkpoints() / f"digits_standard{suffix}").read_bytes())
    return str(training), None, {}


def _user(folder: Path) -> tuple[str, Path, dict]:
    path = folder / "their_network.py"
    path.write_text(USER_MODEL)
    namespace: dict = {}
    exec(USER_MODEL, namespace)
    return f"{path}:build", _weights(folder / "user.safetensors", namespace["build"]()), {"input_size": 32}


@pytest.mark.parametrize("check", MODEL_SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [name for name in SOURCES if name != "open_clip"])
def test_every_source_keeps_the_contract(
    examples: Callable[[str], ModelExample], name: str, check: Callable[[ModelExample], None]
) -> None:
    check(examples(name))


BUILDING = {
    "builds_a_classifier",
    "builds_the_same_model_again",
    "expects_the_label_space_it_has",
    "honors_the_users_preprocessing",
}
"""Checks that take minutes with CLIP; tests/zoo/test_load.py builds it once."""


def test_open_clip_keeps_the_contract(examples: Callable[[str], ModelExample]) -> None:
    example = examples("open_clip")
    checks = {check.__name__: check for check in MODEL_SOURCE_CHECKS}
    for name in checks.keys() - BUILDING:
        checks[name](example)


class Net(nn.Module):
    """Mean color times a fixed matrix."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(3, classes)
        with torch.no_grad():
            self.head.weight.copy_(torch.arange(3 * classes).reshape(classes, 3) / 10)
            self.head.bias.zero_()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.mean((2, 3)))


@dataclass(frozen=True, slots=True)
class VendorModels:
    """A source as another package would write it; `deed` breaks one part of the contract."""

    deed: str = ""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        if self.deed == "missing":
            return [Missing("weights", "nowhere", "--weights FILE")]
        if self.deed != "target" and not target.isdigit():
            raise ModelError(f"{target!r} is not a number of classes.")
        return [] if self.deed == "file" else request.missing_weights_file()

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        module = SHARED if self.deed == "shared" else Net(int(target) if target.isdigit() else 3)
        if self.deed == "random":
            nn.init.normal_(module.head.weight)
        preprocessing = Preprocessing(geometry=Geometry(size=8))
        return LoadedModule(
            module=module.train(self.deed == "train"),
            preprocessing=preprocessing if self.deed == "preprocessing" else request.adapt(preprocessing, 1.0),
            source=f"vendor/net:{target}",
            label_space="imagenet" if self.deed == "space" else "custom",
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        return "custom"


class Nothing:
    pass


SHARED = Net(3)
VENDOR = VendorModels()


def vendor_example(source: object) -> ModelExample:
    return ModelExample(source, "3", ModelRequest(name="vendor/net:3"))  # type: ignore[arg-type]


@pytest.mark.parametrize("check", MODEL_SOURCE_CHECKS, ids=lambda check: check.__name__)
def test_a_vendors_source_keeps_the_contract(check: Callable[[ModelExample], None]) -> None:
    check(vendor_example(VENDOR))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (Nothing(), "implements_the_protocol"),
        (Nothing(), "is_immutable_and_portable"),
        (VendorModels("missing"), "finds_nothing_missing"),
        (VendorModels("file"), "reports_a_missing_weights_file"),
        (VendorModels("target"), "refuses_an_unknown_target"),
        (VendorModels("train"), "builds_a_classifier"),
        (VendorModels("space"), "expects_the_label_space_it_has"),
        (VendorModels("random"), "builds_the_same_model_again"),
        (VendorModels("shared"), "builds_the_same_model_again"),
        (VendorModels("preprocessing"), "honors_the_users_preprocessing"),
    ],
)
def test_a_broken_source_fails(source: object, name: str) -> None:
    (check,) = [check for check in MODEL_SOURCE_CHECKS if check.__name__ == name]
    with pytest.raises((AssertionError, ModelError)):
        check(vendor_example(source))


def test_every_check_can_fail() -> None:
    cases = next(mark for mark in test_a_broken_source_fails.pytestmark if mark.name == "parametrize").args[1]
    assert {name for _, name in cases} == {check.__name__ for check in MODEL_SOURCE_CHECKS}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with the source `vendor/net`."""
    point = EntryPoint("vendor/net", f"{__name__}:VENDOR", MODEL_SOURCES.group)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == point.group else [])
    plugins.plugins.cache_clear()
    yield
    plugins.plugins.cache_clear()


def test_a_plugins_source_is_used_by_its_prefix(plugin: None) -> None:
    classifier = load_classifier("vendor/net:5")
    assert classifier.num_classes == 5
    assert classifier.provenance.source == "vendor/net:5"
    request = ModelRequest(name="vendor/net:5")
    assert build_model.missing(request) == []
    assert build_model.expected_label_space(request) == "custom"
    with pytest.raises(ModelError, match="'five' is not a number of classes"):
        load_classifier("vendor/net:five")


def test_without_the_plugin_such_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match="vendor/net is neither a Python file nor the name of a module"):
        load_classifier("vendor/net:5")


@pytest.mark.parametrize(
    ("name", "options", "space"),
    [
        ("digits_standard", {}, "digits"),
        ("timm:resnet50", {}, "imagenet"),
        ("timm:resnet50", {"num_classes": 7}, "custom"),
        ("sat_effnet_b0", {}, "imagenet"),
        ("alexnet", {}, "imagenet"),
        ("clip_vit_b32", {}, "imagenet"),
        ("net.py:build", {}, "custom"),
        ("net.py:build", {"num_classes": 1000}, "imagenet"),
    ],
)
def test_the_label_space_is_known_before_loading(name: str, options: dict, space: str) -> None:
    assert build_model.expected_label_space(replace(ModelRequest(name=name), **options)) == space


def test_the_folder_of_a_training_says_its_label_space_once_it_is_finished(tmp_path: Path) -> None:
    target, _, _ = _trained(tmp_path)
    assert build_model.expected_label_space(ModelRequest(name=target)) == "digits"
    card = json.loads((Path(target) / "model.json").read_text())
    (Path(target) / "model.json").write_text(json.dumps({**card, "label_space": "mine"}))
    assert build_model.expected_label_space(ModelRequest(name=target)) == "mine"
    (Path(target) / "model.safetensors").unlink()
    assert build_model.expected_label_space(ModelRequest(name=target)) == "imagenet"
