"""From a suite of corruptions to scores: on the digits that are shipped, and as the published files are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustbench_eff import evaluate
from robustbench_eff.core.errors import DataError, SpecError, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.storage.store import Store
from running import accuracies

WHITENESS = """
import torch
class Mean(torch.nn.Module):
    def forward(self, images):
        mean = images.mean((1, 2, 3))[:, None]
        return torch.cat((0.5 - mean, mean - 0.5, torch.full((len(mean), 998), -9.0)), 1)
def build():
    return Mean()
"""


def corrupted_accuracies(store: Path, *texts: str, **options) -> dict[str, float]:
    scores = evaluate("digits_standard", corruptions=texts, limit=40, store=store, **options).scores
    return {score.perturbation: score.value for score in scores if score.metric == "accuracy"}


def test_more_fog_is_worse_and_what_is_stored_is_not_computed_again(tmp_path: Path) -> None:
    texts = [f"fog(severity={level}, constants='cifar10')" for level in (1, 3, 5)]
    found = corrupted_accuracies(tmp_path / "store", *texts)
    assert list(found) == ["none", *texts]
    assert found["none"] >= found[texts[0]] > found[texts[1]] > found[texts[2]]
    before = sorted((tmp_path / "store").glob("cells/*/*.parquet"))
    assert corrupted_accuracies(tmp_path / "store", *texts) == found
    assert sorted((tmp_path / "store").glob("cells/*/*.parquet")) == before


def test_shards_change_no_byte(tmp_path: Path) -> None:
    text = "impulse_noise(severity=5, constants='cifar10')"
    outcomes = []
    for size in (7, 40):
        corrupted_accuracies(tmp_path / f"{size}", text, shard_size=size)
        store = Store(tmp_path / f"{size}")
        (cell,) = (cell_id for cell_id, cell in store.cells().items() if cell.configuration)
        outcomes.append(store.outcomes(cell).select(["prediction", "margin", "distance_l2"]).to_pydict())
    assert outcomes[0]["prediction"] == outcomes[1]["prediction"]
    for column in ("margin", "distance_l2"):
        assert outcomes[0][column] == pytest.approx(outcomes[1][column], rel=1e-5, abs=1e-5)


def test_a_corruption_is_right_where_the_corrupted_image_is(tmp_path: Path) -> None:
    """Unlike under attack it does not matter whether the clean image was."""
    corrupted_accuracies(tmp_path / "store", "contrast(severity=4, constants='cifar10')")
    store = Store(tmp_path / "store")
    for cell_id, cell in store.cells().items():
        if cell.configuration:
            table = store.outcomes(cell_id)
            assert (np.array(table["correct"]) == (np.array(table["prediction"]) == np.array(table["label"]))).all()
            assert not any(table["flag"].to_pylist())


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Ten grey pictures with noise in two of ImageNet's classes, larger than the crop."""
    random = np.random.default_rng(0)
    for number in range(10):
        folder = tmp_path / "imagenet" / ("n01440764", "n01443537")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 110, size=(300, 280, 3)) + 140 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "imagenet"


@pytest.mark.parametrize("size", [224, 96])
def test_imagenet_c_is_made_at_224_pixels_as_jpeg_whatever_the_model_sees(
    photographs: Path, tmp_path: Path, size: int
) -> None:
    (tmp_path / "mean.py").write_text(WHITENESS)
    request = ModelRequest(name=f"{tmp_path}/mean.py:build", input_size=size)
    result = evaluate(
        request,
        benchmarks=["imagenet-c-generated"],
        corruptions=["gaussian_noise(severity=2)"],
        data={"imagenet": str(photographs)},
        store=tmp_path / "store",
    )
    _, corrupted = accuracies(result.scores)
    assert "short side 256, centre 224×224, bilinear, corrupted ones saved as JPEG 85" in str(corrupted.protocol)
    assert (f"then {size}×{size}" in str(corrupted.protocol)) == (size != 224)
    assert corrupted.value == 1.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fog(severity=6)", "severity must be 1 to 5, got 6"),
        ("fog(strength=2)", "does not have a field 'strength'"),
        ("fogg", "Did you mean 'fog'"),
        ("snow_imagecorruptions(constants='cifar10')", "does not define constants for 'cifar10'"),
        ("fog from digits_standard", "Cannot read"),
    ],
)
def test_bad_corruptions_are_refused_before_any_work(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises((SpecError, UsageError)) as refused:
        corrupted_accuracies(tmp_path / "store", text)
    assert words in f"{refused.value.message} {refused.value.hint}"
    assert not (tmp_path / "store").exists()


def test_frost_without_its_pictures_is_refused_before_any_work_and_with_them_they_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "frost_published(severity=3, constants='cifar10')"
    with monkeypatch.context() as without:
        without.delenv("ROBUST_EVAL_FROST", raising=False)
        with pytest.raises(DataError, match="ROBUST_EVAL_FROST"):
            corrupted_accuracies(tmp_path / "store", "fog", text)
    assert not (tmp_path / "store").exists()
    pytest.importorskip("imagecorruptions", reason="it brings the published pictures")
    assert text in corrupted_accuracies(tmp_path / "store", text)
    stored = [cell.configuration for cell in Store(tmp_path / "store").cells().values()]
    assert [bool(fields.get("pictures")) for fields in stored] == [bool(fields) for fields in stored]
    assert any(stored)
