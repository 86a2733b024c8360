"""Networks that take one channel get the brightness of every pixel, and attacks change that one channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from plain_networks import digits_network, grey_digits, l2_survivors
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.benchmarks.image_set import luma
from robustbench_eff.core.errors import ModelError, UsageError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from running import accuracies, outcomes

COUNT = 60
L2 = "pgd(norm='l2', eps=1, steps=25, random_start=false)"


class OfMean(nn.Module):
    """The same network as others wrap it: three channels in, their mean to the network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.mean(1, keepdim=True))


def run(model: nn.Module, folder: Path, *attacks: str, **options) -> list[float]:
    scores = evaluate(
        load_classifier(model, input_size=32, device="cpu"),
        **{"benchmarks": ["digits"], "attacks": attacks, "limit": COUNT, "store": folder, "device": "cpu"} | options,
    ).scores
    return [score.value for score in accuracies(scores)]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return digits_network().requires_grad_(False)


def test_the_robust_accuracy_of_a_grey_network_is_that_of_a_plain_loop_over_one_channel(
    network: nn.Module, tmp_path: Path
) -> None:
    images, labels = grey_digits("test", COUNT)
    clean = (network(images).argmax(1) == labels).float().mean().item()
    robust = l2_survivors(network, images, labels, eps=1.0)
    wrapped = l2_survivors(OfMean(network), images.expand(-1, 3, -1, -1), labels, eps=1.0)
    ours = run(network, tmp_path / "grey", L2)
    assert ours[:2] == pytest.approx([clean, robust.float().mean().item()], abs=0.02)
    of_mean = run(OfMean(network), tmp_path / "mean", L2)
    assert of_mean[1] == pytest.approx(wrapped.float().mean().item(), abs=0.02)
    assert of_mean[1] > ours[1] + 0.15, "three equal channels are another threat model"
    (table,) = (table for text, table in outcomes(tmp_path / "grey").items() if text != "none")
    assert max(table["distance_l2"].to_pylist()) <= 1 + 1e-5


def test_what_was_assumed_is_said_in_notes_preprocessing_and_protocol(network: nn.Module, tmp_path: Path) -> None:
    classifier = load_classifier(network, input_size=32)
    assert classifier.provenance.notes == (
        "it takes one channel: it gets the brightness of every pixel, and attacks change that alone",
    )
    assert str(classifier.preprocessing) == "32×32 as it is; one channel; mean 0, std 1"
    scores = evaluate(classifier, benchmarks=["digits"], attacks=["none"], limit=20, store=tmp_path).scores
    assert "one channel (ITU-R 601 luma)" in str(scores[0].protocol)
    assert load_classifier(OfMean(network), input_size=32).provenance.notes == ()


def test_one_value_of_mean_and_std_normalises_the_channel_and_three_are_refused(network: nn.Module) -> None:
    images, _ = grey_digits("test", 4)
    normalised = load_classifier(network, input_size=32, mean=[0.3], std=[0.5])
    assert torch.allclose(normalised(images), network((images - 0.3) / 0.5), atol=1e-5)
    with pytest.raises(ModelError, match="takes one channel, and mean and std have a value for each of three") as error:
        load_classifier(network, input_size=32, mean=[0.1, 0.2, 0.3], std=[0.5])
    assert "mean=[0.5], std=[0.5]" in error.value.hint


def test_luma_is_that_of_pil_and_leaves_grey_pixels_exactly() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8))
    expected = [np.asarray(Image.fromarray(picture.numpy()).convert("L")) for picture in pixels]
    assert (luma(pixels)[..., 0].numpy() == np.stack(expected)).all()
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 256, 1)
    assert (luma(every.expand(-1, -1, -1, 3)) == every).all()


def test_colour_images_reach_a_grey_network_by_their_luma(tmp_path: Path) -> None:
    class Bright(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 8, bias=False)
            nn.init.constant_(self.conv.weight, 1 / 64)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            brightness = self.conv(images)[:, :, 0, 0]
            return torch.cat((0.5 - brightness, brightness - 0.5), 1)

    green, blue = (np.zeros((8, 8, 3), np.uint8) for _ in range(2))
    green[..., 1] = blue[..., 2] = 255  # luma 0.587 and 0.114; the mean of the channels is 0.333 for both
    np.savez(tmp_path / "colours.npz", x=np.stack([green, blue]), y=[1, 0])
    model = load_classifier(Bright().eval(), input_size=8)
    options = {"benchmarks": ["colours"], "data": {"colours": str(tmp_path / "colours.npz")}, "attacks": ["none"]}
    scores = evaluate(model, store=tmp_path / "store", **options).scores
    assert accuracies(scores)[0].value == 1.0
    confidence = outcomes(tmp_path / "store")["none"]["margin"].to_pylist()
    assert confidence == pytest.approx([2 * (150 / 255 - 0.5), 2 * (0.5 - 29 / 255)], abs=1e-5)


def test_attacks_without_gradients_and_corruptions_run_on_one_channel(network: nn.Module, tmp_path: Path) -> None:
    attacks = ["square(eps=0.1, queries=30)", "one_pixel(population=8, generations=3)", "square(norm='l2', queries=20)"]
    clean, *robust = run(network, tmp_path, *attacks, corruptions=["gaussian_noise(severity=5)"], limit=20)
    assert all(value <= clean for value in robust)
    (one_pixel,) = (table for text, table in outcomes(tmp_path).items() if text.startswith("one_pixel"))
    assert set(one_pixel["distance_l0"].to_pylist()) <= {0, 1}


def test_a_network_of_another_number_of_channels_fails_with_its_own_error() -> None:
    four = nn.Sequential(nn.Conv2d(4, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(ModelError, match=r"fails on a batch of shape \(3, 3, 32, 32\).*to have 4 channels"):
        load_classifier(four, input_size=32)
    grey_of_28 = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 3)).eval()
    with pytest.raises(ModelError, match=r"fails on a batch of shape \(3, 1, 32, 32\).*cannot be multiplied"):
        load_classifier(grey_of_28, input_size=32)
    assert load_classifier(grey_of_28, input_size=28).preprocessing.channels == 1


def test_a_surrogate_must_take_as_many_channels(network: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="digits_standard takes images with 3 channels, Features with 1"):
        run(network, tmp_path, "pgd(eps=0.1) from digits_standard")


def test_preprocessing_has_three_values_or_one() -> None:
    geometry = Geometry(size=8)
    assert Preprocessing(geometry=geometry, mean=(0.5,), std=(0.5,)).shape == (1, 8, 8)
    with pytest.raises(UsageError, match="need three values, or one for one channel, got 1 and 3"):
        Preprocessing(geometry=geometry, mean=(0.5,))
