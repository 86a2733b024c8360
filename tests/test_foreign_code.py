"""Attacks and models are anybody's code: what they do wrong is named, what is done stays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.errors import ModelError, RobustEvalError
from robustbench_eff.core.threat import Threat
from robustbench_eff.registry.perturbation import as_perturbation
from running import accuracies, outcomes, run


def test_a_model_that_is_always_wrong_is_not_attacked(tmp_path: Path) -> None:
    class NoEmptyBatch(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert len(images)
            return super().forward(images)

    head = nn.Linear(3072, 10)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    with torch.no_grad():
        head.bias[3] = 5
    np.savez(tmp_path / "zeros.npz", x=np.zeros((4, 32, 32, 3), np.uint8), y=[0, 0, 1, 2])
    model = load_classifier(NoEmptyBatch(nn.Flatten(), head).eval(), input_size=32)
    options = {"benchmarks": ["zeros"], "data": {"zeros": str(tmp_path / "zeros.npz")}}
    scores = accuracies(run(tmp_path / "store", model, attacks=["pgd(restarts=2)"], **options).scores)
    assert [score.value for score in scores] == [0.0] * 3


def test_a_failing_model_leaves_its_status_and_the_finished_shards(tmp_path: Path) -> None:
    class Fragile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.head = nn.Linear(3 * 32 * 32, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.head(images.flatten(1)) / (0 if self.calls > 10 else 1)

    model = load_classifier(Fragile().eval(), input_size=32)
    options = {"benchmarks": ["digits"], "attacks": ["none"], "shard_size": 8, "store": tmp_path / "store"}
    with pytest.raises(Exception, match="NaN or infinite logits"):
        evaluate(model, limit=64, **options)
    (manifest,) = (json.loads(path.read_text()) for path in (tmp_path / "store").glob("runs/*.json"))
    assert manifest["status"] == "failed"
    assert 0 < outcomes(tmp_path / "store")["none"].num_rows < 64


@dataclass(frozen=True)
class Plugin:
    """An attack that knows only the protocol, and does what `deed` says."""

    deed: str = ""
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "decisions"
    stochastic: ClassVar[bool] = False
    max_passes: ClassVar[int] = 2
    threat: ClassVar[Threat] = Threat("linf", 8 / 255)

    def __call__(self, classifier, images, labels, draws=None):
        match self.deed:
            case "none":
                return None
            case "shape":
                return images[:, :, :5]
            case "raise":
                raise KeyError("lost")
            case "ball":
                return (images + 8 / 255 + 1e-4).clamp(0, 1)
            case "box":
                return images - 8 / 255
            case "nan":
                return images * float("nan")
            case "swap":
                images[:] = images.roll(1, 0)
                return images
            case "weights":
                for parameter in classifier._classifier.parameters():
                    parameter.data.zero_()
            case "train":
                classifier._classifier.model.train()
            case "gradient":
                pixels = images.clone().requires_grad_(True)
                (step,) = torch.autograd.grad(classifier(pixels).logsumexp(1).sum(), pixels)
                return (pixels + step.sign() / 255).clamp(0, 1)
        classifier(images)
        return (images + 1 / 255).clamp(0, 1)


def attacked(store: Path, attack: Plugin):
    """The outcomes of an attack as a data frame."""
    return outcomes(store)[as_perturbation(attack).text].to_pandas()


def test_an_attack_that_knows_only_the_protocol_is_evaluated(tmp_path: Path) -> None:
    run(tmp_path / "store", attacks=["pgd(eps=8/255)", Plugin()], limit=16)
    rows = attacked(tmp_path / "store", Plugin())
    assert (rows["num_forwards"][rows["clean_prediction"] == rows["label"]] == 1).all()
    assert (rows["num_backwards"] == 0).all()
    run(tmp_path / "other", attacks=[Plugin("gradient")], limit=16)
    rows = attacked(tmp_path / "other", Plugin("gradient"))
    assert (rows["num_backwards"][rows["clean_prediction"] == rows["label"]] == -1).all()
    assert rows["distance_linf"].max() == pytest.approx(1 / 255, abs=1e-6)


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("none", "must return images of shape .* got NoneType"),
        ("shape", "must return images of shape"),
        ("raise", r"Plugin\(deed='raise'\) on .* failed: KeyError: 'lost'"),
    ],
)
def test_an_attack_that_misbehaves_is_named(tmp_path: Path, deed: str, words: str) -> None:
    result = run(tmp_path / "store", attacks=[Plugin(deed)], limit=8)
    with pytest.raises(RobustEvalError, match=words):
        result.check()
    assert len(attacked(tmp_path / "store", Plugin(deed))) == 0


@pytest.mark.parametrize(("deed", "words"), [("weights", "the weights were changed"), ("train", "is in train mode")])
def test_an_attack_that_changes_the_model_ends_the_run(tmp_path: Path, deed: str, words: str) -> None:
    """No later number of that model could be trusted."""
    with pytest.raises(ModelError, match=words):
        run(tmp_path / "store", attacks=[Plugin(deed), "fgsm"], limit=8)
    assert len(attacked(tmp_path / "store", Plugin(deed))) == 0
    assert "fgsm" not in outcomes(tmp_path / "store") or not len(outcomes(tmp_path / "store")["fgsm"])


@pytest.mark.parametrize(
    ("deed", "flag"),
    [("ball", "left_threat_model"), ("box", "left_threat_model"), ("nan", "not_finite"), ("swap", "left_threat_model")],
)
def test_images_that_cheat_are_put_back_and_named_beside_the_score(tmp_path: Path, deed: str, flag: str) -> None:
    scores = accuracies(run(tmp_path / "store", attacks=[Plugin(deed)], limit=8).scores)
    flags = {score.metric: score.flags for score in scores}
    assert flags == {"accuracy": (), "robust_accuracy": (f"{flag}: 8",), "robust_accuracy_8bit": (f"{flag}: 8",)}
    rows = attacked(tmp_path / "store", Plugin(deed))
    assert rows["distance_linf"].max() <= 8 / 255 + 1e-6
    assert (deed == "nan") == (rows["distance_linf"].max() == 0)
