"""Inputs that are not square: images, attacks and corruptions at a height and a width, or a refusal in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import InterpolationMode, center_crop, resize

from plain_networks import Features, grey_digits, l2_survivors, solved
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.cli.common import parse_input_size
from robustbench_eff.core.errors import ModelError, SizeError, UsageError
from robustbench_eff.core.preprocessing import Geometry, size_before_crop
from robustbench_eff.core.resizing import crop
from robustbench_eff.evaluation.suggested_command import _model_words
from robustbench_eff.models.card import Card
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.sources.timm_models import _preprocessing
from robustbench_eff.registry.perturbation import as_perturbation
from running import accuracies, outcomes

L2 = "pgd(norm='l2', eps=1, steps=25, random_start=false)"
HEIGHT, WIDTH = 40, 24


@pytest.fixture(scope="module")
def tall() -> tuple[nn.Module, Tensor, Tensor, np.ndarray]:
    """A network for digits of 40 x 24 pixels, and 40 such images: floats, labels, and 8-bit pixels."""

    def rescaled(split: str, count: int) -> tuple[np.ndarray, Tensor]:
        images, labels = grey_digits(split, count)
        pictures = [Image.fromarray((image[0] * 255).round().byte().numpy()) for image in images]
        return np.stack([np.asarray(picture.resize((WIDTH, HEIGHT)).convert("RGB")) for picture in pictures]), labels

    def floats(pixels: np.ndarray) -> Tensor:
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255

    training, labels = rescaled("train", 600)
    targets = 10 * nn.functional.one_hot(labels, 10).float()
    network = solved(Features(3, size=(HEIGHT, WIDTH)), floats(training), targets).requires_grad_(False)
    test, labels = rescaled("test", 40)
    return network, floats(test), labels, test


def stored(folder: Path, pixels: np.ndarray, labels: Tensor) -> dict[str, object]:
    np.savez(folder / "tall.npz", x=pixels, y=labels.numpy())
    return {"benchmarks": ["tall"], "data": {"tall": str(folder / "tall.npz")}, "store": folder / "store"}


def test_a_tall_network_has_the_accuracies_of_a_plain_loop(tall, tmp_path: Path) -> None:
    network, images, labels, pixels = tall
    model = load_classifier(network, input_size=(HEIGHT, WIDTH), device="cpu")
    attacks = [L2, "square(eps=0.2, queries=30)", "square(norm='l2', eps=2, queries=30)", "square(norm='l1', eps=9)"]
    attacks += ["one_pixel(population=8, generations=2)", "one_pixel(search='corners', population=8, generations=2)"]
    attacks[3] = "square(norm='l1', eps=9, queries=30)"
    scores = evaluate(model, attacks=attacks, device="cpu", **stored(tmp_path, pixels, labels)).scores
    clean, pgd = (score.value for score in accuracies(scores)[:2])
    assert clean == pytest.approx((network(images).argmax(1) == labels).float().mean().item(), abs=1e-6)
    assert pgd == pytest.approx(l2_survivors(network, images, labels, eps=1.0).float().mean().item(), abs=0.026)
    assert "40×24 (height × width) as it is" in str(scores[0].protocol)
    assert len(outcomes(tmp_path / "store")) == 7
    flags = {flag for table in outcomes(tmp_path / "store").values() for flag in table["flag"].to_pylist()}
    assert flags == {""}


def test_one_pixel_and_square_reach_every_corner_of_a_tall_image() -> None:
    """A network that is fooled by one white pixel in the last row and column, and by nothing else."""

    class LastPixel(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            last = images[:, :, -1, -1].sum(1, keepdim=True)
            return torch.cat((2.9 - last, last - 2.9), 1)

    from robustbench_eff.attacks import OnePixel

    images, labels = torch.zeros(2, 3, 7, 4), torch.zeros(2, dtype=torch.int64)
    found = OnePixel(search="corners", population=100, generations=3)(LastPixel().eval(), images, labels)
    assert (found[:, :, -1, -1] == 1).all()
    assert found.sum() == 6


def test_sequences_are_refused_in_a_sentence(tall, tmp_path: Path) -> None:
    network, _, labels, pixels = tall
    model = load_classifier(network, input_size=(HEIGHT, WIDTH), device="cpu")
    with pytest.raises(UsageError, match=r"films a square, and the images of this model are 40×24 pixels"):
        evaluate(model, corruptions=["rotate_sequence"], **stored(tmp_path, pixels, labels))


@pytest.mark.parametrize("shape", [(48, 32), (32, 48)])
@pytest.mark.parametrize("name", ["brightness", "contrast", "defocus_blur", "saturate", "gaussian_blur"])
def test_a_corruption_without_a_direction_commutes_with_transposing_the_image(
    name: str, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(0, 256, (2, *shape, 3), dtype=np.uint8))
    corrupt = as_perturbation(f"{name}(severity=3, constants='cifar10')").corruption
    difference = corrupt(pixels).int() - corrupt(pixels.transpose(1, 2).contiguous()).transpose(1, 2).int()
    assert difference.abs().max() <= 1  # sums in another order round differently


@pytest.mark.parametrize(("width", "height"), [(300, 280), (150, 500), (500, 150), (101, 64)])
def test_a_crop_is_the_centre_of_the_smallest_resized_image_that_covers_it(width: int, height: int) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))
    geometry = Geometry(size=(64, 40), resize=(73, 45), interpolation="bilinear")
    scale = max(73 / height, 45 / width)
    covering = [int(scale * height + 1e-9), int(scale * width + 1e-9)]
    expected = center_crop(resize(picture, covering, InterpolationMode.BILINEAR), [64, 40])
    ours = crop(picture, geometry, "picture")
    assert ours.shape == (64, 40, 3)
    assert (ours == np.asarray(expected)).all()
    squashed = crop(picture, Geometry(size=(64, 40), mode="squash", interpolation="bilinear"), "picture")
    assert (squashed == np.asarray(picture.resize((40, 64), Image.Resampling.BILINEAR))).all()
    with pytest.raises(SizeError, match=rf"{width}×{height}, not 40×64 \(width × height\)"):
        crop(picture, Geometry(size=(64, 40), mode="none"), "picture")


def test_sizes_are_written_in_one_way() -> None:
    assert Geometry(size=(32, 32)) == Geometry(size=32)
    assert repr(Geometry(size=(32, 32), resize=[36, 36])) == repr(Geometry(size=32, resize=36))
    assert str(Geometry(size=(64, 40), resize=(73, 45))) == (
        "covering 73×45 (height × width), centre 64×40 (height × width), bicubic"
    )
    assert str(Geometry(size=224, resize=256)) == "short side 256, centre 224×224, bicubic"
    assert size_before_crop((224, 160), 0.875) == (256, 182)
    for bad in ((0, 3), (3,), (1, 2, 3)):
        with pytest.raises(UsageError, match="input size must be"):
            Geometry(size=bad)
    with pytest.raises(UsageError, match="cannot crop"):
        Geometry(size=(64, 40), resize=(70, 39))


def test_the_option_is_height_by_width() -> None:
    assert [parse_input_size(text) for text in ("224x160", "224X160", "32", None)] == [(224, 160), (224, 160), 32, None]
    assert _model_words(ModelRequest(name="m", input_size=(224, 160)), False) == ["--input-size", "224x160"]
    for bad in ("224x", "a", "1x2x3", "-3"):
        with pytest.raises(UsageError, match="must be a number of pixels, or height x width"):
            parse_input_size(bad)


def test_a_module_that_needs_another_shape_fails_with_the_shape_it_got(tall) -> None:
    with pytest.raises(ModelError, match=r"fails on a batch of shape \(3, 3, 24, 40\)|\(3, 1, 24, 40\)"):
        load_classifier(nn.Sequential(nn.Conv2d(3, 2, (30, 20)), nn.Flatten()).eval(), input_size=(WIDTH, HEIGHT))


def test_timms_configuration_may_name_a_height_and_a_width() -> None:
    import timm

    module = timm.create_model("lcnet_035", num_classes=3)
    module.pretrained_cfg = {**module.pretrained_cfg, "input_size": (3, 96, 64), "test_input_size": None}
    geometry = _preprocessing("lcnet_035", module, ModelRequest(name="timm:lcnet_035")).geometry
    assert geometry.shape == (96, 64)
    assert geometry.covered == (int(96 / 0.875), int(64 / 0.875))


def test_a_card_keeps_a_height_and_a_width(tmp_path: Path) -> None:
    from robustbench_eff.models.aliases import checkpoints

    fields = json.loads((checkpoints() / "digits_standard.json").read_text())
    fields["preprocessing"]["geometry"]["size"] = [40, 24]
    (tmp_path / "model.json").write_text(json.dumps(fields))
    card = Card.read(tmp_path / "model.json")
    assert card.preprocessing.geometry.shape == (40, 24)
    (tmp_path / "again.json").write_text(card.text())
    assert Card.read(tmp_path / "again.json") == card
