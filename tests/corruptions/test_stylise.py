"""What each styliser is said to do to spectra, colours and features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import adain_weights
from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions.stylise import Styliser, low_pass
from robustbench_eff.corruptions.stylise_adain import AdaIN, normalised
from robustbench_eff.corruptions.stylise_colour import Colour
from robustbench_eff.corruptions.stylise_fourier import Fourier
from robustbench_eff.corruptions.stylise_random_phase import RandomPhase, _periodic, _texture

data = pytest.importorskip("skimage.data", reason="its photographs are not installed")

SIDE = 128
SIGMA = RandomPhase().scale * SIDE


def photograph(name: str) -> Tensor:
    picture = Image.fromarray(getattr(data, name)()).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def pairs() -> list[tuple[Tensor, Tensor]]:
    return [
        (photograph(content), photograph(style))
        for content in ("chelsea", "astronaut", "coffee")
        for style in ("brick", "grass", "gravel")
    ]


def spectrum(images: Tensor) -> Tensor:
    """Power of the fine grey texture in decibels, in blocks of 8 x 8 frequencies."""
    grey = images.mean(1, keepdim=True)
    fine = (grey - low_pass(grey, SIGMA)) * torch.hann_window(SIDE) * torch.hann_window(SIDE)[:, None]
    power = torch.fft.rfft2(fine).abs().square()[..., :-1]
    return 10 * torch.nn.functional.avg_pool2d(power, 8).log10().flatten()


def decibels(first: Tensor, second: Tensor) -> float:
    """How far the two spectra are apart, whatever their contrasts: root mean square over the frequencies."""
    return float((spectrum(first) - spectrum(second)).std())


def coarse_change(styliser: Styliser, content: Tensor, style: Tensor) -> float:
    """How far what is coarse in the content moved, in fractions of white."""
    return float((low_pass(styliser(content, style), 2 * SIGMA) - low_pass(content, 2 * SIGMA)).abs().mean())


def test_random_phases_give_the_spectrum_of_the_style_and_keep_what_is_coarse() -> None:
    """Measured over the nine pairs: 1.5 to 2.8 dB from the style, 2.7 to 6.5 dB from the content."""
    for content, style in pairs():
        found = RandomPhase()(content, style)
        assert decibels(found, style) < 0.65 * decibels(found, content)
        assert decibels(found, style) < 0.6 * decibels(content, style)
        assert coarse_change(RandomPhase(), content, style) < 0.02


def test_the_measures_tell_stylisers_apart() -> None:
    """Colours alone keep the content's spectrum, and swapped amplitudes what is coarse in the style."""
    for content, style in pairs():
        coloured = Colour()(content, style)
        assert decibels(coloured, content) < 0.2 < decibels(coloured, style)
        assert decibels(Fourier()(content, style), style) < 0.6 * decibels(content, style)
        assert coarse_change(Fourier(), content, style) > 0.05


