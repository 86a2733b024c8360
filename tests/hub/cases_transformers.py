"""`hf:ORG/NAME`: the library's own answers, its own preprocessing, and one sentence for whatever is no classifier."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image

from loopback_hub import LoopbackHub
from robustbench_eff import load_classifier
from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.core.resizing import crop

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def changed(folder: Path, to: Path, **entries: Any) -> Path:
    """A copy of a folder whose configuration has other entries."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text()) | entries
    (to / "config.json").write_text(json.dumps(config))
    return to


def own_logits(name: str, images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    from transformers import AutoModelForImageClassification

    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    with torch.no_grad():
        return AutoModelForImageClassification.from_pretrained(name).eval()((images - mean) / std).logits


def difference(processor: Any, preprocessing: Preprocessing, picture: Image.Image) -> np.ndarray:
    """How far our pixels are from a processor's, in levels of 255."""
    theirs = processor(picture, return_tensors="np")["pixel_values"][0].astype(np.float64)
    mean, std = (np.array(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    ours = crop(picture, preprocessing.geometry, "picture").transpose(2, 0, 1)
    return np.abs(ours - 255 * (theirs * std + mean))


def test_a_model_of_the_hub_answers_as_the_library_does(hub: LoopbackHub, vit: Path) -> None:
    commit = hub.add("org/vit", vit)
    found = load_classifier("hf:org/vit", device="cpu")
    expected = own_logits("org/vit", IMAGES, found.preprocessing)
    assert torch.allclose(found(IMAGES), expected, atol=1e-5)
    assert found.preprocessing.mean == (0.4, 0.5, 0.6)
    assert found.provenance.source == f"hf:org/vit@{commit}"
    assert found.class_names == ("ant", "bee", "cat", "dog", "eel")
    assert found.provenance.label_space == "custom"
    assert found.provenance.flags == ()


def test_a_revision_is_a_commit_in_the_source(hub: LoopbackHub, vit: Path, tmp_path: Path) -> None:
    other = changed(vit, tmp_path / "other")
    save_file(
        {key: value * 2 for key, value in load_file(vit / "model.safetensors").items()}, other / "model.safetensors"
    )
    first, second = hub.add("org/revised", vit, revision="v1"), hub.add("org/revised", other)
    old, by_commit, new = (load_classifier(f"hf:org/revised{at}", device="cpu") for at in ("@v1", f"@{first}", ""))
    assert old.provenance.source == by_commit.provenance.source == f"hf:org/revised@{first}"
    assert new.provenance.source == f"hf:org/revised@{second}"
    assert old.digest == by_commit.digest != new.digest


def test_a_folder_is_the_same_model_wherever_it_lies(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(vit, tmp_path / "a" / "vit")
    monkeypatch.chdir(tmp_path)
    digests = {load_classifier(f"hf:{path}", device="cpu").digest for path in (vit, "./a/vit")}
    assert len(digests) == 1
    with pytest.raises(ModelError, match=r"may be the folder here or the model of the hub.\nWrite hf:./a/vit for the"):
        load_classifier("hf:a/vit")
    with pytest.raises(MissingInputs, match="a folder that save_pretrained wrote"):
        load_classifier("hf:./nowhere")


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("ViTImageProcessor", {"size": {"height": 224, "width": 224}}, "squashed to 224×224, bilinear"),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 224}}, "short side 256, centre 224×224, bicubic"),
        ("DeiTImageProcessor", {}, "squashed to 256×256, centre 224×224, bicubic"),
        ("CLIPImageProcessor", {}, "short side 224, centre 224×224, bicubic"),
        ("LevitImageProcessor", {}, "short side 256, centre 224×224, bicubic"),
    ],
)
def test_the_pixels_are_those_of_the_processor_up_to_rounding(name: str, settings: dict, words: str) -> None:
    import transformers

    from robustbench_eff.models.image_processors import read_processor

    processor = getattr(transformers, name)(**settings)
    read = read_processor(processor, None, 3, name)
    assert str(read.preprocessing.geometry) == words
    picture = Image.fromarray(load_sample_image("china.jpg")).crop((0, 0, 640, 426))
    levels = difference(processor, read.preprocessing, picture)
    assert levels.mean() < 0.4
    assert levels.max() < 3


def test_an_odd_margin_is_halved_as_torchvision_does() -> None:
    """A quarter of all images: transformers cuts out the centre one pixel further to the left or the top."""
    from transformers import CLIPImageProcessor

    from robustbench_eff.models.image_processors import read_processor

    processor = CLIPImageProcessor(size={"shortest_edge": 235})
    read = read_processor(processor, None, 3, "odd")
    picture = Image.fromarray(load_sample_image("china.jpg"))
    ours = crop(picture, read.preprocessing.geometry, "picture").astype(np.float64)
    theirs = processor(picture, return_tensors="np", do_normalize=False)["pixel_values"][0].transpose(1, 2, 0) * 255
    assert np.abs(ours[:-1] - theirs[1:]).mean() < 0.4
    assert np.abs(ours - theirs).mean() > 3


