"""timm, open_clip, torchvision and datasets, each by its own client: their own answers, or a sentence."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from labelled_sets import own
from loopback_hub import LoopbackHub
from robustbench_eff import load_classifier
from robustbench_eff.core.errors import DataError, ModelError, RobustEvalError
from robustbench_eff.registry.open_benchmark import missing_data, open_location

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
NAMES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of timm as its library saves one for the hub."""
    from timm.models import save_for_hf

    folder = tmp_path_factory.mktemp("timm") / "model"
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=3)
    save_for_hf(model, folder, {"label_names": NAMES}, safe_serialization=True)
    return folder


def test_a_timm_model_of_the_hub_answers_as_the_library_does(hub: LoopbackHub, saved: Path) -> None:
    commit = hub.add("org/timm-model", saved)
    found = load_classifier("timm:hf-hub:org/timm-model", input_size=32, device="cpu")
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1) for values in (found.preprocessing.mean, found.preprocessing.std)
    )
    with torch.no_grad():
        own = timm.create_model("hf-hub:org/timm-model", pretrained=True).eval()
        assert torch.allclose(found(IMAGES), own((IMAGES - mean) / std), atol=1e-5)
    assert found.preprocessing.mean == pytest.approx(own.pretrained_cfg["mean"])
    assert found.provenance.source == f"timm:hf-hub:org/timm-model@{commit}"
    assert found.class_names == tuple(NAMES)
    assert "/" not in str(found.model.pretrained_cfg.get("file", ""))


def test_files_of_timm_are_read_as_everywhere(hub: LoopbackHub, saved: Path, tmp_path: Path, vit: Path) -> None:
    from safetensors.torch import load_file

    hub.add("org/vit", vit)
    with pytest.raises(ModelError, match=r"org/vit is not a model of timm.\nModels of transformers are hf:org/vit"):
        load_classifier("timm:hf-hub:org/vit")
    hub.add("org/timm-again", saved)
    with pytest.raises(ModelError, match=r"is a model of timm.\nWrite timm:hf-hub:org/timm-again"):
        load_classifier("hf:org/timm-again")
    with pytest.raises(ModelError, match="nobody loaded"):
        load_classifier("timm:hf-hub:org/timm-again", num_classes=7)
    state = load_file(saved / "model.safetensors")
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_text((saved / "config.json").read_text())
    torch.save(state, folder / "pytorch_model.bin")
    hub.add("org/timm-pickled", folder)
    options: Any = {"input_size": 32, "device": "cpu"}
    logits = load_classifier("timm:hf-hub:org/timm-again", **options)(IMAGES)
    assert torch.equal(load_classifier("timm:hf-hub:org/timm-pickled", **options)(IMAGES), logits)
    mark = tmp_path / "executed"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    torch.save({"fc.bias": Bomb()}, folder / "pytorch_model.bin")
    hub.add("org/timm-hostile", folder)
    with pytest.raises(ModelError, match="--trust-checkpoint"):
        load_classifier("timm:hf-hub:org/timm-hostile")
    (folder / "pytorch_model.bin").unlink()
    (folder / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes()[:-100])
    hub.add("org/timm-short", folder)
    with pytest.raises(ModelError, match=r"model.safetensors"):
        load_classifier("timm:hf-hub:org/timm-short")
    assert not mark.exists()


def test_a_timm_name_whose_weights_are_refused(hub: LoopbackHub) -> None:
    hub.failures["timm/resnet18.a1_in1k"] = "too_many"
    with pytest.raises(RobustEvalError, match="too many requests"):
        load_classifier("timm:resnet18.a1_in1k")


def test_a_clip_model_of_the_hub(hub: LoopbackHub, tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import save_file

    tower = {"width": 16, "layers": 1, "heads": 2}
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "head_width": 8, "width": 16, "layers": 1},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, **tower},
    }
    folder = tmp_path / "clip"
    folder.mkdir()
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    torch.manual_seed(0)
    model = open_clip.CLIP(**config).eval()
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    (tmp_path / "templates.txt").write_text("a {}.\n")
    commit = hub.add("org/clip", folder)
    arguments = {"class_names": str(tmp_path / "names.txt"), "templates": str(tmp_path / "templates.txt")}
    found = load_classifier("open_clip:hf-hub:org/clip", model_args=arguments, device="cpu")
    tokens = open_clip.get_tokenizer("ViT-B-32")(["a cat.", "a dog."])
    with torch.no_grad():
        texts, images = (
            model.encode_text(tokens, normalize=True),
            model.encode_image((IMAGES - 0.5) / 0.5, normalize=True),
        )
        assert torch.allclose(found(IMAGES), model.logit_scale.exp() * images @ texts.T, atol=1e-4)
    assert found.provenance.source.startswith(f"open_clip:hf-hub:org/clip@{commit}")
    (folder / "open_clip_model.safetensors").unlink()
    hub.add("org/clip-without-weights", folder)
    with pytest.raises(ModelError, match="nobody loaded"):
        load_classifier("open_clip:hf-hub:org/clip-without-weights", model_args=arguments)


