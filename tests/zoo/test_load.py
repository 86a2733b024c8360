"""From names to classifiers: what loads, what is refused, in which words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from robustbench_eff import load_classifier
from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.models import aliases
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_model
from small_models import random_weights


def test_there_are_431_aliases_of_libraries_and_checkpoints_and_each_resolves(offline) -> None:
    published = [alias for alias in aliases.aliases().values() if alias.source not in ("shipped", "robustbench")]
    assert len(published) == 431
    assert aliases.aliases()["effnet_b7_advprop"].target == "tf_efficientnet_b7.ap_in1k"
    for alias in published:
        (missing,) = build_model.missing(ModelRequest(name=alias.name))
        assert alias.name in missing.what
        assert missing.where.startswith("http")
        assert ("hf download" if "hf-hub:" in alias.target or alias.source == "hf" else "--weights FILE") in missing.how


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
        ("advtrain_effnet_b0", "unencrypted"),
        ("cutmix_resnet50", "Dropbox"),
        ("dqa", "its authors have published no weights"),
        ("rb_imagenet_linf_wong2020fast", "no file models/imagenet/Linf/Wong2020Fast.pt"),
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
        ("timm:resnet50.nope", "timm does not have weights 'resnet50.nope'"),
        ("torchvision:alexnett", "Did you mean 'alexnet'"),
        ("open_clip:ViT-B-33/openai", "does not have an architecture"),
        ("open_clip:ViT-B-32/nope", "open_clip:ViT-B-32/TAG with"),
        ("open_clip:ViT-B-32/openai", "Use open_clip:ViT-B-32-quickgelu/openai"),
        ("no.such.module:build", "cannot be imported"),
        ("https://huggingface.co/google/vit-base-patch16-224", "is an address, not the name of a model"),
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


@pytest.mark.slow
def test_torchvision_models_get_what_their_weights_need(tmp_path: Path) -> None:
    import torchvision

    module = torchvision.models.googlenet(weights=None, init_weights=False)
    found = load_classifier("torchvision:googlenet", weights=random_weights(tmp_path / "g.safetensors", module))
    assert found.model.transform_input
    swag = torchvision.models.vit_b_16(weights=None, image_size=384)
    name = "torchvision:ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"
    found = load_classifier(name, weights=random_weights(tmp_path / "v.safetensors", swag))
    assert found.preprocessing.geometry.size == 384


@pytest.mark.slow
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
    expected = build_model.expected_label_space(ModelRequest(name="clip_rn50", weights=weights, model_args=arguments))
    assert expected == "custom"
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
