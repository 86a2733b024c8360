"""Sets that were corrupted by others, from disk: the same numbers as when we make them, and never mixed with those."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from published_sets import outcomes, run, shade_model
from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.layouts import published
from robustbench_eff.benchmarks.layouts.published import IMAGE_FOLDERS, frames_of
from robustbench_eff.core.errors import DataError, MissingExtra, MissingInputs, RobustEvalError, UsageError
from robustbench_eff.evaluation.open_images import missing_files
from robustbench_eff.generation.corrupted_files import CorruptionSettings, write_corrupted
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.build_corruption import parse_sequence
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.registry.perturbation_sets import PERTURBATION_SETS
from robustbench_eff.storage.store import Store

TEXTS = ("fog(severity=3)", "shot_noise(severity=5)")


@pytest.fixture
def model(tmp_path: Path) -> Callable[[int], ModelRequest]:
    return partial(shade_model, tmp_path, "thousand")


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(6):
        folder = tmp_path / "clean" / ("n01440764", "n01443537")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, size=(9, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((280, 300)).save(folder / f"val_{number}.png")
    return tmp_path / "clean"


def write_published(clean: Path, out: Path, corruptions: Sequence[str]) -> None:
    data, settings = {"imagenet": str(clean)}, CorruptionSettings(corruptions=corruptions)
    write_corrupted("imagenet-c-generated", out, data, settings)


@pytest.mark.parametrize(
    ("names", "places"),
    [
        ("5 7 10 20 30", "5 7 10 20 30"),
        ("1.00 2.00 3.00 4.00 6.00", "1.00 2.00 3.00 4.00 6.00"),
        ("1 2 3 4 5", "1 2 3 4 5"),
        ("2 3 4 5", "1 2 3 4 5"),
        ("5 7 10 20 30 40", "1 2 3 4 5"),
    ],
)
def test_five_numbered_folders_are_the_severities_in_their_order(tmp_path: Path, names: str, places: str) -> None:
    for name in names.split():
        (tmp_path / "fog" / name).mkdir(parents=True)
    (tmp_path / "fog" / "9").write_text("not a folder")
    found = [IMAGE_FOLDERS.place(tmp_path, "fog", level).name for level in range(1, 6)]
    assert found == places.split()


@pytest.mark.parametrize(
    ("benchmark", "text", "hint"),
    [
        (
            "tiny-imagenet-c",
            "fog(severity=2)",
            "Write it with constants='tiny_imagenet', or choose the whole set with --corruption tiny_imagenet_c.",
        ),
        ("imagenet-3dcc", "fog(severity=2)", "Choose its own set with --corruption imagenet_3dcc, or single ones"),
        ("imagenet-p", "tilt_sequence(constants='cifar10')", "with constants='imagenet', or choose the whole set with"),
        ("bloodmnist-c", "pixelate(severity=1)", "constants='bloodmnist', or choose the whole set with --corruption"),
    ],
)
def test_other_constants_are_refused_with_what_the_set_has(
    tmp_path: Path, benchmark: str, text: str, hint: str
) -> None:
    opened = build_benchmark.benchmark(benchmark, str(tmp_path))
    with pytest.raises(UsageError, match="asks for others") as refused:
        missing_files(opened, str(tmp_path), [parse_perturbation(text)])
    assert hint in refused.value.hint
    (whole,) = re.findall(r"--corruption (\w+)", refused.value.hint)
    missing_files(opened, str(tmp_path), [parse_perturbation(member) for member in PERTURBATION_SETS[whole]])


@pytest.mark.parametrize("size", [224, 64])
def test_our_own_files_are_seen_as_what_we_make(model: Any, clean: Path, tmp_path: Path, size: int) -> None:
    write_published(clean, tmp_path / "c", TEXTS)
    run(model(size), "imagenet-c-generated", TEXTS, tmp_path / "made", imagenet=clean)
    result = run(model(size), "imagenet-c", TEXTS, tmp_path / "read", imagenet_c=tmp_path / "c", imagenet=clean)
    made, read = outcomes(tmp_path / "made"), outcomes(tmp_path / "read")
    assert list(made) == list(read) == ["none", *TEXTS]
    for text in TEXTS:
        assert read[text][1]["prediction"].to_pylist() == made[text][1]["prediction"].to_pylist()
        np.testing.assert_allclose(read[text][1]["margin"], made[text][1]["margin"], rtol=1e-4, atol=1e-4)
        assert read[text][1]["clean_prediction"].to_pylist() == made[text][1]["clean_prediction"].to_pylist()
        assert read[text][0].is_published
        assert np.isnan(read[text][1]["distance_l2"]).all(), "nobody knows how far a published image is"
        assert set(read[text][1]["distance_l0"].to_pylist()) == {-1}
    protocols = {score.perturbation: str(score.protocol) for score in result.scores}
    assert protocols[TEXTS[0]].startswith("published files, 6 images, 224×224 as it is")
    assert ("then 64×64" in protocols[TEXTS[0]]) == (size == 64)


def test_published_files_need_no_clean_images(model: Any, clean: Path, tmp_path: Path) -> None:
    write_published(clean, tmp_path / "c", TEXTS)
    run(model(224), "imagenet-c", TEXTS, tmp_path / "read", imagenet_c=tmp_path / "c")
    read = outcomes(tmp_path / "read")
    assert list(read) == list(TEXTS)
    assert set(read[TEXTS[0]][1]["clean_prediction"].to_pylist()) == {-1}


def test_all_that_is_missing_is_listed_at_once(model: Any, clean: Path, tmp_path: Path) -> None:
    write_published(clean, tmp_path / "c", TEXTS[:1])
    with pytest.raises(MissingInputs) as refused:
        run(
            model(224),
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
        run(model(224), "imagenet-c", TEXTS, tmp_path / "s")


def test_files_of_another_size_are_refused(model: Any, tmp_path: Path) -> None:
    folder = tmp_path / "c" / "fog" / "3" / "n01440764"
    folder.mkdir(parents=True)
    Image.new("RGB", (256, 224)).save(folder / "a.JPEG")
    with pytest.raises(DataError, match="is 256×224, not 224×224"):
        run(model(224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")


def test_a_file_in_the_place_of_a_folder_is_said(model: Any, tmp_path: Path) -> None:
    (tmp_path / "c" / "fog").mkdir(parents=True)
    (tmp_path / "c" / "fog" / "3").write_text("")
    with pytest.raises(DataError, match="cannot be read"):
        run(model(224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")


def test_the_place_of_a_published_set_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EVAL_DATA_IMAGENET", "/data/val")
    assert locations.place(build_benchmark.benchmark("imagenet-c"), {}) is None
    assert locations.place(build_benchmark.benchmark("imagenet-c-generated"), {}) == "/data/val"


def test_a_missing_reader_is_found_before_any_work(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p" / "tilt" / "n01440764").mkdir(parents=True)
    monkeypatch.setattr("robustbench_eff.evaluation.open_images.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingInputs, match=r"robustbench-eff\[video\]"):
        run(model(224), "imagenet-p", ("tilt_sequence",), tmp_path / "s", imagenet_p=tmp_path / "p")
    assert not (tmp_path / "s").exists()


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
    text = parse_perturbation("tilt_sequence").text
    made = parse_sequence(text)
    for path in sorted(clean.rglob("*.png")):
        picture = Image.open(path).resize((256, int(256 * 300 / 280)), Image.Resampling.BILINEAR)
        target = tmp_path / "p" / "tilt" / path.parent.name / f"{path.stem}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(video(made(torch.from_numpy(np.array(picture)), 224).numpy()))
    run(model(224), "imagenet-p-generated", (text,), tmp_path / "made", imagenet=clean)
    run(model(224), "imagenet-p", (text,), tmp_path / "read", imagenet_p=tmp_path / "p")
    first, second = outcomes(tmp_path / "made")[text][1], outcomes(tmp_path / "read")[text][1]
    assert first["ranking"].to_pylist() == second["ranking"].to_pylist()
    assert len(set(np.array(first["ranking"].to_pylist()).flatten())) > 5, "the shade changes as it tilts"


def test_what_is_no_video_is_named() -> None:
    pytest.importorskip("av")
    with pytest.raises(DataError, match=r"a\.mp4 cannot be decoded"):
        frames_of(b"nothing", "a.mp4")


def test_a_playlist_named_as_a_video_opens_nothing(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "secret.mp4").write_bytes(video(np.zeros((2, 32, 32, 3), dtype=np.uint8)))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/secret.mp4\n#EXT-X-ENDLIST\n"
    with pytest.raises(DataError, match=r"a\.mp4 cannot be decoded"):
        frames_of(playlist.encode(), "a.mp4")


def test_the_frames_of_a_video_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    content = video(np.zeros((3, 32, 32, 3), dtype=np.uint8))
    assert len(frames_of(content, "a.mp4")) == 3
    monkeypatch.setattr(published, "MAX_VIDEO_BYTES", 2 * 32 * 32 * 3)
    with pytest.raises(DataError, match="decodes to more than 6,144 bytes"):
        frames_of(content, "a.mp4")


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match=r"robustbench-eff\[video\]"):
        frames_of(b"", "a.mp4")


def test_a_changed_file_is_another_cell(model: Any, clean: Path, tmp_path: Path) -> None:
    write_published(clean, tmp_path / "c", TEXTS[:1])
    run(model(224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(model(224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")
    assert len(Store(tmp_path / "s").cells()) == 1
    Image.new("RGB", (224, 224)).save(next((tmp_path / "c").rglob("*.JPEG")))
    run(model(224), "imagenet-c", TEXTS[:1], tmp_path / "s", imagenet_c=tmp_path / "c")
    assert len(Store(tmp_path / "s").cells()) == 2
    assert issubclass(DataError, RobustEvalError)