def test_torchvision_says_what_went_wrong(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    weights = torchvision.models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1
    module = torchvision.models.shufflenet_v2_x0_5()
    torch.save(module.state_dict(), tmp_path / "shuffle-01234567.pth")
    commit = hub.add("org/torchvision", tmp_path)
    url = f"{hub.storage}/large/models/org/torchvision/{commit}/shuffle-01234567.pth"
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: True)
    monkeypatch.setattr("torchvision.models._api.WeightsEnum.url", property(lambda self: at[0]), raising=False)
    at = [url]
    assert weights.url == url
    with pytest.raises(ModelError, match=r"shuffle-01234567.pth is damaged: its checksum is another one.\nRepeat"):
        load_classifier("torchvision:shufflenet_v2_x0_5")
    at[0] = f"{hub.address}/nothing.pth"
    with pytest.raises(ModelError, match=r"nothing.pth does not exist on 127.0.0.1.* \(status 404\)"):
        load_classifier("torchvision:shufflenet_v2_x0_5")
    at[0] = "http://127.0.0.1:9/closed.pth"
    with pytest.raises(ModelError, match=r"closed.pth from 127.0.0.1:9 failed.*\nRepeat the command"):
        load_classifier("torchvision:shufflenet_v2_x0_5")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty digits of scikit-learn as a data set of the hub: Parquet files of two splits, and a README."""
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("data") / "digits"
    images, labels = load_digits(return_X_y=True)
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=[str(number) for number in range(10)])})
    (folder / "data").mkdir(parents=True)
    for split, rows in (("train", range(30)), ("test", range(30, 60))):
        pictures = [
            Image.fromarray((images[row].reshape(8, 8) * 15.9).astype(np.uint8)).resize((32, 32)) for row in rows
        ]
        content: dict[str, Any] = {"image": [_png(each) for each in pictures], "label": labels[list(rows)].tolist()}
        Dataset.from_dict(content, features=features).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Digits\n")
    return folder


def _png(picture: Image.Image) -> dict[str, Any]:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def content(location: str) -> tuple[list, list[bytes], tuple[str, ...]]:
    """Labels, images and class names as an evaluation finds them."""
    assert missing_data(own(location), location) == []
    opened = open_location(location, "test")
    return list(opened.labels), [opened.read(position) for position in range(len(opened.ids))], opened.class_names


def test_a_data_set_of_the_hub_is_the_folder_it_was_made_of(hub: LoopbackHub, digits: Path) -> None:
    commit = hub.add("org/digits", digits, kind="datasets")
    hub.add("org/digits", digits, kind="datasets", revision="v1")
    expected = content(str(digits))
    assert len(expected[0]) == 30
    for reference in ("org/digits", "org/digits@test", "org/digits#v1", f"org/digits@test#{commit}"):
        assert content(f"hf:{reference}") == expected, reference
    assert content("hf:org/digits@train") != expected


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("org/nonesuch", "org/nonesuch is not a data set of http"),
        ("org/digits#nope", "does not have a revision 'nope'"),
        ("org/digits@nope", "has the splits train, test, not 'nope'"),
        ("org/gated-data", "org/gated-data is gated"),
        ("org/busy-data", "too many requests"),
        ("org/short-data", "hf:org/short-data cannot be read: .*\nPass a folder: hf download --repo-type dataset"),
        ("org/cut-data", "The download of org/cut-data from"),
        ("org/digits/extra", "not the name of a repository"),
    ],
)
def test_a_data_set_that_cannot_be_had(hub: LoopbackHub, digits: Path, reference: str, words: str) -> None:
    hub.failures |= {"org/gated-data": "gated", "org/busy-data": "too_many"}
    hub.failures |= {"org/short-data": "truncated", "org/cut-data": "cut"}
    for name in ("digits", "gated-data", "busy-data", "short-data", "cut-data"):
        hub.add(f"org/{name}", digits, kind="datasets")
    location = f"hf:{reference}"
    if missing := missing_data(own(location), location):
        assert re.search(words, missing[0].what), missing
        assert "\n" not in missing[0].what and missing[0].how
        return
    with pytest.raises(DataError, match=words) as caught:
        open_location(location, "test")
    assert caught.value.hint
