"""The tables that `robust-eval list benchmarks` prints."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from robustbench_eff.cli import lists
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import UsageError
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.benchmarks import BENCHMARKS, SCORED_WITH


def drawn(width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(lists._benchmark_table())
    return console.file.getvalue()


def listed(*words: str) -> str:
    result = CliRunner().invoke(app, ["list", "benchmarks", *words], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("width", [80, 160])
def test_names_are_whole_and_nothing_is_cut_at_any_width(width: int) -> None:
    text = drawn(width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    assert set(BENCHMARKS) | set(SCORED_WITH) <= {line.split()[0] for line in lines if line.strip()}
    licence = build_benchmark.benchmark("imagenet").licence
    assert all(word in text for word in licence.split())


def test_images_that_exist_are_found_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUST_EVAL_DATA_IMAGENET", str(tmp_path))
    monkeypatch.setenv("ROBUST_EVAL_DATA_CIFAR10", "/no/such/place")
    monkeypatch.setenv("ROBUST_EVAL_DATA_CIFAR100", "hf:uoft-cs/cifar100")
    monkeypatch.delenv("ROBUST_EVAL_DATA_OBJECTNET", raising=False)
    images = {name: lists._images(build_benchmark.benchmark(name)) for name in BENCHMARKS}
    assert images["digits"] == ("found", "installed with this package")
    assert images["digits-cue-conflict"] == ("found", "made from digits on first use")
    assert (
        images["imagenet"] == images["imagenet-c-generated"] == images["imagenet-a-clean"] == ("found", str(tmp_path))
    )
    assert images["imagenet-c"][0] == "not found", "the published files are others"
    assert images["cifar10"] == ("not found", "/no/such/place does not exist")
    assert images["cifar100"] == ("on the hub", "hf:uoft-cs/cifar100")
    assert images["objectnet"] == ("not found", f"get them: {build_benchmark.benchmark('objectnet').download_url}")
    assert images["objectnet-1000way"] == ("not found", "needs the images of objectnet")


def test_one_benchmark_is_described_in_full() -> None:
    found = listed("imagenet-a")
    for words in ("argmax over 200 of 1000 outputs", "the model's own", "other protocol imagenet-a-1000way", "MIT"):
        assert words in found
    assert "border of 2 cut off" in listed("objectnet")
    assert "scored with it imagenet-real" in listed("imagenet")
    assert "stylised by fourier(beta=0.5)" in listed("digits-cue-conflict-fourier")
    assert re.search(r"made from the images of imagenet .*JPEG of quality 85", listed("imagenet-c-generated"))


def test_every_benchmark_can_be_described() -> None:
    for name in BENCHMARKS:
        assert f"benchmark {name}: " in listed(name)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("imagenet-a", ["imagenet-a-1000way"]),
        ("imagenet-r-1000way", ["imagenet-r"]),
        ("objectnet", ["objectnet-1000way"]),
        ("cue-conflict-max", ["cue-conflict"]),
        ("imagenet", []),
        ("imagenet-a-clean", []),
        ("cifar10-c-generated", []),
        ("digits-cue-conflict", []),
    ],
)
def test_other_protocols_share_the_images_of_a_benchmark(name: str, others: list[str]) -> None:
    assert build_benchmark.other_protocols(build_benchmark.benchmark(name)) == others


def test_other_labels_are_not_a_benchmark() -> None:
    with pytest.raises(UsageError, match=r"it is scored with imagenet\.\nRun --benchmark imagenet"):
        build_benchmark.benchmark("imagenet-real")
    result = CliRunner().invoke(app, ["list", "benchmarks", "imagenet-real"])
    assert result.exit_code == 2
    assert "imagenet-real scored with imagenet" in listed()
