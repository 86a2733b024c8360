"""`ensemble:A+B`: the right mean, each member's own preprocessing, gradients, a digest of the members; and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff import load_classifier
from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import ensembles

A, B = "digits_standard", "digits_advprop"
FACTORIES = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, size, classes):
        super().__init__()
        self.size = size
        generator = torch.Generator().manual_seed(size)
        self.weight = nn.Parameter(torch.randn(classes, 3 * size * size, generator=generator) / size)
    def forward(self, images):
        assert images.shape[-1] == self.size
        return images.flatten(1) @ self.weight.T

def small(): return Net(8, 10)
def large(): return Net(16, 10)
def other(): return Net(8, 12)
"""


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_mean_is_of_probabilities_or_of_logits(images: Tensor) -> None:
    alone = torch.stack([load_classifier(name, device="cpu")(images) for name in (A, B)])
    probabilities = load_classifier(f"ensemble:{A}+{B}", device="cpu")
    logits = load_classifier(f"ensemble:{A}+{B}", device="cpu", model_args={"mean": "logits"})
    expected = functional.softmax(alone, -1).mean(0)
    assert torch.allclose(functional.softmax(probabilities(images), -1), expected, atol=1e-6)
    assert torch.allclose(logits(images), alone.mean(0), atol=1e-5)
    assert probabilities.digest != logits.digest
    assert "mean='probabilities'" in probabilities.provenance.source
    assert "mean of the probabilities of 2 models" in probabilities.provenance.notes
    assert probabilities.provenance.label_space == "digits"
    assert probabilities.provenance.flags == ()


def test_gradients_reach_the_pixels_through_every_member(images: Tensor) -> None:
    images.requires_grad_(True)
    ensemble = load_classifier(f"ensemble:{A}+{B}", device="cpu")
    (gradient,) = torch.autograd.grad(ensemble(images)[:, 3].sum(), images)
    (of_a,) = torch.autograd.grad(load_classifier(A, device="cpu")(images)[:, 3].sum(), images)
    assert gradient.abs().sum() > 0
    assert not torch.allclose(gradient, of_a)


def test_the_users_normalization_is_that_of_every_member(images: Tensor) -> None:
    options = {"mean": [0.2], "std": [0.7], "device": "cpu"}
    alone = torch.stack([load_classifier(name, **options)(images) for name in (A, B)])
    ensemble = load_classifier(f"ensemble:{A}+{B}", model_args={"mean": "logits"}, **options)
    assert torch.allclose(ensemble(images), alone.mean(0), atol=1e-5)


def test_the_digest_is_that_of_the_members() -> None:
    digests = {load_classifier(f"ensemble:{names}", device="cpu").digest for names in (f"{A}+{B}", f"shipped:{A}+{B}")}
    assert len(digests) == 1
    assert load_classifier(f"ensemble:{A}+digits_advprop_seed1", device="cpu").digest not in digests


def test_members_of_other_sizes_get_resized_images_and_the_rows_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nets.py"
    path.write_text(FACTORIES)
    sizes = {"small": 8, "large": 16}
    own = {
        f"{path}:{name}": load_classifier(f"{path}:{name}", input_size=size, device="cpu")
        for name, size in sizes.items()
    }
    monkeypatch.setattr(ensembles.build_model, "load", lambda request: own[request.name])
    loaded = ensembles.ENSEMBLES.build("+".join(own), ModelRequest(name="ensemble:" + "+".join(own)))
    assert loaded.preprocessing.geometry.size == 16
    assert [flag.split(" gets ")[1] for flag in loaded.flags] == [
        "images 16×16 as it is, resized to 8×8; alone 8×8 as it is"
    ]
    pixels = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    resized = functional.interpolate(pixels, 8, mode="bilinear", antialias=True)
    alone = torch.stack([own[f"{path}:small"](resized), own[f"{path}:large"](pixels)])
    expected = functional.softmax(alone, -1).mean(0)
    assert torch.allclose(functional.softmax(loaded.module(pixels), -1), expected, atol=1e-6)


def test_a_member_that_is_missing_is_not_asked_for_by_an_option_that_ensembles_refuse(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingInputs, match="load it alone once") as caught:
        load_classifier("ensemble:salman2020_resnet18_l2_eps3+resnet50_sin", device="cpu")
    assert "--weights" not in str(caught.value)
    assert len(caught.value.missing) == 2


def test_what_cannot_be_averaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nets.py"
    path.write_text(FACTORIES)
    with pytest.raises(ModelError, match="cannot be averaged: outputs 10 and 12"):
        load_classifier(f"ensemble:{path}:small+{path}:other", input_size=8, device="cpu")
    for name, words in {
        f"ensemble:{A}": "does not name two models",
        f"ensemble:{A}+": "does not name two models",
        f"ensemble:{A}+{A}": "names digits_standard twice",
        f"ensemble:{A}+nobody": "Unknown model 'nobody'",
        f"ensemble:{A}+ensemble:{B}": "is a part of an ensemble",
    }.items():
        with pytest.raises(UsageError, match=words):
            load_classifier(name, device="cpu")
    with pytest.raises(UsageError, match="mean=probabilities or mean=logits, got mean=votes"):
        load_classifier(f"ensemble:{A}+{B}", model_args={"mean": "votes"})
    with pytest.raises(UsageError, match="--weights cannot be given for an ensemble"):
        load_classifier(f"ensemble:{A}+{B}", weights=path)
