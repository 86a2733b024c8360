"""Published results: the names of a run, RobustBench's own tables, and completeness."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow.compute as pc
import pytest

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import layout
from robustbench_eff.leaderboards.published import SCHEMA, entries, published, select
from robustbench_eff.leaderboards.published_names import name_of
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.scores.alexnet import published as alexnet

GOLDEN = Path(__file__).parents[1] / "golden"
SHARED = Path(__file__).parents[3] / "shared" / "published"


@pytest.mark.parametrize(
    ("benchmark", "metric", "wanted"),
    [
        ("imagenet", "top1", ("imagenet", "none", "accuracy")),
        ("imagenet-linf-4/255", "autoattack_top1", ("imagenet", "autoattack(eps=4/255)", "robust_accuracy")),
        ("cifar10-l2-0.5", "autoattack_top1", ("cifar10", "autoattack(eps=0.5, norm='l2')", "robust_accuracy")),
        ("imagenet-pgd100-linf-2/255", "top1", ("imagenet", "pgd of 100 steps, linf 2/255", "robust_accuracy")),
        ("cifar10-linf-None", "reported_robust_top1", ("cifar10-linf-None", "an attack not named", "robust_accuracy")),
        ("cifar10-c", "reported_robust_top1", ("cifar10-c", "cifar10_c", "mean_accuracy")),
        ("cifar10-pgd-linf-8/255", "robust_top1", ("cifar10", "pgd of unknown steps, linf 8/255", "robust_accuracy")),
        (
            "cifar10-linf-0.031",
            "reported_robust_top1",
            ("cifar10", "the authors' attack, linf 0.031", "robust_accuracy"),
        ),
        ("imagenet-linf-4/255(1000)", "autoattack_top1", ("imagenet", "autoattack(eps=4/255)", "robust_accuracy")),
        ("imagenet-c/fog/3/on-disk", "top1", ("imagenet-c", "fog(severity=3)", "accuracy")),
        ("imagenet-c/fog(testbed on-disk)", "ce", ("imagenet-c", "fog", "CE")),
        ("imagenet-c", "mce", ("imagenet-c", "imagenet_c", "mCE")),
        ("imagenetv2-topimages", "top1", ("imagenetv2-top-images", "none", "accuracy")),
        ("model-vs-human", "error_consistency", ("model-vs-human", "none", "error_consistency")),
        ("mean(A,R)", "zero_shot_top1", ("mean(A,R)", "none", "zero_shot_top1")),
    ],
)
def test_published_names_become_those_of_a_run(benchmark: str, metric: str, wanted: tuple[str, ...]) -> None:
    assert name_of(benchmark, metric)[:3] == wanted


def test_variants_and_units_of_published_numbers_are_kept() -> None:
    assert name_of("imagenet-linf-4/255(1000)", "autoattack_top1").variant == "1000"
    assert name_of("imagenet-c/fog/3/on-disk", "top1").variant == "on-disk"
    assert name_of("model-vs-human", "mean_rank").unit == "number"
    assert name_of("imagenet", "top1").unit == "fraction"


def test_runnable_perturbations_are_written_as_a_run_writes_them() -> None:
    runnable = 0
    for text in pc.unique(published()["perturbation"]).to_pylist():
        if "(" not in text:  # all severities of a corruption, as in its CE
            continue
        try:
            canonical = parse_perturbation(text).text
        except SpecError:
            continue
        runnable += 1
        assert canonical == text
    assert runnable > 90


def test_pgd_is_runnable_if_its_source_gives_the_step_size() -> None:
    name = ("imagenet-pgd20-linf-4/255", "robust_top1")
    assert name_of(*name, "MadryLab/robustness README").perturbation == "pgd(eps=4/255, steps=20)"
    sat = name_of(*name, "cihangxie/SmoothAdversarialTraining README").perturbation
    assert sat == "pgd(eps=4/255, steps=20, step_size=1/255)"


def test_a_published_ce_has_the_name_of_a_measured_one() -> None:
    rows = published().filter(pc.equal(published()["metric"], "CE"))
    assert rows.num_rows == 2_925 and set(pc.unique(rows["perturbation"]).to_pylist()) == set(alexnet().errors)


def test_claims_and_subsets_of_unknown_size_have_no_interval() -> None:
    table = published()
    claimed = table.filter(pc.equal(table["kind"], "claimed"))
    assert claimed["n"].null_count == claimed["low"].null_count == claimed.num_rows > 200
    attacked = pc.and_(pc.match_substring(table["protocol"], "testbed"), pc.equal(table["metric"], "robust_accuracy"))
    assert table.filter(attacked)["n"].null_count == table.filter(attacked).num_rows > 700


def test_all_rows_are_there_with_their_sources() -> None:
    table = published()
    assert table.num_rows == 65_582 and table.schema.equals(SCHEMA, check_metadata=True)
    assert pc.min(pc.utf8_length(table["source"])).as_py() > 5
    assert set(pc.unique(table["kind"]).to_pylist()) == {"published", "claimed"}
    proportions = table.filter(pc.is_in(table["metric"], pc.cast(["accuracy", "robust_accuracy"], "string")))
    assert pc.min(proportions["value"]).as_py() >= 0 and pc.max(proportions["value"]).as_py() <= 1


def test_a_proportion_of_known_images_has_its_exact_interval() -> None:
    rows = select(models=("rb_imagenet_linf_salman2020do_r50",), benchmarks=("imagenet",)).to_pylist()
    (row,) = [row for row in rows if row["perturbation"] == "autoattack(eps=4/255)"]
    assert (row["value"], row["n"]) == (0.3496, 5000)
    assert (row["low"], row["high"]) == pytest.approx(proportion_interval(1748, 5000))


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the tables of published results are not on this machine")
def test_every_number_is_the_one_that_was_published() -> None:
    expected = []
    for path in sorted([*SHARED.glob("*.csv"), *SHARED.glob("*.csv.gz")]):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = csv.DictReader(io.StringIO(content.decode()))
        if "source_detail" not in (rows.fieldnames or ()):  # a table of something else, which is not shipped
            continue
        expected += [(f"{row['benchmark']} {row['metric']}", float(row["value"])) for row in rows]
    names, units, values = (published()[key].to_pylist() for key in ("published_as", "unit", "value"))
    ours = [value if unit == "number" else 100 * value for unit, value in zip(units, values, strict=True)]
    assert [name for name, _ in expected] == names
    assert [value for _, value in expected] == pytest.approx(ours, abs=1e-9)


def test_a_question_is_answered_without_a_run() -> None:
    models = entries(select(families=("efficientnet",), benchmarks=("imagenet-c",)))
    table = build_table(models, layout("shifts"))
    by_name = {row.model: row for row in table.rows}
    column = next(
        place
        for place, column in enumerate(table.columns)
        if column.metric == "mCE" and "testbed" in str(column.protocol)
    )
    figure = by_name["effnet_b7_advprop"].figures[column]
    assert figure is not None and figure.value == pytest.approx(0.5032, abs=5e-5)
    assert all(row.family == "efficientnet" for row in table.rows)


@pytest.mark.parametrize(("name", "key", "columns"), [("linf", "linf", 3), ("corruptions", "corruptions", 3)])
def test_robustbenchs_tables_have_their_order_and_their_numbers(name: str, key: str, columns: int) -> None:
    site = json.loads((GOLDEN / "robustbench_site.json").read_text())[key]
    table = build_table(entries(select(models=("rb_imagenet_*",))), layout(f"robustbench-imagenet-{name}"))
    ours = []
    for row in table.rows:
        values = [None if figure is None else round(100 * figure.value, 2) for figure in row.figures[:columns]]
        if name == "linf" and values[2] is None:
            values[2] = values[1]  # without a better attack, AutoAttack is the best known one
        ours.append(values)
    assert ours == site
