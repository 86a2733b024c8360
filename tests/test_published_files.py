"""Sets that were corrupted by others, from disk: the same numbers as when we make them, and never mixed with those."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from robustbench_eff import catalog, evaluate, tables
from robustbench_eff.api.corrupt import write_corrupted
from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.layouts import frames_of
from robustbench_eff.errors import DataError, MissingExtra, MissingInputs, RobustEvalError, UsageError
from robustbench_eff.scores.from_store import store_scores
from robustbench_eff.scores.sequences import TESTED
from robustbench_eff.store import Store
from robustbench_eff.zoo.request import ModelRequest

TEXTS = ("fog(severity=3)", "shot_noise(severity=5)")
SHADES = """
import torch
class Shades(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes
    def forward(self, images):
        shade = images.mean((1, 2, 3))[:, None]
        return -(shade - torch.linspace(0, 1, self.classes)).abs() * 50
def thousand():
    return Shades(1000)
def ten():
    return Shades(10)
"""
"""The class is the mean shade."""


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str, int], ModelRequest]:
    (tmp_path / "shades.py").write_text(SHADES)
    return lambda factory, size: ModelRequest(name=f"{tmp_path}/shades.py:{factory}", input_size=size)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(6):
        folder = tmp_path / "clean" / ("n01440764", "n01443537")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, size=(9, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((280, 300)).save(folder / f"val_{number}.png")
    return tmp_path / "clean"


def outcomes(store: Path) -> dict[str, Any]:
    """The outcomes of every cell by its perturbation."""
    opened = Store(store)
    return {cell["perturbation"]: (cell, opened.outcomes(cell_id)) for cell_id, cell in opened.cells().items()}


def run(model: ModelRequest, benchmark: str, texts: tuple[str, ...], store: Path, **data: Path):
    places = {name.replace("_", "-"): str(path) for name, path in data.items()}
    return evaluate(model, benchmarks=[benchmark], corruptions=texts, data=places, store=store, shard_size=4)


@pytest.mark.parametrize("size", [224, 64])
def test_our_own_files_are_seen_as_what_we_make(model: Any, clean: Path, tmp_path: Path, size: int) -> None:
    write_corrupted("imagenet-c-generated", tmp_path / "c", data={"imagenet": str(clean)}, corruptions=TEXTS)
    run(model("thousand", size), "imagenet-c-generated", TEXTS, tmp_path / "made", imagenet=clean)
    result = run(
        model("thousand", size), "imagenet-c", TEXTS, tmp_path / "read", imagenet_c=tmp_path / "c", imagenet=clean
    )
    made, read = outcomes(tmp_path / "made"), outcomes(tmp_path / "read")
    assert list(made) == list(read) == ["none", *TEXTS]
    for text in TEXTS:
        assert read[text][1]["prediction"].to_pylist() == made[text][1]["prediction"].to_pylist()
        np.testing.assert_allclose(read[text][1]["margin"], made[text][1]["margin"], rtol=1e-4, atol=1e-4)
        assert read[text][1]["clean_prediction"].to_pylist() == made[text][1]["clean_prediction"].to_pylist()
        assert read[text][0]["configuration"]["published"] is True
        assert np.isnan(read[text][1]["distance_l2"]).all(), "nobody knows how far a published image is"
        assert set(read[text][1]["distance_l0"].to_pylist()) == {-1}
    protocols = {score.perturbation: score.protocol for score in result.scores}
    assert protocols[TEXTS[0]].startswith("published files, 6 images, 224×224 as it is")
    assert ("then 64×64" in protocols[TEXTS[0]]) == (size == 64)


def test_published_files_need_no_clean_images(model: Any, clean: Path, tmp_path: Path) -> None:
    write_corrupted("imagenet-c-generated", tmp_path / "c", data={"imagenet": str(clean)}, corruptions=TEXTS)
    run(model("thousand", 224), "imagenet-c", TEXTS, tmp_path / "read", imagenet_c=tmp_path / "c")
    read = outcomes(tmp_path / "read")
    assert list(read) == list(TEXTS)
    assert set(read[TEXTS[0]][1]["clean_prediction"].to_pylist()) == {-1}


def test_all_that_is_missing_is_listed_at_once(model: Any, clean: Path, tmp_path: Path) -> None:
    write_corrupted("imagenet-c-generated", tmp_path / "c", data={"imagenet": str(clean)}, corruptions=TEXTS[:1])
    with pytest.raises(MissingInputs) as refused:
        run(
            model("thousand", 224),
            "imagenet-c",
            (*TEXTS, "frost(severity=2)"),
            tmp_path / "s",
            imagenet_c=tmp_path / "c",
        )
    assert [item.what for item in refused.value.missing] == [
        "imagenet-c: shot_noise(severity=5)",
        "imagenet-c: frost(severity=2)",
    ]
    assert not (tmp_path / "s").exists()
    with pytest.raises(MissingInputs, match=r"zenodo\.org"):
        run(model("thousand", 224), "imagenet-c", TEXTS, tmp_path / "s")


def test_files_of_another_size_are_refused(model: Any, tmp_path: Path) -> None:
    folder = tmp_path / "c" / "fog" / "3" / "n01440764"
    folder.mkdir(parents=True)
    Image.new("RGB", (256, 224)).save(folder / "a.JPEG")
    with pytest.raises(DataError, match="is 256×224, not 224×224"):
        run(model("thousand", 224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")


def arrays(folder: Path, *, count: int = 4, repeats: int = 5, **named: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "labels.npy", np.tile(np.arange(count), repeats))
    for name, values in named.items():
        np.save(folder / f"{name}.npy", values)
    return folder


def test_an_array_holds_the_severities_one_after_the_other(model: Any, tmp_path: Path) -> None:
    """Image i at severity s is of shade i + s - 1, and so right only at severity 1."""
    shades = np.array([row + level for level in range(5) for row in range(4)])
    pixels = np.repeat((shades * 255 / 9).round().astype(np.uint8), 32 * 32 * 3).reshape(20, 32, 32, 3)
    folder = arrays(tmp_path / "c", contrast=pixels)
    texts = tuple(f"contrast(severity={level}, constants='cifar10')" for level in (1, 2, 5))
    run(model("ten", 32), "cifar10-c", texts, tmp_path / "s", cifar10_c=folder)
    for text, (_, table) in outcomes(tmp_path / "s").items():
        added = int(text[text.index("=") + 1]) - 1
        assert table["prediction"].to_pylist() == [row + added for row in range(4)]
        assert table["correct"].to_pylist() == [added == 0] * 4


def test_arrays_of_sequences_are_ranked_frame_by_frame(model: Any, tmp_path: Path) -> None:
    """Frame f is of shade (i + f) mod 10, so that every frame differs from the one before."""
    shades = (np.arange(4)[:, None] + np.arange(31)) % 10
    frames = np.broadcast_to((shades * 255 / 9).round().astype(np.uint8)[..., None, None, None], (4, 31, 32, 32, 3))
    folder = arrays(tmp_path / "p", repeats=1, rotate=frames, gaussian_noise_2=frames)
    texts = ("rotate_sequence(constants='cifar10')", "gaussian_noise_sequence(difficulty=2, constants='cifar10')")
    result = run(model("ten", 32), "cifar10-p", texts, tmp_path / "s", cifar10_p=folder)
    found = {(score.perturbation.partition("_")[0], score.metric): score.value for score in result.scores}
    assert found["rotate", "flip_probability"] == 1.0
    assert found["gaussian", "flip_probability_difficulty_2"] == pytest.approx(27 / 30)
    (_, table) = outcomes(tmp_path / "s")[next(text for text in outcomes(tmp_path / "s") if "rotate" in text)]
    assert np.array(table["ranking"].to_pylist()).reshape(4, 31, 5)[:, :, 0].tolist() == shades.tolist()


def test_broken_arrays_are_refused(model: Any, tmp_path: Path) -> None:
    text = ("rotate_sequence(constants='cifar10')",)
    frames = np.zeros((4, 30, 32, 32, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="rotate_sequence has 30 frames, not 31"):
        run(
            model("ten", 32),
            "cifar10-p",
            text,
            tmp_path / "s",
            cifar10_p=arrays(tmp_path / "p", repeats=1, rotate=frames),
        )
    with pytest.raises(DataError, match="no sequences in 8 bits"):
        run(
            model("ten", 32),
            "cifar10-p",
            text,
            tmp_path / "s",
            cifar10_p=arrays(tmp_path / "p", repeats=1, rotate=frames[0]),
        )
    (tmp_path / "p" / "labels.npy").unlink()
    with pytest.raises(DataError, match="needs the labels beside it"):
        run(model("ten", 32), "cifar10-p", text, tmp_path / "s", cifar10_p=tmp_path / "p")


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("contrast", lambda file: file.write_bytes(b"nothing"), "cannot be read"),
        ("contrast", lambda file: file.write_bytes(b""), "cannot be read"),
        ("labels", lambda file: np.save(file, np.array(3)), "has labels of shape ()"),
        ("labels", lambda file: np.save(file, np.arange(20) % 10), "does not hold five severities"),
        ("labels", lambda file: np.save(file, np.arange(4)), "needs (20,)"),
    ],
)
def test_spoilt_arrays_are_said(
    model: Any, tmp_path: Path, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    folder = arrays(tmp_path / "c", contrast=np.zeros((20, 32, 32, 3), dtype=np.uint8))
    spoil(folder / f"{name}.npy")
    text = ("contrast(severity=1, constants='cifar10')",)
    with pytest.raises(DataError) as refused:
        run(model("ten", 32), "cifar10-c", text, tmp_path / "s", cifar10_c=folder)
    assert words in refused.value.message


def test_a_file_in_the_place_of_a_folder_is_said(model: Any, tmp_path: Path) -> None:
    (tmp_path / "c" / "fog").mkdir(parents=True)
    (tmp_path / "c" / "fog" / "3").write_text("")
    with pytest.raises(DataError, match="cannot be read"):
        run(model("thousand", 224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")


def test_constants_are_those_of_the_set(model: Any, tmp_path: Path) -> None:
    folder = arrays(tmp_path / "c", contrast=np.zeros((20, 32, 32, 3), dtype=np.uint8))
    with pytest.raises(UsageError, match="made with the constants of cifar10"):
        run(model("ten", 32), "cifar10-c", ("contrast(severity=1)",), tmp_path / "s", cifar10_c=folder)


def of_shades(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_published_cells_make_up_mean_accuracy_and_stability(model: Any, tmp_path: Path) -> None:
    """Every corruption has files of its own, and they are of the same samples."""
    names = tables.IMAGENET_C[:15]
    folder = arrays(tmp_path / "c", **{name: of_shades(20, 32, 32, 3) for name in names})
    texts = tuple(f"{name}(severity={level}, constants='cifar10')" for name in names for level in range(1, 6))
    result = run(model("ten", 32), "cifar10-c", texts, tmp_path / "s", cifar10_c=folder)
    (whole,) = (score for score in result.scores if score.metric == "mean_accuracy")
    single = [score.value for score in result.scores if score.metric == "accuracy"]
    assert len(single) == 75
    assert whole.value == pytest.approx(np.mean(single))
    assert (whole.n, whole.flags) == (4, ())
    np.save(folder / "fog.npy", of_shades(20, 32, 32, 3)[::-1])
    run(model("ten", 32), "cifar10-c", texts, tmp_path / "s", cifar10_c=folder)
    (whole,) = (score for score in store_scores(Store(tmp_path / "s")) if score.metric == "mean_accuracy")
    assert "fog 3 was read from several files, of which the last count" in whole.flags
    frames = {name.removesuffix("_sequence"): of_shades(4, 31, 32, 32, 3) for name in tables.SEQUENCES}
    frames |= {"motion_blur": of_shades(4, 21, 32, 32, 3), "translate": of_shades(4, 16, 32, 32, 3)}
    folder = arrays(tmp_path / "p", repeats=1, **frames)
    texts = tuple(text for text in tables.SETS["cifar10_p"] if "difficulty=1" in text)
    result = run(model("ten", 32), "cifar10-p", texts, tmp_path / "s", cifar10_p=folder)
    (whole,) = (score for score in result.scores if score.metric == "mean_flip_probability")
    flips = {
        score.perturbation.partition("_sequence")[0]: score.value
        for score in result.scores
        if score.metric == "flip_probability"
    }
    assert whole.value == pytest.approx(np.mean([flips[name] for name in TESTED["cifar10"]]))


def test_what_is_there_of_a_published_set_is_run_when_the_rest_is_skipped(model: Any, tmp_path: Path) -> None:
    folder = arrays(tmp_path / "c", contrast=of_shades(20, 32, 32, 3))
    texts = tuple(f"{name}(severity=1, constants='cifar10')" for name in ("contrast", "fog"))
    options = {"benchmarks": ["cifar10-c"], "corruptions": texts, "data": {"cifar10-c": str(folder)}}
    with pytest.raises(MissingInputs, match="cifar10-c: fog"):
        evaluate(model("ten", 32), store=tmp_path / "s", **options)
    result = evaluate(model("ten", 32), store=tmp_path / "s", skip_missing=True, **options)
    assert [score.perturbation for score in result.scores] == [texts[0]]
    assert [item.what for item in result.missing] == [f"cifar10-c: {texts[1]}"]


def test_without_clean_images_there_is_no_clean_accuracy(model: Any, tmp_path: Path) -> None:
    folder = arrays(tmp_path / "c", contrast=of_shades(20, 32, 32, 3))
    with pytest.raises(UsageError, match="There is nothing to evaluate"):
        evaluate(
            model("ten", 32),
            benchmarks=["cifar10-c"],
            attacks=["none"],
            data={"cifar10-c": str(folder)},
            store=tmp_path / "s",
        )


def test_the_place_of_a_published_set_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EVAL_DATA_IMAGENET", "/data/val")
    assert locations.place(catalog.benchmark("imagenet-c"), {}) is None
    assert locations.place(catalog.benchmark("imagenet-c-generated"), {}) == "/data/val"


def test_a_missing_reader_is_found_before_any_work(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p" / "tilt" / "n01440764").mkdir(parents=True)
    monkeypatch.setattr("robustbench_eff.api.published.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingInputs, match=r"robustbench-eff\[video\]"):
        run(model("thousand", 224), "imagenet-p", ("tilt_sequence",), tmp_path / "s", imagenet_p=tmp_path / "p")
    assert not (tmp_path / "s").exists()


def test_a_corruption_is_no_sequence(model: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cifar10-p holds sequences"):
        run(model("ten", 32), "cifar10-p", ("fog(severity=1)",), tmp_path / "s", cifar10_p=arrays(tmp_path / "p"))


def video(frames: np.ndarray) -> bytes:
    """As ffmpeg writes the published ones, but without loss."""
    av = pytest.importorskip("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264rgb", rate=1, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "rgb24"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def test_videos_are_seen_as_the_frames_we_make(model: Any, clean: Path, tmp_path: Path) -> None:
    text = catalog.perturbation_text("tilt_sequence")
    made = catalog.sequence(text)
    for path in sorted(clean.rglob("*.png")):
        picture = Image.open(path).resize((256, int(256 * 300 / 280)), Image.Resampling.BILINEAR)
        target = tmp_path / "p" / "tilt" / path.parent.name / f"{path.stem}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(video(made(torch.from_numpy(np.array(picture)), 224).numpy()))
    run(model("thousand", 224), "imagenet-p-generated", (text,), tmp_path / "made", imagenet=clean)
    run(model("thousand", 224), "imagenet-p", (text,), tmp_path / "read", imagenet_p=tmp_path / "p")
    first, second = outcomes(tmp_path / "made")[text][1], outcomes(tmp_path / "read")[text][1]
    assert first["ranking"].to_pylist() == second["ranking"].to_pylist()
    assert len(set(np.array(first["ranking"].to_pylist()).flatten())) > 5, "the shade changes as it tilts"


def test_what_is_no_video_is_named() -> None:
    pytest.importorskip("av")
    with pytest.raises(DataError, match=r"a\.mp4 cannot be decoded"):
        frames_of(b"nothing", "a.mp4")


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match=r"robustbench-eff\[video\]"):
        frames_of(b"", "a.mp4")


def test_a_changed_file_is_another_cell(model: Any, clean: Path, tmp_path: Path) -> None:
    write_corrupted("imagenet-c-generated", tmp_path / "c", data={"imagenet": str(clean)}, corruptions=TEXTS[:1])
    run(model("thousand", 224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(model("thousand", 224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")
    assert len(Store(tmp_path / "s").cells()) == 1
    Image.new("RGB", (224, 224)).save(next((tmp_path / "c").rglob("*.JPEG")))
    run(model("thousand", 224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")
    assert len(Store(tmp_path / "s").cells()) == 2
    assert issubclass(DataError, RobustEvalError)