@pytest.mark.parametrize(
    ("name", "settings", "mean", "std", "reverses"),
    [
        ("EfficientNetImageProcessor", {"image_std": [0.5] * 3}, (0.5,) * 3, (0.25,) * 3, False),
        (
            "EfficientNetImageProcessor",
            {"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False, "include_top": False},
            (0.5,) * 3,
            (0.5,) * 3,
            False,
        ),
        ("MobileViTImageProcessor", {"size": {"shortest_edge": 288}}, (0.0,) * 3, (1.0,) * 3, True),
        ("ViTImageProcessor", {"do_rescale": False, "do_normalize": False}, (0.0,) * 3, (1 / 255,) * 3, False),
    ],
)
def test_colors_are_measured(name: str, settings: dict, mean: tuple, std: tuple, reverses: bool) -> None:
    import transformers

    from robustbench_eff.models.image_processors import read_processor

    read = read_processor(getattr(transformers, name)(**settings), None, 3, name)
    assert read.preprocessing.mean == pytest.approx(mean, abs=1e-6)
    assert read.preprocessing.std == pytest.approx(std, rel=1e-4)
    assert read.reverses_channels == reverses


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("PerceiverImageProcessor", {}, "resizes in a way that is not known"),
        ("CLIPImageProcessor", {"do_center_crop": False}, "gives images of different sizes"),
        ("CLIPImageProcessor", {"size": {"shortest_edge": 200}}, "resizes in a way that is not known"),
        ("ViTImageProcessor", {"resample": 4}, "fails"),
        ("ViTImageProcessor", {"size": {"height": 90000, "width": 9}}, "has a size of 90000 pixels"),
        ("ViTImageProcessor", {"do_resize": False}, "gives images of different sizes"),
    ],
)
def test_a_processor_that_cannot_be_expressed_is_refused(name: str, settings: dict, words: str) -> None:
    import transformers

    from robustbench_eff.models.image_processors import read_processor

    with pytest.raises(ModelError, match=rf"{words}[^\n]*\nPass --input-size, --geometry, --mean and --std"):
        read_processor(getattr(transformers, name)(**settings), None, 3, "org/odd")


@pytest.mark.parametrize("other", ["bilinear", "lanczos", "nearest"])
def test_a_wrong_guess_of_the_filter_is_noticed(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    from transformers import SiglipImageProcessor

    from robustbench_eff.models import image_processors

    read = image_processors.read_processor(SiglipImageProcessor(), None, 3, "right")
    assert read.preprocessing.geometry.interpolation == "bicubic"
    monkeypatch.setattr(image_processors, "_METHODS", {3: other})
    with pytest.raises(ModelError, match="resizes in a way that is not known"):
        image_processors.read_processor(SiglipImageProcessor(), None, 3, "wrong")


def test_a_network_for_blue_green_red_gets_it(hub: LoopbackHub, vit: Path, tmp_path: Path) -> None:
    from transformers import MobileViTImageProcessor

    folder = changed(vit, tmp_path / "bgr")
    MobileViTImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    hub.add("org/bgr", folder)
    found = load_classifier("hf:org/bgr", device="cpu")
    assert torch.allclose(found(IMAGES), own_logits("org/bgr", IMAGES.flip(1), found.preprocessing), atol=1e-5)


def test_a_convolutional_network_in_half_precision_and_parts_is_computed_in_float32(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    from transformers import ConvNextImageProcessor, ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=3, layer_type="basic")
    network = ResNetForImageClassification(config).half()
    network.save_pretrained(tmp_path / "resnet", max_shard_size=4096)
    ConvNextImageProcessor(size={"shortest_edge": 32}).save_pretrained(tmp_path / "resnet")
    assert not (tmp_path / "resnet" / "model.safetensors").exists()
    hub.add("org/resnet", tmp_path / "resnet")
    found = load_classifier("hf:org/resnet", device="cpu")
    assert {values.dtype for values in found.model.parameters()} == {torch.float32}
    assert found.class_names == ()  # LABEL_0 is no name
    mean = std = 0.5
    with torch.no_grad():
        expected = network.float().eval()((IMAGES - mean) / std).logits
    assert torch.allclose(found(IMAGES), expected, atol=1e-5)


def test_the_background_of_1001_outputs_is_left_out(hub: LoopbackHub, vit: Path, tmp_path: Path) -> None:
    names = ["background", *(f"kind {index}" for index in range(1000))]
    folder = changed(
        vit, tmp_path / "b", id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)}
    )
    state = load_file(vit / "model.safetensors")
    state |= {"classifier.weight": torch.randn(1001, 16), "classifier.bias": torch.randn(1001)}
    save_file(state, folder / "model.safetensors")
    hub.add("org/background", folder)
    found = load_classifier("hf:org/background", device="cpu")
    assert (found.num_classes, found.provenance.label_space) == (1000, "imagenet")
    assert torch.allclose(found(IMAGES), own_logits("org/background", IMAGES, found.preprocessing)[:, 1:], atol=1e-5)
    assert "its first output, background, is left out" in found.provenance.notes


