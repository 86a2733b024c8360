"""Tables of equal models call none of them better in 95 % of simulated tables, at every n and number of models.

All seeds are fixed. A share of errors may exceed 5 % by three standard errors of the number of tables; the long
simulations, marked slow, have many more. Each promise has a control that shows that the simulation can fail, and one
that clearly different models are told apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import norm

from robustbench_eff.core import statistics
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import LEVEL, PairTests, median_interval, proportion_interval, table_ranks
from robustbench_eff.leaderboards.ranking import LEAST_P_OF_MEDIANS
from robustbench_eff.leaderboards.ranking import pair_tests as board_tests
from robustbench_eff.leaderboards.table import Estimate
from robustbench_eff.scores.bounded_means import mean_interval
from robustbench_eff.scores.paired import difference_interval
from robustbench_eff.scores.paired_means import means, paired_differences, ratios
from robustbench_eff.scores.per_sample import SampleContributions
from robustbench_eff.scores.ranks import pair_tests

Array = np.ndarray
Random = np.random.Generator
Table = Callable[[Random, int, int], list[PairTests]]
"""Draws the tests of a table's columns, given a number of samples and of models."""
SIZES = (5, 10, 20, 50, 200)
TABLES = {2: 150, 5: 80, 20: 60}
"""How many tables the short simulations draw, by number of models; only the slow ones test 100 models."""
SLOW_TABLES = {2: 1000, 5: 600, 20: 200, 100: 40}
cached_interval = lru_cache(maxsize=None)(proportion_interval)


def row(values: Array, weights: Array | None = None, high: float = 1.0) -> list[SampleContributions]:
    """One score of several models, as `compare` has it."""
    ids = [str(number) for number in range(values.shape[1])]
    return [
        SampleContributions(
            benchmark="digits",
            perturbation="none",
            metric="accuracy",
            protocol=Protocol(),
            sample_ids=ids,
            values=of_model.astype(float),
            weights=None if weights is None else weights[number],
            bounds=(0.0, high),
        )
        for number, of_model in enumerate(values)
    ]


def hits(random: Random, rate: float | Array, n: int, models: int, common: float = 0.7) -> Array:
    """Answers that are right with a probability of `rate`, by models that find the same samples hard."""
    own = random.normal(size=(models, n)) * math.sqrt(1 - common)
    return random.normal(size=n) * math.sqrt(common) + own < norm.ppf(rate)


def accuracies(rate: float, common: float = 0.7) -> Table:
    return lambda random, n, models: [pair_tests(row(hits(random, rate, n, models, common)))]


def inflated(random: Random, n: int, models: int) -> Array:
    """Errors on 6 % of the samples, each of which is anything from slight to total, as in a corruption error."""
    return np.where(hits(random, 0.06, n, models, 0.3), random.beta(2, 2, size=(models, n)), 0.0)


def skewed(random: Random, n: int, models: int) -> Array:
    """Half of the models are a little worse on all samples, the others much worse on a tenth; all means are 0.1."""
    values = (random.random((models, n)) < 0.1).astype(float)
    values[: models // 2] = 0.1
    return values


def bounded_means(draw: Callable[[Random, int, int], Array]) -> Table:
    return lambda random, n, models: [pair_tests(row(draw(random, n, models)))]


def biases(random: Random, n: int, models: int, bias: float | Array = 0.2) -> tuple[Array, Array]:
    """Shape decisions among decisions; every second model decides less often."""
    decides = np.where(np.arange(models) % 2, 0.4, 0.9)[:, None]
    decided = hits(random, decides, n, models).astype(float)
    return decided * hits(random, bias, n, models), decided


def shape_biases(random: Random, n: int, models: int) -> list[PairTests]:
    return [pair_tests(row(*biases(random, n, models)))]


def proportions(random: Random, rate: float | Array, n: int, models: int) -> PairTests:
    counts = random.binomial(n, rate, size=models)
    return board_tests(
        [Estimate(int(count) / n, *cached_interval(int(count), n), n) for count in counts], higher_is_better=True
    )


def board_of_proportions(rate: float) -> Table:
    return lambda random, n, models: [proportions(random, rate, n, models)]


def board_of_means(draw: Callable[[Random, int, int], Array]) -> Table:
    def tests(random: Random, n: int, models: int) -> list[PairTests]:
        numbers = [Estimate(float(of.mean()), *mean_interval(of), n) for of in draw(random, n, models)]
        return [board_tests(numbers, higher_is_better=False)]

    return tests


def board_of_medians(random: Random, n: int, models: int) -> list[PairTests]:
    """Half of the images survive, so that there is a gap above the median."""
    infinite = random.random((models, n)) < 0.5
    distances = np.where(infinite, np.inf, random.uniform(0, 0.0627, size=(models, n)))
    numbers = [Estimate(float(np.median(of)), *median_interval(of), n, 0.0627) for of in distances]
    return [board_tests(numbers, higher_is_better=True, least_p=LEAST_P_OF_MEDIANS)]


def several_columns(random: Random, n: int, models: int) -> list[PairTests]:
    """A board of six columns."""
    return [proportions(random, rate, n, models) for rate in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)]


