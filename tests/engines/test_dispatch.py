"""The order of the samples: random orders, early stopping, resuming in another order, several models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.shuffle import UnbiasedPrefix, drawn_fairly, shuffled
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.evaluation.engines import dispatch
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.storage.store import Store
from running import AtOnce, accuracies, assert_same, by_cell, outcomes, run

ATTACK = "fgsm(eps=8/255)"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 360 test digits."""
    store = tmp_path_factory.mktemp("whole") / "store"
    run(store, attacks=[ATTACK], limit=None)
    return store


def test_the_order_is_deterministic_and_unbiased() -> None:
    order = shuffled(50_000)
    assert sorted(order[:7].tolist()) != list(range(7))
    assert np.array_equal(np.sort(order), np.arange(50_000))
    assert order[:5].tolist() == shuffled(50_000)[:5].tolist()
    # In a benchmark that is sorted by class, the first tenth of the order contains a tenth of each class.
    counts = np.bincount(order[:5000] // 500, minlength=100)
    assert abs(counts - 50).max() < 5 * np.sqrt(50 * 0.9)
    assert drawn_fairly(order[:100][::-1], 50_000)
    assert not drawn_fairly(np.arange(100), 50_000)


def test_only_a_prefix_without_gaps_is_unbiased() -> None:
    """Shards that are easy to attack finish first."""
    order, prefix = shuffled(100), UnbiasedPrefix(100)
    prefix.add(np.sort(order[20:40]), np.zeros(20, bool))
    assert prefix.counts == (0, 0)
    prefix.add(np.sort(order[:20]), np.ones(20, bool))
    assert prefix.counts == (40, 20)
    prefix.add(np.sort(order[40:]), np.ones(60, bool))
    assert prefix.counts == (100, 80)


def test_outcomes_do_not_depend_on_the_order(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "store", attacks=[ATTACK], limit=None, shuffle_shards=True, shard_size=50)
    assert_same(by_cell(tmp_path / "store"), by_cell(whole))


def test_a_cell_stops_when_its_interval_is_narrow_enough_and_resumes_later(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "ThreadPoolExecutor", AtOnce)
    store = tmp_path / "store"
    result = run(store, attacks=[ATTACK], limit=None, target_ci=5, shard_size=20)
    clean, robust, _ = accuracies(result.scores)
    assert clean.n == 360, "clean cells always finish"
    assert 100 * (robust.high - robust.low) / 2 <= 5
    assert robust.flags == (f"drawn at random: {robust.n} of 360",)
    taken, all_rows = outcomes(store)[ATTACK], outcomes(whole)[ATTACK]
    assert taken["index"].to_pylist() == sorted(shuffled(360)[: robust.n].tolist())
    right = np.array(all_rows["correct"].to_pylist())[shuffled(360)[: robust.n]]
    assert robust.value == right.mean()
    earlier = right[: robust.n - 60]  # two further shards were dispatched already
    low, high = proportion_interval(int(earlier.sum()), len(earlier))
    assert 100 * (high - low) / 2 > 5
    assert len(list(store.glob("cells/*/*.parquet"))) == 2, "a cell that stopped early is merged into one file, too"
    again = run(store, attacks=[ATTACK], limit=None, target_ci=5, shard_size=20)
    assert accuracies(again.scores)[1].n == robust.n, "the same command computes no more"
    run(store, attacks=[ATTACK], limit=None)
    assert_same(by_cell(store), by_cell(whole))


def test_gaps_that_dead_workers_left_are_filled_before_a_cell_stops_early(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "ThreadPoolExecutor", AtOnce)
    store = tmp_path / "store"
    run(store, attacks=[ATTACK], limit=None, target_ci=49, shard_size=20)
    cell = next(cell_id for cell_id, cell in Store(store).cells().items() if cell.perturbation == ATTACK)
    for path in store.glob(f"cells/{cell}/*.parquet"):
        path.unlink()
    order, rows = shuffled(360), outcomes(whole)[ATTACK]
    for part in (order[:20], order[60:80]):
        Store(store).write_shard(cell, rows.take(np.sort(part)))
    robust = accuracies(run(store, attacks=[ATTACK], limit=None, target_ci=8, shard_size=20).scores)[1]
    assert 80 <= robust.n < 200
    assert robust.flags == (f"drawn at random: {robust.n} of 360",)


def test_a_cell_that_was_begun_in_another_order_is_not_stopped_early(tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(store, attacks=[ATTACK], limit=None, shard_size=40)
    cell = next(cell_id for cell_id, cell in Store(store).cells().items() if cell.perturbation == ATTACK)
    (path,) = store.glob(f"cells/{cell}/*.parquet")
    table = Store(store).outcomes(cell)
    path.unlink()
    Store(store).write_shard(cell, table.slice(0, 40))
    score, *_ = (score for score in store_scores(Store(store)) if score.perturbation == ATTACK)
    assert score.flags == ("incomplete: 40 of 360",)
    run(store, attacks=[ATTACK], limit=None, target_ci=5)
    assert outcomes(store)[ATTACK].num_rows == 360


@pytest.mark.parametrize("target_ci", [0, 50, -1])
def test_an_invalid_width_is_refused(tmp_path: Path, target_ci: float) -> None:
    with pytest.raises(UsageError, match="target_ci must be between 0 and 50 points"):
        run(tmp_path / "store", target_ci=target_ci)


def test_attacks_of_other_libraries_keep_their_shards(tmp_path: Path) -> None:
    """They draw random numbers per shard, so other shards would mean other numbers."""
    attack = "foolbox:LinfPGD(eps=40/255, steps=2)"
    run(tmp_path / "one", attacks=[attack], limit=200, shard_size=100)
    run(tmp_path / "two", attacks=[attack], limit=200, shard_size=100, shuffle_shards=True, workers=2)
    assert_same(by_cell(tmp_path / "one"), by_cell(tmp_path / "two"), exactly=True)


def test_models_that_do_not_fit_together_are_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from robustbench_eff.evaluation import device_runtime, model_cache

    loaded: list[str] = []
    load = device_runtime.build_model.load

    def counting(request, device):
        loaded.append(request.name)
        return load(request, device)

    monkeypatch.setattr(device_runtime.build_model, "load", counting)
    models = ("digits_standard", "digits_pgd_at", "digits_sat")
    run(tmp_path / "one", *models, attacks=[ATTACK], limit=8)
    assert loaded == [*models]
    monkeypatch.setattr(model_cache, "MAX_CACHED_BYTES", 1)
    loaded.clear()
    run(tmp_path / "two", *models, attacks=[ATTACK], limit=8)
    assert loaded == [*models] * 3, "to check the classes, to plan and to evaluate"
    assert_same(by_cell(tmp_path / "one"), by_cell(tmp_path / "two"), exactly=True)
