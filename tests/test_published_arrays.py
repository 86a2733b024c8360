"""CIFAR-10-C and -P from disk: arrays of all severities, and of frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from published_sets import SHADES, arrays, outcomes, run, shade_model
from robustbench_eff import evaluate
from robustbench_eff.core.errors import DataError, MissingInputs, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry.medmnist_c import MEDMNIST_C
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, PERTURBATION_SETS, SEQUENCE_SETS
from robustbench_eff.registry.sequences import SEQUENCES
from robustbench_eff.reports.severity_table import severity_tables
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.storage.store import Store


@pytest.fixture
def model(tmp_path: Path) -> ModelRequest:
    return shade_model(tmp_path, "ten", 32)


def test_an_array_holds_the_severities_one_after_the_other(model: ModelRequest, tmp_path: Path) -> None:
    """Image i at severity s is of shade i + s - 1, and so right only at severity 1."""
    shades = np.array([row + level for level in range(5) for row in range(4)])
    pixels = np.repeat((shades * 255 / 9).round().astype(np.uint8), 32 * 32 * 3).reshape(20, 32, 32, 3)
    folder = arrays(tmp_path / "c", contrast=pixels)
    texts = tuple(f"contrast(severity={level}, constants='cifar10')" for level in (1, 2, 5))
    run(model, "cifar10-c", texts, tmp_path / "s", cifar10_c=folder)
    for text, (_, table) in outcomes(tmp_path / "s").items():
        added = int(text[text.index("=") + 1]) - 1
        assert table["prediction"].to_pylist() == [row + added for row in range(4)]
        assert table["correct"].to_pylist() == [added == 0] * 4


def test_arrays_of_sequences_are_ranked_frame_by_frame(model: ModelRequest, tmp_path: Path) -> None:
    """Frame f is of shade (i + f) mod 10, so that every frame differs from the one before."""
    shades = (np.arange(4)[:, None] + np.arange(31)) % 10
    frames = np.broadcast_to((shades * 255 / 9).round().astype(np.uint8)[..., None, None, None], (4, 31, 32, 32, 3))
    folder = arrays(tmp_path / "p", repeats=1, rotate=frames, gaussian_noise_2=frames)
    texts = ("rotate_sequence(constants='cifar10')", "gaussian_noise_sequence(difficulty=2, constants='cifar10')")
    result = run(model, "cifar10-p", texts, tmp_path / "s", cifar10_p=folder)
    found = {(score.perturbation.partition("_")[0], score.metric): score.value for score in result.scores}
    assert found["rotate", "flip_probability"] == 1.0
    assert found["gaussian", "flip_probability_difficulty_2"] == pytest.approx(27 / 30)
    (_, table) = outcomes(tmp_path / "s")[next(text for text in outcomes(tmp_path / "s") if "rotate" in text)]
    assert np.array(table["ranking"].to_pylist()).reshape(4, 31, 5)[:, :, 0].tolist() == shades.tolist()


def test_broken_arrays_are_refused(model: ModelRequest, tmp_path: Path) -> None:
    text = ("rotate_sequence(constants='cifar10')",)
    frames = np.zeros((4, 30, 32, 32, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="rotate_sequence has 30 frames, not 31"):
        run(
            model,
            "cifar10-p",
            text,
            tmp_path / "s",
            cifar10_p=arrays(tmp_path / "p", repeats=1, rotate=frames),
        )
    with pytest.raises(DataError, match="not 8-bit sequences"):
        run(
            model,
            "cifar10-p",
            text,
            tmp_path / "s",
            cifar10_p=arrays(tmp_path / "p", repeats=1, rotate=frames[0]),
        )
    arrays(tmp_path / "p", repeats=1, rotate=frames)
    (tmp_path / "p" / "labels.npy").unlink()
    with pytest.raises(DataError, match="needs labels in the same folder, or the test set"):
        run(model, "cifar10-p", text, tmp_path / "s", cifar10_p=tmp_path / "p")


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("contrast", lambda file: file.write_bytes(b"nothing"), "is not an array of NumPy"),
        ("contrast", lambda file: file.write_bytes(b""), "is empty"),
        ("labels", lambda file: np.save(file, np.array(3)), "has labels of shape ()"),
        ("labels", lambda file: np.save(file, np.arange(20) % 10), "does not hold five severities"),
        ("labels", lambda file: np.save(file, np.arange(5)), "needs (4,) or (20,)"),
        ("contrast", lambda file: np.save(file, np.zeros((21, 32, 32, 3), np.uint8)), "not five severities"),
    ],
)
def test_spoilt_arrays_are_said(
    model: ModelRequest, tmp_path: Path, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    folder = arrays(tmp_path / "c", contrast=np.zeros((20, 32, 32, 3), dtype=np.uint8))
    spoil(folder / f"{name}.npy")
    text = ("contrast(severity=1, constants='cifar10')",)
    with pytest.raises(DataError) as refused:
        run(model, "cifar10-c", text, tmp_path / "s", cifar10_c=folder)
    assert words in refused.value.message


def test_constants_are_those_of_the_set(model: ModelRequest, tmp_path: Path) -> None:
    folder = arrays(tmp_path / "c", contrast=np.zeros((20, 32, 32, 3), dtype=np.uint8))
    with pytest.raises(UsageError, match="made with the constants of cifar10"):
        run(model, "cifar10-c", ("contrast(severity=1)",), tmp_path / "s", cifar10_c=folder)


def of_shades(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_published_cells_make_up_mean_accuracy_and_stability(model: ModelRequest, tmp_path: Path) -> None:
    """Every corruption has files of its own, and they are of the same samples."""
    names = IMAGENET_C
    folder = arrays(tmp_path / "c", **{name: of_shades(20, 32, 32, 3) for name in names})
    texts = tuple(f"{name}(severity={level}, constants='cifar10')" for name in names for level in range(1, 6))
    result = run(model, "cifar10-c", texts, tmp_path / "s", cifar10_c=folder)
    (whole,) = (score for score in result.scores if score.metric == "mean_accuracy")
    single = [score.value for score in result.scores if score.metric == "accuracy"]
    assert len(single) == 75
    assert whole.value == pytest.approx(np.mean(single))
    assert (whole.n, whole.flags) == (4, ())
    np.save(folder / "fog.npy", of_shades(20, 32, 32, 3)[::-1])
    run(model, "cifar10-c", texts, tmp_path / "s", cifar10_c=folder)
    (whole,) = (score for score in store_scores(Store(tmp_path / "s")) if score.metric == "mean_accuracy")
    assert "fog 3 was read from several files, of which the last counts" in whole.flags
    frames = {name.removesuffix("_sequence"): of_shades(4, 31, 32, 32, 3) for name in SEQUENCES}
    frames |= {"motion_blur": of_shades(4, 21, 32, 32, 3), "translate": of_shades(4, 16, 32, 32, 3)}
    folder = arrays(tmp_path / "p", repeats=1, **frames)
    texts = tuple(text for text in PERTURBATION_SETS["cifar10_p"] if "difficulty=1" in text)
    result = run(model, "cifar10-p", texts, tmp_path / "s", cifar10_p=folder)
    (whole,) = (score for score in result.scores if score.metric == "mean_flip_probability")
    flips = {
        score.perturbation.partition("_sequence")[0]: score.value
        for score in result.scores
        if score.metric == "flip_probability"
    }
    assert whole.value == pytest.approx(np.mean([flips[name] for name in SEQUENCE_SETS["cifar10_p"].names]))


def test_what_is_there_of_a_published_set_is_run_when_the_rest_is_skipped(model: ModelRequest, tmp_path: Path) -> None:
    folder = arrays(tmp_path / "c", contrast=of_shades(20, 32, 32, 3))
    texts = tuple(f"{name}(severity=1, constants='cifar10')" for name in ("contrast", "fog"))
    options = {"benchmarks": ["cifar10-c"], "corruptions": texts, "data": {"cifar10-c": str(folder)}}
    with pytest.raises(MissingInputs, match="cifar10-c: fog"):
        evaluate(model, store=tmp_path / "s", **options)
    result = evaluate(model, store=tmp_path / "s", skip_missing=True, **options)
    assert [score.perturbation for score in result.scores] == [texts[0]]
    assert [item.what for item in result.missing] == [f"cifar10-c: {texts[1]}"]


def test_without_clean_images_there_is_no_clean_accuracy(model: ModelRequest, tmp_path: Path) -> None:
    folder = arrays(tmp_path / "c", contrast=of_shades(20, 32, 32, 3))
    with pytest.raises(UsageError, match="There is nothing to evaluate"):
        evaluate(
            model,
            benchmarks=["cifar10-c"],
            attacks=["none"],
            data={"cifar10-c": str(folder)},
            store=tmp_path / "s",
        )


def test_a_corruption_is_no_sequence(model: ModelRequest, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cifar10-p holds sequences"):
        run(model, "cifar10-p", ("fog(severity=1)",), tmp_path / "s", cifar10_p=arrays(tmp_path / "p"))


def test_sequences_without_labels_have_those_of_the_test_set(model: ModelRequest, tmp_path: Path) -> None:
    """CIFAR-10-P is published without labels; the test set is in the same order."""
    frames = np.broadcast_to(
        (np.arange(4) * 255 / 9).round().astype(np.uint8)[:, None, None, None, None], (4, 31, 32, 32, 3)
    )
    folder = arrays(tmp_path / "p", repeats=1, rotate=frames)
    (folder / "labels.npy").unlink()
    np.savez(tmp_path / "test.npz", x=frames[:, 0], y=np.array([0, 1, 2, 9]))
    texts = ("rotate_sequence(constants='cifar10')",)
    run(model, "cifar10-p", texts, tmp_path / "s", cifar10_p=folder, cifar10=tmp_path / "test.npz")
    (_, table) = outcomes(tmp_path / "s")[parse_perturbation(texts[0]).text]
    assert table["label"].to_pylist() == [0, 1, 2, 9]
    assert table["correct"].to_pylist() == [True, True, True, False]


def test_a_set_of_other_corruptions_has_a_mean_of_its_own(tmp_path: Path) -> None:
    """MedMNIST-C: grey images, 6 corruptions of OCTMNIST; image i at severity s is of shade i + s - 1."""
    (tmp_path / "shades.py").write_text(f"{SHADES}\ndef four():\n    return Shades(4)\n")
    model = ModelRequest(name=f"{tmp_path}/shades.py:four", input_size=224)
    shades = np.minimum([row + level for level in range(5) for row in range(4)], 3)
    pixels = np.broadcast_to((shades * 85).astype(np.uint8)[:, None, None], (20, 224, 224))
    (tmp_path / "octmnist").mkdir()
    for name in MEDMNIST_C["octmnist"]:
        labels = np.tile(np.arange(4), 5)[:, None]
        np.savez_compressed(tmp_path / "octmnist" / f"{name}.npz", test_images=pixels, test_labels=labels)
    data = {"octmnist-c": str(tmp_path)}
    result = evaluate(model, suite="corruptions", benchmarks=["octmnist-c"], data=data, store=tmp_path / "s")
    single = {score.perturbation: score.value for score in result.scores if score.metric == "accuracy"}
    assert len(single) == 30
    assert single["pixelate(severity=2, constants='octmnist')"] == 0.25
    (whole,) = (score for score in result.scores if score.kind == "several")
    assert (whole.perturbation, whole.metric) == ("octmnist_c", "mean_accuracy")
    assert whole.value == pytest.approx(np.mean([*single.values()]))
    (printed,) = severity_tables([score for score in result.scores if score.kind in ("corruption", "several")], {})
    assert printed.below.startswith("6 corruptions of MedMNIST-C for octmnist: mean accuracy")