def with_state(vit: Path, folder: Path, drop: tuple[str, ...] = (), **entries: torch.Tensor) -> Path:
    shutil.copytree(vit, folder)
    state = {key: value for key, value in load_file(vit / "model.safetensors").items() if key not in drop}
    save_file(state | entries, folder / "model.safetensors")
    return folder


def test_every_tensor_is_accounted_for(vit: Path, tmp_path: Path) -> None:
    missing = with_state(vit, tmp_path / "missing", ("classifier.weight", "classifier.bias"))
    with pytest.raises(ModelError, match=r"nobody loaded 2 of \d+ parameters.*classifier.(weight|bias)"):
        load_classifier(f"hf:{missing}")
    no_bias = with_state(vit, tmp_path / "no_bias", ("classifier.bias",))  # which transformers would fill with zeros
    with pytest.raises(ModelError, match=r"nobody loaded 1 of \d+ parameters.*classifier.bias"):
        load_classifier(f"hf:{no_bias}")
    drawn = load_classifier(f"hf:{missing}", random_weights=True, device="cpu")
    assert drawn.provenance.flags == ("random weights: classifier.weight",)
    extra = with_state(vit, tmp_path / "extra", **{"distillation_classifier.weight": torch.ones(5, 16)})
    with pytest.raises(ModelError, match=r"1 unexpected, such as distillation_classifier.weight"):
        load_classifier(f"hf:{extra}")
    pooler = with_state(vit, tmp_path / "pooler", **{"vit.pooler.dense.bias": torch.ones(16)})
    assert any("pooler left out" in note for note in load_classifier(f"hf:{pooler}", device="cpu").provenance.notes)
    with pytest.raises(ModelError, match=r"has 5 outputs, not the 7 of --num-classes"):
        load_classifier(f"hf:{vit}", num_classes=7)
    not_finite = with_state(vit, tmp_path / "nan", **{"classifier.bias": torch.full((5,), torch.nan)})
    with pytest.raises(ModelError, match=r"classifier.bias of .* holds NaN"):
        load_classifier(f"hf:{not_finite}")


def test_a_file_of_weights_takes_the_place_of_the_models_own(vit: Path, tmp_path: Path) -> None:
    state = load_file(vit / "model.safetensors")
    save_file(
        state | {"classifier.weight": torch.randn(7, 16), "classifier.bias": torch.randn(7)}, tmp_path / "w.safetensors"
    )
    found = load_classifier(f"hf:{vit}", num_classes=7, weights=tmp_path / "w.safetensors", device="cpu")
    assert found.num_classes == 7
    assert found.provenance.source == "hf:vit(num_classes=7)"


def test_pickles_run_nothing(hub: LoopbackHub, vit: Path, tmp_path: Path) -> None:
    plain = changed(vit, tmp_path / "plain")
    torch.save(load_file(vit / "model.safetensors"), plain / "pytorch_model.bin")
    (plain / "model.safetensors").unlink()
    hub.add("org/pickled", plain)
    assert torch.equal(
        load_classifier("hf:org/pickled", device="cpu")(IMAGES), load_classifier(f"hf:{vit}", device="cpu")(IMAGES)
    )
    mark = tmp_path / "executed"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    hostile = changed(plain, tmp_path / "hostile")
    torch.save({"classifier.bias": Bomb()}, hostile / "pytorch_model.bin")
    hub.add("org/hostile", hostile)
    with pytest.raises(ModelError, match="--trust-checkpoint"):
        load_classifier("hf:org/hostile")
    (hostile / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError):
        load_classifier(f"hf:{hostile}")
    assert not mark.exists()


