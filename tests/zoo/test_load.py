"""From names to classifiers: what loads, what is refused, in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from robustbench_eff import load_classifier
from robustbench_eff.classifier import Classifier
from robustbench_eff.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.zoo import aliases, load
from robustbench_eff.zoo.request import ModelRequest

USER_MODEL = """
import torch
class Net(torch.nn.Module):
    def __init__(self, width=4, classes=10):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.BatchNorm2d(width))
        self.head = torch.nn.Linear(width, classes)
    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))
def build(width=4, classes=10):
    return Net(width, classes)
def nothing():
    return 7
def raises():
    return {}["lost"]
class Two(torch.nn.Module):
    def forward(self, images, mask):
        return images
def two_inputs():
    return Two()
"""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, and nothing in its caches."""
    monkeypatch.setattr("robustbench_eff.hub.reachable", lambda host: False)
    monkeypatch.setattr("robustbench_eff.hub.cached_on_hugging_face", lambda repository, files: False)
    monkeypatch.setattr("robustbench_eff.hub.cached_by_torch", lambda url: False)


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "their_model.py"
    path.write_text(USER_MODEL)
    return path


def random_weights(path: Path, module: nn.Module) -> Path:
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path)
    return path


def test_there_are_218_published_aliases_and_each_resolves(offline) -> None:
    published = [alias for alias in aliases.aliases().values() if alias.source != "shipped"]
    assert len(published) == 218
    assert aliases.aliases()["effnet_b7_advprop"].target == "tf_efficientnet_b7.ap_in1k"
    for alias in published:
        (missing,) = load.missing(ModelRequest(name=alias.name))
        assert alias.name in missing.what
        assert missing.where.startswith("http")
        assert "--weights FILE" in missing.how


def test_every_timm_alias_is_a_timm_model_with_the_facts_we_state() -> None:
    for alias in aliases.aliases().values():
        if alias.source == "timm":
            config = timm.get_pretrained_cfg(alias.target)
            assert config is not None, alias.name
            assert config.hf_hub_id == alias.hub_id, alias.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sat_effnet_b0", "TensorFlow checkpoints"),
        ("debiased_resnet50", "SharePoint"),
        ("advtrain_effnet_b0", "download host"),
        ("cutmix_resnet50", "Dropbox"),
        ("rb_imagenet_linf_wong2020fast", "robustbench package"),
        ("effnet_b7_advprop", "hub cannot be reached"),
        ("alexnet", "download host cannot be reached"),
    ],
)
def test_missing_weights_say_why_and_where(offline, name: str, words: str) -> None:
    with pytest.raises(MissingInputs, match=words) as caught:
        load_classifier(name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("effnet_b7_advprob", "Did you mean 'effnet_b7_advprop'"),
        ("timm:resnet5", "Did you mean 'resnet50'"),
        ("timm:resnet50.nope", "timm has no weights 'resnet50.nope'"),
        ("torchvision:alexnett", "Did you mean 'alexnet'"),
        ("open_clip:ViT-B-33/openai", "no architecture"),
        ("open_clip:ViT-B-32/nope", "open_clip:ViT-B-32/TAG with"),
        ("open_clip:ViT-B-32/openai", "Use open_clip:ViT-B-32-quickgelu/openai"),
        ("no.such.module:build", "cannot be imported"),
    ],
)
def test_unknown_names_get_the_nearest(name: str, words: str) -> None:
    with pytest.raises((UsageError, ModelError), match=words):
        load_classifier(name)


def test_preprocessing_is_the_models_own_at_test_size(tmp_path: Path) -> None:
    weights = random_weights(tmp_path / "w.safetensors", timm.create_model("tf_efficientnet_b0"))
    advprop = load_classifier("effnet_b0_advprop", weights=weights)
    assert str(advprop.preprocessing) == ("short side 256, centre 224×224, bicubic; mean 0.5 0.5 0.5, std 0.5 0.5 0.5")
    assert load_classifier("effnet_b0", weights=weights).preprocessing.mean == (0.485, 0.456, 0.406)
    assert advprop.num_classes == 1000
    assert advprop.provenance.label_space == "imagenet"
    assert advprop.provenance.notes == ("weights from w.safetensors",)
    assert not any(module.training for module in advprop.modules())
    changed = load_classifier("effnet_b0", weights=weights, mean=[0.1], std=[0.2], input_size=64, geometry="squash")
    assert str(changed.preprocessing) == "squashed to 64×64, bicubic; mean 0.1 0.1 0.1, std 0.2 0.2 0.2"
    assert changed.digest == load_classifier("effnet_b0", weights=weights).digest


def test_the_test_input_size_is_used_where_it_differs(tmp_path: Path) -> None:
    weights = random_weights(tmp_path / "w.safetensors", timm.create_model("tf_efficientnetv2_b0"))
    found = load_classifier("effnetv2_b0", weights=weights)
    assert timm.get_pretrained_cfg("tf_efficientnetv2_b0.in1k").input_size == (3, 192, 192)
    assert found.preprocessing.geometry.size == 224


