"""Own images are corrupted with the constants for their size, and no number mixes or hides constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from published_sets import shade_model
from robustbench_eff import evaluate
from robustbench_eff.core.errors import UsageError
from robustbench_eff.registry import build_benchmark
from robustbench_eff.reports.severity_table import severity_tables
from robustbench_eff.scores.alexnet import published
from robustbench_eff.scores.cell_groups import CellOutcomes, comparable
from robustbench_eff.scores.corruptions import corruption_contributions
from robustbench_eff.storage.store import Store


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "test.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    np.savez(path, x=pixels, y=np.array([5, 4, 5, 4, 5, 6]))
    return path


def test_own_small_images_have_the_numbers_of_the_shipped_benchmark(images: Path, tmp_path: Path) -> None:
    """The suite of corruptions, on the same images under both names, in one store."""
    model = shade_model(tmp_path, "ten", 32)
    store = tmp_path / "s"
    data = {"mine": str(images), "cifar10": str(images)}
    names = ["mine", "cifar10-c-generated"]
    result = evaluate(model, suite="corruptions", benchmarks=names, data=data, store=store)
    found = {
        name: {(score.perturbation, score.metric): score.value for score in result.scores if score.benchmark == name}
        for name in names
    }
    assert found["mine"] == found["cifar10-c-generated"]
    assert len(found["mine"]) > 95
    assert ("cifar10_c", "mean_accuracy") in found["mine"]
    assert not {metric for _, metric in found["mine"]} & {"mCE", "relative_mCE", "CE"}
    corrupted = [score for score in result.scores if score.kind in ("corruption", "several")]
    printed = severity_tables(corrupted, {})
    assert len(printed) == 2
    for table in printed:
        assert "constants of cifar10" in str(table.table.title)
        assert table.below.startswith("15 corruptions with the constants of CIFAR-10-C: mean accuracy")


def test_cells_of_other_constants_are_not_averaged_and_have_no_mce(images: Path, tmp_path: Path) -> None:
    """On ImageNet's classes, 14 corruptions with its constants and one with CIFAR-10-C's make no mean."""
    model, store = shade_model(tmp_path, "thousand", 32), tmp_path / "s"
    names = [*published().errors]
    texts = [f"{name}(severity={level})" for name in names[1:] for level in range(1, 6)]
    small = [f"{name}(severity={level}, constants='cifar10')" for name in names for level in range(1, 6)]
    options = {"benchmarks": ["imagenet"], "data": {"imagenet": str(images)}, "store": store, "limit": 2}
    result = evaluate(model, corruptions=[*texts, *small], **options)
    whole = {(score.perturbation, score.metric) for score in result.scores if score.kind == "several"}
    assert whole == {("cifar10_c", "mean_accuracy")}
    opened = Store(store)
    cells = [CellOutcomes(cell, opened.outcomes(cell.id)) for cell in opened.cells().values() if cell.kind != "none"]
    groups = comparable(cells)
    assert [{item.cell.constants for item in group} for group in groups] == [{"imagenet"}, {"cifar10"}]
    assert [len(corruption_contributions(group, published())[0]) for group in groups] == [0, 1]


def test_large_images_have_the_constants_of_imagenet(images: Path, tmp_path: Path) -> None:
    text = "contrast(severity=2, constants='by_size')"
    model = shade_model(tmp_path, "ten", 96)
    evaluate(model, corruptions=[text], benchmarks=["mine"], data={"mine": str(images)}, store=tmp_path / "s")
    assert {cell.perturbation for cell in Store(tmp_path / "s").cells().values()} == {"none", "contrast(severity=2)"}


def test_a_corruption_of_published_files_is_refused_on_other_images_before_any_work(
    images: Path, tmp_path: Path
) -> None:
    model = shade_model(tmp_path, "ten", 32)
    options = {"benchmarks": ["mine"], "data": {"mine": str(images)}, "store": tmp_path / "s"}
    with pytest.raises(UsageError, match="is read from published files and cannot be generated"):
        evaluate(model, corruptions=["tiny_imagenet_c"], **options)
    assert not Store(tmp_path / "s").cells()


def test_every_suite_names_its_published_sets() -> None:
    """`any` leaves the constants open; every published set has its own."""
    suite = build_benchmark.suite("corruptions")
    assert suite.perturbations("mine") == ("none", "common_corruptions")
    for name in suite.benchmarks():
        assert "common_corruptions" not in suite.perturbations(name)
