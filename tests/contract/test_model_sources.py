"""Every model source passes the battery, the battery can fail, and other packages can add sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from torch import nn

from model_examples import SOURCES, Net, model_example
from robustbench_eff import load_classifier
from robustbench_eff.core.errors import Missing, ModelError, UsageError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.models.request import LoadedModule, ModelRequest
from robustbench_eff.registry import build_model, plugins
from robustbench_eff.registry.model_sources import MODEL_SOURCES
from robustbench_eff.testing import MODEL_SOURCE_CHECKS, ModelExample


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelExample]:
    """The example of a source, with its files in a temporary folder."""
    folder = tmp_path_factory.mktemp("models")

    return lambda name: model_example(name, folder)


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
    target = model_example("trained", tmp_path).target
    assert build_model.expected_label_space(ModelRequest(name=target)) == "digits"
    card = json.loads((Path(target) / "model.json").read_text())
    (Path(target) / "model.json").write_text(json.dumps({**card, "label_space": "mine"}))
    assert build_model.expected_label_space(ModelRequest(name=target)) == "mine"
    (Path(target) / "model.safetensors").unlink()
    assert build_model.expected_label_space(ModelRequest(name=target)) == "imagenet"
