"""Metrics of plugins in any section, and values that are not numbers: reports, JSON and entries hold what is sound."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from entry_stores import STORES, write
from robustbench_eff.core.metric import Metric, Section
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.validation import problems
from robustbench_eff.publishing.measured_entries import measured_entries
from robustbench_eff.registry.metrics import find_metric, score_functions
from robustbench_eff.reports.json_report import json_object
from robustbench_eff.reports.score_tables import score_table
from robustbench_eff.scores.build_score import score_of
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import CellScores
from robustbench_eff.storage.store import Store

Ends = tuple[float | None, float | None]
VALUE, END = "the value is not a finite number", "an end of the interval is not a finite number"
NAN, INF = math.nan, math.inf


def plug_in(monkeypatch: pytest.MonkeyPatch, metric: Metric, value: float, ends: Ends) -> None:
    """Install a plugin that gives every clean cell this score."""

    def compute(item: CellOutcomes) -> list[Score]:
        return [score_of(item, metric.name, value, ends)]

    class Row:
        def load(self) -> CellScores:
            return CellScores(compute=compute, kinds=("clean",), metrics=(metric,))

    both = (*score_functions(), (metric.name, Row().load()))
    monkeypatch.setattr("robustbench_eff.scores.compute.score_functions", lambda: both)
    monkeypatch.setattr("robustbench_eff.registry.metrics.plugin_metrics", lambda: (metric,))


@pytest.mark.parametrize("section", get_args(Section))
def test_a_metric_of_any_section_is_in_the_report(
    section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(monkeypatch, Metric(name="acme/gap", summary="made up", section=section), 0.4321, (0.25, 0.75))
    file = io.StringIO()
    score_table(store_scores(Store(write(tmp_path, STORES["accuracies"][:2]))), Console(file=file, width=200))
    (line,) = (line for line in file.getvalue().splitlines() if "acme/gap" in line)
    assert "43.21" in line and "25.00" in line and "75.00" in line


@pytest.mark.parametrize(
    ("section", "given", "expected", "flags"),
    [
        ("other", (NAN, 0.1, 0.9), (None, None, None), (VALUE,)),
        ("other", (INF, None, None), (None, None, None), (VALUE,)),
        ("other", (-INF, 0.1, 0.9), (None, None, None), (VALUE,)),
        ("other", (0.5, NAN, 0.9), (0.5, None, None), (END,)),
        ("other", (0.5, 0.1, INF), (0.5, None, None), (END,)),
        ("other", (0.5, 0.1, 0.9), (0.5, 0.1, 0.9), ()),
        ("other", (None, None, None), (None, None, None), ()),
        ("distance", (INF, 0.5, INF), (INF, 0.5, INF), ()),
        ("distance", (-INF, None, None), (None, None, None), (VALUE,)),
        ("distance", (0.5, 0.1, NAN), (0.5, None, None), (END,)),
        ("clean", (NAN, NAN, NAN), (None, None, None), (VALUE,)),
    ],
)
def test_what_is_not_a_number_is_left_out_with_a_flag(
    section: Section,
    given: tuple[float | None, ...],
    expected: tuple[float | None, ...],
    flags: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metric = Metric(name="acme/gap", summary="made up", unit="number", low=None, high=None, section=section)
    plug_in(monkeypatch, metric, given[0], given[1:])
    place = write(tmp_path, STORES["accuracies"][:2])
    scores = store_scores(Store(place))
    (score,) = (score for score in scores if score.metric == "acme/gap")
    assert (score.value, score.low, score.high, score.flags) == (*expected, flags)
    score_table(scores, Console(file=io.StringIO(), width=80))
    assert len(json.loads(json_object(scores, "store", (), ()), parse_constant=pytest.fail)["scores"]) == len(scores)
    (entry,) = measured_entries([place])
    (result,) = (result for result in entry.measured if result.metric == "acme/gap")
    assert (result.value, result.low, result.high, result.flags) == (*expected, flags)
    assert problems(entry.with_checksum(), proportion_interval, find_metric) == []