def several_rows(random: Random, n: int, models: int) -> list[PairTests]:
    """What `compare` shows: clean and attacked images, a mean over corruptions, shape bias."""
    right = [accuracies(rate)(random, n, models) for rate in (0.5, 0.8, 0.95)]
    columns = [*right, bounded_means(inflated)(random, n, models), shape_biases(random, n, models)]
    return [column for (column,) in columns]


EQUAL: Mapping[str, Table] = {
    "compare: accuracy .5": accuracies(0.5),
    "compare: accuracy .5 of independent models": accuracies(0.5, 0.0),
    "compare: accuracy .95": accuracies(0.95),
    "compare: means with errors on 6 %": bounded_means(inflated),
    "compare: means of unlike models": bounded_means(skewed),
    "compare: shape bias": shape_biases,
    "compare: several rows": several_rows,
    "board: accuracy .5": board_of_proportions(0.5),
    "board: accuracy .95": board_of_proportions(0.95),
    "board: means with errors on 6 %": board_of_means(inflated),
    "board: means of unlike models": board_of_means(skewed),
    "board: medians": board_of_medians,
    "board: several columns": several_columns,
}


def family_wise_error(table: Table, n: int, models: int, tables: int) -> float:
    """How often any of the equal models is told apart from another in any column."""
    random = np.random.default_rng([n, models])
    found = [table_ranks(table(random, n, models)) for _ in range(tables)]
    return float(np.mean([any(rank != (1, models) for of in columns for rank in of) for columns in found]))


def allowed(tables: int) -> float:
    return LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / tables)


@pytest.mark.parametrize("n", [5, 20, 200])
@pytest.mark.parametrize("name", EQUAL)
def test_equal_models_are_not_told_apart(name: str, n: int) -> None:
    for models, tables in TABLES.items():
        if models < 20 or n == 200:
            assert family_wise_error(EQUAL[name], n, models, tables) <= allowed(tables), models


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("models", SLOW_TABLES)
@pytest.mark.parametrize("name", EQUAL)
def test_equal_models_are_not_told_apart_in_many_tables(name: str, models: int, n: int) -> None:
    tables = SLOW_TABLES[models]
    assert family_wise_error(EQUAL[name], n, models, tables) <= allowed(tables)