def test_torchvision_brings_its_own_transform(tmp_path: Path) -> None:
    import torchvision

    weights = random_weights(tmp_path / "w.safetensors", torchvision.models.shufflenet_v2_x1_0())
    found = load_classifier("shufflenet_v2_x1", weights=weights)
    assert str(found.preprocessing.geometry) == "short side 256, centre 224×224, bilinear"
    bare = load_classifier("torchvision:shufflenet_v2_x1_0", weights=weights)
    assert bare.num_classes == 1000


def test_debiased_checkpoints_lose_their_auxiliary_norms(tmp_path: Path) -> None:
    state = {f"module.{key}": value for key, value in timm.create_model("resnet50").state_dict().items()}
    state["module.bn1.aux_bn.weight"] = torch.ones(64)
    torch.save({"state_dict": state, "epoch": 3, "best_acc": 1.0}, tmp_path / "debiased.pth.tar")
    found = load_classifier("debiased_resnet50", weights=tmp_path / "debiased.pth.tar")
    assert str(found.preprocessing.geometry) == "short side 256, centre 224×224, bilinear"
    assert "1 entries dropped, such as module.bn1.aux_bn.weight" in found.provenance.notes
    assert "prefix 'module.' removed" in found.provenance.notes


def test_sat_needs_the_authors_batch_norm_epsilon(tmp_path: Path) -> None:
    weights = random_weights(tmp_path / "sat.safetensors", timm.create_model("tf_efficientnet_b0"))
    found = load_classifier("sat_effnet_b0", weights=weights)
    norms = [module for module in found.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-5}
    assert found.preprocessing.mean == (0.5, 0.5, 0.5)


def test_torchvision_models_get_what_their_weights_need(tmp_path: Path) -> None:
    import torchvision

    module = torchvision.models.googlenet(weights=None, init_weights=False)
    found = load_classifier("torchvision:googlenet", weights=random_weights(tmp_path / "g.safetensors", module))
    assert found.model.transform_input
    swag = torchvision.models.vit_b_16(weights=None, image_size=384)
    name = "torchvision:ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"
    found = load_classifier(name, weights=random_weights(tmp_path / "v.safetensors", swag))
    assert found.preprocessing.geometry.size == 384


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


def test_another_source_file_is_another_model(user_file: Path) -> None:
    torch.manual_seed(0)
    first = load_classifier(f"{user_file}:build", input_size=32)
    user_file.write_text(USER_MODEL + "\n# changed\n")
    torch.manual_seed(0)
    assert load_classifier(f"{user_file}:build", input_size=32).digest != first.digest


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("buidl", {}, "has no 'buidl'.\nDid you mean 'build'"),
        ("nothing", {}, "returned a int, not a torch.nn.Module"),
        ("build", {"model_args": {"depth": 3}}, "cannot be called with"),
        ("build", {"num_classes": 1000}, "has 10 outputs, not the 1000"),
        ("build", {"mean": [1, 2]}, "one value or three"),
        ("build", {"std": [0]}, "std must be > 0"),
        ("build", {"model_args": {"classes": 1}}, "has one output"),
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


def test_a_change_in_an_imported_file_is_another_model(tmp_path: Path) -> None:
    script = (
        "import sys, torch; sys.path.insert(0, '.'); torch.manual_seed(0)\n"
        "from robustbench_eff import load_classifier\n"
        "print(load_classifier('net.py:build', input_size=32).digest)\n"
    )
    (tmp_path / "net.py").write_text("import neighbour\n" + USER_MODEL)
    digests = []
    for line in ("SIGN = 1\n", "SIGN = 1\n", "SIGN = -1\n"):
        (tmp_path / "neighbour.py").write_text(line)
        answer = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        digests.append(answer.stdout)
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


class Opaque:
    """Something that only unpickling could restore."""


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
        (lambda state: {"weights": state}, "has no state_dict under"),
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


def test_open_clip_builds_a_zero_shot_head(tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    model = open_clip.create_model("RN50-quickgelu", pretrained=None).eval()
    weights = random_weights(tmp_path / "clip.safetensors", model)
    names, templates = ["cat", "dog", "tree"], ["a photo of a {}.", "a drawing of a {}."]
    (tmp_path / "names.txt").write_text("\n".join(names))
    (tmp_path / "templates.txt").write_text("\n".join(templates))
    arguments = {"class_names": str(tmp_path / "names.txt"), "templates": str(tmp_path / "templates.txt")}
    built = load_classifier("clip_rn50", weights=weights, model_args=arguments)
    assert built.num_classes == 3
    assert built.provenance.label_space == "custom"
    assert str(built.preprocessing.geometry) == "short side 224, centre 224×224, bicubic"
    assert built.preprocessing.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokenizer = open_clip.get_tokenizer("RN50-quickgelu")
        columns = []
        for name in names:
            texts = [template.replace("{}", name) for template in templates]
            features = model.encode_text(tokenizer(texts), normalize=True).mean(0)
            columns.append(features / features.norm())
        expected = model.logit_scale.exp() * model.encode_image(images, normalize=True) @ torch.stack(columns, 1)
        assert torch.allclose(built.model(images), expected, atol=1e-4)
    again = load_classifier("clip_rn50", weights=weights, model_args=arguments)
    assert again.digest == built.digest


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UsageError, match=r"open_clip is not installed.\nInstall it with: pip install .*\[clip\]"):
        load_classifier("clip_vit_b32")