def test_programs_of_a_repository_run_for_those_who_trust_it(hub: LoopbackHub, vit: Path, tmp_path: Path) -> None:
    entries = {"AutoConfig": "own.OwnConfig", "AutoModelForImageClassification": "own.Own"}
    folder = changed(vit, tmp_path / "own", auto_map=entries, model_type="own", architectures=["Own"])
    mark = tmp_path / "executed"
    (folder / "own.py").write_text(
        "from transformers import ViTConfig, ViTForImageClassification\n"
        f"open({str(mark)!r}, 'w').close()\n"
        "class OwnConfig(ViTConfig):\n    model_type = 'own'\n"
        "class Own(ViTForImageClassification):\n    config_class = OwnConfig\n"
    )
    hub.add("org/own", folder)
    with pytest.raises(UsageError, match=r"would run the file .*own\.py and then its OwnConfig; nothing was run"):
        load_classifier("hf:org/own")
    assert not mark.exists()
    trusted = load_classifier("hf:org/own", trust_code=True, device="cpu")
    assert mark.exists()
    assert torch.equal(trusted(IMAGES), load_classifier(f"hf:{vit}", device="cpu")(IMAGES))


def test_a_kernel_that_a_configuration_names_is_not_fetched(hub: LoopbackHub, vit: Path, tmp_path: Path) -> None:
    folder = changed(vit, tmp_path / "kernel", attn_implementation="org/kernel", _attn_implementation="org/kernel")
    assert load_classifier(f"hf:{folder}", device="cpu").num_classes == 5
    assert not [request for request in hub.requests if "kernel" in request]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "is a BertForMaskedLM, for which"),
        (
            {"model_type": "yolos", "image_size": [32, 32], "architectures": ["YolosForObjectDetection"]},
            "is a YolosForObjectDetection, for which",
        ),
        ({"model_type": "nonesuch"}, "transformers cannot read .*nonesuch"),
        ({"hidden_size": "large"}, "transformers cannot"),
        ({"hidden_size": 4096}, "describes .* numbers, and model.safetensors has"),
        ({"problem_type": "regression"}, "a number and not classes"),
        ({"quantization_config": {"quant_method": "gptq"}}, r"is quantised \(gptq\)"),
        ({"pretrained_cfg": {}, "architecture": "resnet18"}, "is a model of timm.\nWrite timm:hf-hub:odd"),
    ],
)
def test_what_is_no_classifier_is_said_in_a_sentence(vit: Path, tmp_path: Path, entries: dict, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        load_classifier(f"hf:{changed(vit, tmp_path / 'odd', **entries)}")


def test_what_puts_a_number_in_doubt_is_a_flag(vit: Path, tmp_path: Path) -> None:
    several = changed(vit, tmp_path / "several", problem_type="multi_label_classification")
    assert "several labels per image" in load_classifier(f"hf:{several}", device="cpu").provenance.flags[0]
    names = {name: index for index, name in enumerate(["eel", "dog", "cat", "bee", "ant"])}
    disagree = changed(vit, tmp_path / "disagree", label2id=names)
    assert "disagree" in load_classifier(f"hf:{disagree}", device="cpu").provenance.flags[0]


def test_without_a_processor_the_user_says_how_images_are_prepared(vit: Path, tmp_path: Path) -> None:
    folder = changed(vit, tmp_path / "bare")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"no preprocessor_config.json.\nPass --input-size, --geometry, --mean and"):
        load_classifier(f"hf:{folder}")
    options = {"input_size": 32, "geometry": "squash", "mean": [0.4, 0.5, 0.6], "std": [0.5]}
    found = load_classifier(f"hf:{folder}", device="cpu", **options)
    assert str(found.preprocessing) == "squashed to 32×32, bicubic; mean 0.4 0.5 0.6, std 0.5 0.5 0.5"


def test_a_processor_that_cannot_be_built(vit: Path, tmp_path: Path) -> None:
    for number, (content, words) in enumerate(
        (('{"image_processor_type": "Own"}', "cannot be built"), ("[]", "cannot"))
    ):
        folder = changed(vit, tmp_path / str(number))
        (folder / "preprocessor_config.json").write_text(content)
        with pytest.raises(ModelError, match=words):
            load_classifier(f"hf:{folder}")


def test_damaged_and_absent_weights(vit: Path, tmp_path: Path) -> None:
    for content, words in (
        (b"\x10\0\0\0\0\0\0\0{broken", "model.safetensors"),
        (b"<html>not found</html>", "web page"),
    ):
        folder = changed(vit, tmp_path / words.replace(" ", ""))
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(ModelError, match=words):
            load_classifier(f"hf:{folder}")
    (folder / "model.safetensors").rename(folder / "tf_model.h5")
    with pytest.raises(ModelError, match=r"has no weights that are read: model.safetensors, .*pytorch_model.bin"):
        load_classifier(f"hf:{folder}")