def test_the_contrast_is_where_the_content_has_it() -> None:
    """An edge in the middle; far from it nothing changes."""
    content = torch.full((1, 3, SIDE, SIDE), 0.4)
    content[..., SIDE // 2 :] = 0.6
    fine = (RandomPhase()(content, photograph("grass")) - low_pass(content, SIGMA)).abs().mean((0, 1, 2))
    assert fine[SIDE // 2 - 3 : SIDE // 2 + 3].min() > 0.01
    assert fine[: SIDE // 4].max() < 1e-3


def test_its_own_style_changes_an_image_no_more_than_its_fine_texture() -> None:
    for name in ("chelsea", "coffee"):
        content = photograph(name)
        found, fine = RandomPhase()(content, content), content - low_pass(content, SIGMA)
        assert (found - content).square().mean() < 2.2 * fine.square().mean()
        spread = (found - low_pass(found, SIGMA)).std() / fine.std()
        assert 0.75 < spread < 1.1
        for exact in (Fourier(), Colour(), Fourier(beta=0.05)):
            assert (exact(content, content) - content).abs().max() < 1e-5


def test_a_texture_has_the_amplitudes_of_the_style_and_random_phases() -> None:
    style = photograph("gravel").expand(2, -1, -1, -1)
    noise = RandomStreams.of(0, range(2)).normal((SIDE, SIDE), stream="phases")
    first, second = textures = _texture(style, noise, SIGMA)
    expected = _periodic(style)[0].abs()[0].flatten()
    kept = torch.fft.rfft2(textures).abs()[:, 0].flatten(1)
    fine = (torch.fft.fftfreq(SIDE)[:, None].square() + torch.fft.rfftfreq(SIDE).square() > 0.3**2).flatten()
    for amplitudes in kept:
        ratio = amplitudes[fine] / expected[fine]
        assert ratio.std() / ratio.mean() < 1e-3
    assert abs(np.corrcoef(first.flatten(), second.flatten())[0, 1]) < 0.05
    assert textures.std((1, 2, 3), correction=0) == pytest.approx(torch.ones(2), abs=1e-4)
    assert (first - first.mean(0)).abs().max() < 1e-3, "grey stays grey"


def test_borders_make_no_cross_in_the_spectrum() -> None:
    """A ramp jumps from one border to the other; that is all its plain spectrum has."""
    ramp = torch.linspace(0, 1, SIDE).expand(1, 3, SIDE, SIDE)
    plain, periodic = torch.fft.rfft2(ramp), _periodic(ramp)
    high = slice(8, None)
    assert periodic[..., 0, high].abs().sum() < 0.01 * plain[..., 0, high].abs().sum()
    assert periodic[..., 0, 0] == pytest.approx(plain[..., 0, 0])
    wave = torch.sin(torch.arange(SIDE) * 2 * torch.pi * 5 / SIDE).expand(1, 3, SIDE, SIDE)
    assert (_periodic(wave) - torch.fft.rfft2(wave)).abs().max() < 0.12 * torch.fft.rfft2(wave).abs().max()


def test_a_style_without_texture_gives_none() -> None:
    content = photograph("coffee")
    found = RandomPhase()(content, torch.full_like(content, 0.5))
    assert found == pytest.approx(low_pass(content, SIGMA).clamp(0, 1), abs=0.02)
    assert torch.isfinite(Colour()(torch.full_like(content, 0.5), content)).all()


def test_amplitudes_are_swapped_and_phases_kept() -> None:
    content, style = (0.45 + 0.1 * photograph(name) for name in ("chelsea", "gravel"))  # nothing is clipped
    spectra = [torch.fft.rfft2(images) for images in (Fourier()(content, style), style, content)]
    found, of_style, of_content = spectra
    assert (found.abs() - of_style.abs()).abs().max() < 1e-2
    assert (
        torch.nn.functional.cosine_similarity(found.angle().cos().flatten(), of_content.angle().cos().flatten(), dim=0)
        > 0.99
    )
    low = torch.fft.rfft2(Fourier(beta=0.05)(content, style))
    assert (low[..., 0, :7].abs() - of_style[..., 0, :7].abs()).abs().max() < 1e-2
    assert (low - of_content)[..., 7:].abs().max() < 1e-2


def test_colours_are_those_of_the_style() -> None:
    content, style = (0.4 + 0.2 * photograph(name) for name in ("chelsea", "coffee"))
    found = Colour()(content, style)
    for statistic in (torch.mean, torch.std):
        assert statistic(found, dim=(2, 3)) == pytest.approx(statistic(style, dim=(2, 3)), abs=1e-4)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return adain_weights.write(tmp_path_factory.mktemp("adain"))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_adain_is_the_original(files: tuple[Path, Path], alpha: float) -> None:
    content, style = (photograph(name)[..., 32:80, 32:80] for name in ("coffee", "grass"))
    found = AdaIN(encoder=str(files[0]), decoder=str(files[1]))(content, style, alpha)
    expected = adain_weights.stylised(files, content, style, alpha).clamp(0, 1)
    assert (found - expected).abs().max() < 1e-4
    assert found.std() > 0.02, "neither black nor white all over"


def test_features_get_the_statistics_of_the_style() -> None:
    content, style = torch.arange(24.0).view(1, 2, 3, 4), torch.arange(24.0).view(1, 2, 3, 4).flip(1) ** 1.5
    found = normalised(content, style)
    assert found.mean((2, 3)) == pytest.approx(style.mean((2, 3)), rel=1e-4)
    assert found.std((2, 3)) == pytest.approx(style.std((2, 3)), rel=1e-4)


def test_wrong_weights_are_said(files: tuple[Path, Path], tmp_path: Path) -> None:
    images = torch.full((1, 3, 16, 16), 0.5)
    (tmp_path / "text.pth").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    encoder, decoder = map(str, files)
    for given, words in [
        ({}, r"needs the file vgg_normalised.pth, which does not exist(.|\n)*releases of github.com/naoto0804"),
        ({"encoder": str(tmp_path / "text.pth")}, "text.pth cannot be read as weights: it is text"),
        ({"encoder": str(tmp_path / "list.pth")}, r"0.weight should have shape \(3, 3, 1, 1\), got nothing"),
        ({"encoder": decoder, "decoder": encoder}, "does not contain the weights of AdaIN's encoder"),
        (
            {"encoder": encoder, "decoder": encoder},
            r"decoder: 1.weight should have shape \(256, 512, 3, 3\), got nothing",
        ),
    ]:
        with pytest.raises(DataError, match=words):
            AdaIN(**given)(images, images)
    with pytest.raises(DataError, match="at least 9 pixels per side"):
        AdaIN(encoder=encoder, decoder=decoder)(images[..., :8], images[..., :8])