@pytest.mark.parametrize("name", ["compare: accuracy .5", "compare: shape bias", "board: several columns"])
def test_without_holm_they_are(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(statistics, "holm", np.asarray)
    assert family_wise_error(EQUAL[name], 200, 5, 200) > 0.15


def test_rows_that_are_adjusted_one_by_one_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_row(random: Random, n: int, models: int) -> bool:
        return any(rank != (1, models) for of in several_rows(random, n, models) for rank in table_ranks([of])[0])

    random = np.random.default_rng(0)
    assert np.mean([by_row(random, 200, 5) for _ in range(200)]) > 0.1


@pytest.mark.parametrize("models", [2, 5, 20])
def test_clearly_different_models_are_told_apart(models: int) -> None:
    """One of each two models is better: 85 % against 50 % of 200, or as much of another score."""
    random = np.random.default_rng(models)
    better = (np.arange(models) % 2 == 0)[:, None]
    right = hits(random, np.where(better, 0.85, 0.5), 200, models)
    shares = np.where(better, 0.35, 0.0) + 0.5 * random.random((models, 200))
    shapes = biases(random, 200, models, np.where(better, 0.95, 0.05))
    columns = [pair_tests(row(right)), pair_tests(row(shares)), pair_tests(row(*shapes))]
    columns.append(proportions(random, np.where(better[:, 0], 0.9, 0.5), 200, models))
    best = (models + 1) // 2
    expected = [(1, best) if one else (best + 1, models) for one in better[:, 0]]
    assert table_ranks(columns) == [expected] * 4


def rejected(d: Array, levels: tuple[float, ...]) -> list[float]:
    """How often the null is rejected at each level, for differences of shape (simulations, n)."""
    pairs = [means(np.stack((one, np.zeros_like(one))), -1.0, 1.0) for one in d]
    p = np.array([paired_differences(of._replace(ranges=np.ones(2))).p_values[0] for of in pairs])
    return [float((p < level).mean()) for level in levels]


@pytest.mark.parametrize("n", [10, 50, 200])
@pytest.mark.parametrize("rare", [0.02, 0.1, 0.3])
def test_a_little_better_on_most_and_much_worse_on_a_few_is_no_difference(n: int, rare: float) -> None:
    """Also at small levels, which many models need; the test of Student rejects up to one third of these at 5 %."""
    d = np.where(np.random.default_rng(n).random((1000, n)) < rare, -1.0, rare / (1 - rare))
    for level, share in zip((0.05, 0.01, 0.002), rejected(d, (0.05, 0.01, 0.002)), strict=True):
        assert share <= level + 3 * math.sqrt(level / len(d))


def covers(low: Array, high: Array, truth: float) -> float:
    return float(((low <= truth + 1e-9) & (truth <= high + 1e-9)).mean())


@pytest.mark.parametrize("times", [150, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("n", SIZES)
def test_intervals_of_differences_cover_them(n: int, times: int) -> None:
    """Means with few errors, unlike models, shape biases from equal to far apart: 93 % with three standard errors."""
    random = np.random.default_rng(n)
    cases: dict[str, list[tuple[float, float]]] = {}
    for _ in range(times):
        a, b = inflated(random, n, 2)
        drawn = {
            ("means", 0.015): means(np.stack((a, a * (random.random(n) < 0.5)))),
            ("independent", 0.0): means(np.stack((a, b))),
            ("unlike", 0.0): means(skewed(random, n, 2)),
        }
        for one, other in ((0.5, 0.5), (0.05, 0.95), (0.02, 0.3)):
            drawn["biases", one - other] = ratios(*biases(random, n, 2, np.array([[one], [other]])))
        for case, sums in drawn.items():
            found = paired_differences(sums)
            if not np.isnan(found.values[0]):
                cases.setdefault(str(case), []).append((found.low[0], found.high[0]))
                assert found.low[0] < found.high[0]
    for (name, intervals), truth in zip(cases.items(), (0.015, 0.0, 0.0, 0.0, -0.9, -0.28), strict=True):
        low, high = np.array(intervals).T
        assert covers(low, high, truth) >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / len(low)), name


cached_difference = lru_cache(maxsize=None)(difference_interval)


@pytest.mark.parametrize("times", [150, pytest.param(4000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", ["independent", "correlated", "nested"])
def test_intervals_of_accuracies_on_the_same_samples_cover_their_difference(kind: str, n: int, times: int) -> None:
    rates = (0.5, 0.51, 0.55, 0.9, 0.99, 0.999)
    random = np.random.default_rng(n)
    for one in rates:
        for other in (rate for rate in rates if rate <= one):
            difficulty = random.normal(size=(times, n))
            share = {"independent": 0.0, "correlated": 0.7, "nested": 1.0}[kind]
            own = random.normal(size=(2, times, n)) * math.sqrt(1 - share)
            a, b = (difficulty * math.sqrt(share) + own) < norm.ppf([one, other])[:, None, None]
            counts = [((a == x) & (b == y)).sum(axis=1) for x, y in ((1, 1), (1, 0), (0, 1), (0, 0))]
            low, high = np.array([cached_difference(*map(int, of)) for of in zip(*counts, strict=True)]).T
            assert covers(low, high, one - other) >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / times), (one, other)
