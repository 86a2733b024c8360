"""A benchmark and a reader of another package, with a slash in their names, work like our own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from labelled_sets import npz
from robustbench_eff import evaluate
from robustbench_eff.benchmarks import locations
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.registry import build_benchmark, plugins
from robustbench_eff.registry.open_benchmark import open_location
from robustbench_eff.registry.readers import READERS
from robustbench_eff.storage.store import Store
from robustbench_eff.testing import BENCHMARK_CHECKS, READER_CHECKS

MODULE = """
import numpy as np

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages, file_stamp
from robustbench_eff.benchmarks.reader import Reader

RECORD = 1 + 32 * 32 * 3


def open_blob(path, split):
    records = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, RECORD)
    return LabelledImages(
        origin=str(path),
        ids=[f"{row:04d}" for row in range(len(records))],
        labels=records[:, 0].tolist(),
        read=lambda row: records[row, 1:].reshape(32, 32, 3),
        stamp=file_stamp(path),
        split=split,
    )


BLOB = Reader(understands=lambda path: path.suffix in (".blob", ".npz"), open=open_blob)
PAIRS = Benchmark(
    name="acme/pairs",
    title="pairs of digits (Acme 2026)",
    label_space="digits",
    licence="CC0",
    download_url="https://acme.example/pairs.blob",
    size="5 images",
    num_classes=10,
)
"""
ENTRY_POINTS = """
[robustbench_eff.benchmarks]
acme/pairs = acme_pairs:PAIRS

[robustbench_eff.readers]
acme/blob = acme_pairs:BLOB
"""
COUNT = 5


@pytest.fixture
def blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed plugin, and a file in its format."""
    site = tmp_path / "site"
    (site / "acme_pairs-1.0.dist-info").mkdir(parents=True)
    (site / "acme_pairs.py").write_text(MODULE)
    (site / "acme_pairs-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-pairs\nVersion: 1.0\n"
    )
    (site / "acme_pairs-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "acme_pairs", raising=False)
    plugins.plugins.cache_clear()
    records = np.random.default_rng(0).integers(0, 256, (COUNT, 1 + 32 * 32 * 3), dtype=np.uint8)
    records[:, 0] %= 10
    (tmp_path / "pairs.blob").write_bytes(records.tobytes())
    yield tmp_path / "pairs.blob"
    plugins.plugins.cache_clear()


def test_the_plugin_keeps_the_contracts(blob: Path) -> None:
    for check in BENCHMARK_CHECKS:
        check(build_benchmark.benchmark("acme/pairs"))
    for check in READER_CHECKS:
        check(READERS["acme/blob"].load(), blob)


@pytest.mark.parametrize("given", ["option", "variable", "file"])
def test_it_is_evaluated_wherever_its_images_are_named(
    blob: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if given == "variable":
        monkeypatch.setenv("ROBUST_EVAL_DATA_ACME__PAIRS", str(blob))
    if given == "file":
        (tmp_path / "robust-eval.yaml").write_text(f"data:\n  acme/pairs: {blob}\n")
    words = ["--model", "digits_standard", "--benchmark", "acme/pairs", "--attack", "fgsm(eps=8/255)"]
    words += ["--store", str(tmp_path / "store"), *(["--data", f"acme/pairs={blob}"] if given == "option" else [])]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    cells = Store(tmp_path / "store").cells().values()
    assert {(cell.benchmark, str(cell.protocol)) for cell in cells} == {
        ("acme/pairs", f"test, {COUNT} images, 32×32 as it is")
    }


def test_without_images_it_says_how_to_pass_them(blob: Path) -> None:
    with pytest.raises(MissingInputs, match="--data acme/pairs=PATH") as refused:
        evaluate("digits_standard", benchmarks=["acme/pairs"])
    assert "https://acme.example/pairs.blob" in str(refused.value)


def test_it_is_listed(blob: Path) -> None:
    assert "acme/pairs" in CliRunner().invoke(app, ["list", "benchmarks"]).output
    words = " ".join(CliRunner().invoke(app, ["list", "benchmarks", "acme/pairs"]).output.split())
    assert "--data acme/pairs=PATH, or the environment variable ROBUST_EVAL_DATA_ACME__PAIRS" in words
    with pytest.raises(UsageError, match="Did you mean 'acme/pairs'"):
        build_benchmark.benchmark("acme/pair")


def test_its_reader_is_asked_after_ours(blob: Path, tmp_path: Path) -> None:
    assert list(READERS)[-2:] == ["class_folders", "acme/blob"]
    assert open_location(str(npz(tmp_path / "set")), "test").split == "local files"
    assert open_location(str(blob), "validation").split == "validation"


def test_names_that_differ_by_a_slash_have_variables_that_differ() -> None:
    assert locations.variable("acme/pairs") == "ROBUST_EVAL_DATA_ACME__PAIRS"
    assert locations.variable("acme-pairs") == "ROBUST_EVAL_DATA_ACME_PAIRS"
