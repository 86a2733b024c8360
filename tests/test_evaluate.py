"""The main job in Python: the same outcomes however it is cut, stopped or resumed."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pyarrow as pa
import pytest
import torch
from rich.console import Console

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.attacks import PGD
from robustbench_eff.core import types
from robustbench_eff.core.errors import RobustEvalWarning, StoreError, UsageError
from robustbench_eff.evaluation.engines.store_writer import Progress
from robustbench_eff.evaluation.evaluate import NullListener
from robustbench_eff.evaluation.settings import EvaluateOptions, Settings
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry.build_corruption import parse_corruption
from robustbench_eff.reports import score_tables as report
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.storage.store import Store
from running import ATTACKS, COUNT, accuracies, assert_same, by_cell, outcomes, run


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("reference") / "store"
    run(store)
    return store


@pytest.mark.parametrize(("batch_size", "shard_size"), [(1, 96), (7, 96), (64, 96), (64, 13), (256, 1)])
def test_outcomes_do_not_depend_on_how_the_work_is_cut(
    reference: Path, tmp_path: Path, batch_size: int, shard_size: int
) -> None:
    run(tmp_path / "store", batch_size=batch_size, shard_size=shard_size)
    assert_same(outcomes(tmp_path / "store"), outcomes(reference))


@pytest.mark.parametrize("column", ["prediction", "correct", "correct_8bit", "confidence", "distance_l2", "flag"])
def test_the_comparison_can_fail(reference: Path, column: str) -> None:
    wrong = dict(outcomes(reference))
    table = wrong["fgsm(eps=8/255)"]
    values = table[column].to_numpy(zero_copy_only=False)
    changed = ~values if values.dtype == bool else np.full(len(values), "?") if column == "flag" else values + 1
    position = table.schema.get_field_index(column)
    wrong["fgsm(eps=8/255)"] = table.set_column(position, table.schema.field(column), pa.array(changed))
    with pytest.raises(AssertionError):
        assert_same(wrong, outcomes(reference))


def test_a_second_run_computes_nothing(reference: Path) -> None:
    class Ears:
        computed = 0

        def preparing(self, *_):
            pass

        planned = ended = preparing

        def progressed(self, progress: Progress) -> None:
            self.computed += 0 if progress.resumed else progress.samples

    before, ears = outcomes(reference), Ears()
    result = run(reference, listener=ears)
    assert ears.computed == 0
    assert_same(outcomes(reference), before, exactly=True)
    assert [score.n for score in accuracies(result.scores)] == [COUNT] * 7


def test_a_killed_run_is_resumed_to_the_same_rows(reference: Path, tmp_path: Path) -> None:
    store, script = tmp_path / "store", tmp_path / "killed.py"
    script.write_text(f"""
import os, signal
from robustbench_eff import evaluate
from robustbench_eff.evaluation.evaluate import NullListener

class Kills(NullListener):
    shards = 0

    def progressed(self, progress):
        self.shards += 1
        if self.shards == {COUNT} // 8 + 3:  # the clean cell is whole, the next ones are not
            os.kill(os.getpid(), signal.SIGKILL)

evaluate('digits_standard', attacks={ATTACKS!r}, limit={COUNT}, store={str(store)!r}, shard_size=8, listener=Kills())
""")
    assert subprocess.run([sys.executable, script], check=False).returncode == -signal.SIGKILL
    killed = {name: table.num_rows for name, table in outcomes(store).items()}
    assert killed["none"] == COUNT
    assert sum(killed.values()) < 4 * COUNT, "it finished before it was killed"
    computed = []

    class Ears(NullListener):
        def progressed(self, progress: Progress) -> None:
            computed.append(0 if progress.resumed else progress.samples)

    run(store, shard_size=8, listener=Ears())
    assert sum(computed) == 4 * COUNT - sum(killed.values()), "finished work was done again"
    assert_same(outcomes(store), outcomes(reference))


def test_a_corrupt_shard_is_computed_again_and_said(reference: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(store, shard_size=32)
    before = outcomes(store)
    victim = sorted(store.glob("cells/*/*.parquet"))[1]
    victim.write_bytes(victim.read_bytes()[:-7])
    with pytest.warns(RobustEvalWarning, match="computed again"):
        run(store, shard_size=32)
    assert_same(outcomes(store), before, exactly=True)


def test_clean_outcomes_that_are_lost_on_the_way_stop_the_run(tmp_path: Path) -> None:
    store = tmp_path / "store"

    class Vandal(NullListener):
        def progressed(self, progress: Progress) -> None:
            if progress.cell.perturbation == "none" and progress.done == 16:
                sorted(store.glob("cells/*/*.parquet"))[0].write_bytes(b"")

    with pytest.warns(RobustEvalWarning), pytest.raises(StoreError, match="has lost clean outcomes"):
        run(store, attacks=["fgsm"], limit=16, shard_size=8, listener=Vandal())
    with pytest.warns(RobustEvalWarning, match="computed again"):
        scores = run(store, attacks=["fgsm"], limit=16, shard_size=8).scores
    assert [score.n for score in accuracies(scores)] == [16] * 3


def test_another_seed_makes_cells_of_its_own(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = run(store, limit=16)
    before = by_cell(store)
    second = run(store, limit=16, seed=1)
    assert second.other_seeds == (0,)
    assert first.other_seeds == ()
    after = by_cell(store)
    assert all(after[cell_id].equals(table) for cell_id, table in before.items())
    # Clean and FGSM draw nothing: they are shared. The two PGD cells are not.
    assert len(after) == len(before) + 2
    assert {str(score.protocol)[-6:] for score in second.scores if score.perturbation.startswith("pgd")} == {"seed 1"}


def test_other_weights_are_another_cell(tmp_path: Path, digits_standard: Classifier) -> None:
    from safetensors.torch import save_file

    state = {key: value.clone() for key, value in digits_standard.model.state_dict().items()}
    state["classifier.bias"] += 1e-3
    save_file(state, tmp_path / "w.safetensors")
    other = load_classifier("digits_standard", weights=tmp_path / "w.safetensors")
    assert other.digest != digits_standard.digest
    run(tmp_path / "store", "digits_standard", attacks=["none"], limit=8)
    evaluate(other, benchmarks=["digits"], attacks=["none"], limit=8, store=tmp_path / "store")
    assert len(Store(tmp_path / "store").cells()) == 2


def test_the_manifest_says_what_ran(reference: Path) -> None:
    manifests = [json.loads(path.read_text()) for path in sorted(reference.glob("runs/*.json"))]
    first = manifests[0]
    assert first["status"] == "finished"
    assert first["wall_seconds"] > 0
    assert first["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert first["settings"]["seed"] == 0
    assert first["device"] == "cpu"
    assert len(first["cells"]) == 4
    assert first["models"][0]["source"] == "shipped:digits_standard"


def test_only_samples_that_are_right_when_clean_are_attacked(reference: Path) -> None:
    found = outcomes(reference)
    clean = found["none"].to_pandas()
    for name, table in found.items():
        rows = table.to_pandas()
        assert (rows["clean_prediction"] == clean["prediction"]).all()
        assert not (rows["correct"] & ~clean["correct"]).any()
        if name != "none":
            wrong = ~clean["correct"]
            assert (rows["num_backwards"][wrong] == 0).all()
            assert (rows["num_backwards"][~wrong] > 0).all()


def test_two_processes_do_not_write_one_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.lock():
        script = f"from robustbench_eff import evaluate; evaluate('digits_standard', store={str(store.place)!r})"
        answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 1
    assert "Another process is writing" in answer.stderr


def test_two_models_of_one_name_are_told_apart(tmp_path: Path, digits_standard: Classifier) -> None:
    from safetensors.torch import save_file

    state = {key: value.clone() for key, value in digits_standard.model.state_dict().items()}
    state["classifier.bias"][3] += 50
    save_file(state, tmp_path / "w.safetensors")
    other = load_classifier("digits_standard", weights=tmp_path / "w.safetensors")
    for model in (digits_standard, other):
        run(tmp_path / "store", model, attacks=["fgsm"], limit=30)
    scores = store_scores(Store(tmp_path / "store"))
    names = list(dict.fromkeys(score.model for score in scores))
    assert [name.split(" #")[0] for name in names] == ["digits_standard"] * 2
    console = Console(width=200, file=io.StringIO())
    report.score_table(scores, console)
    table = console.file.getvalue().partition("Accuracy in %")[2].partition("└")[0]
    rows = [line for line in table.splitlines() if "fgsm" in line]
    values = [(score.value, score.metric) for score in scores if score.perturbation.startswith("fgsm")]
    values = [found for found in values if found[1] in ("robust_accuracy", "robust_accuracy_8bit")]
    assert len(rows) == 2
    for row, (plain, _), (rounded, _) in zip(rows, values[::2], values[1::2], strict=True):
        assert f" {100 * plain:.2f} " in row
        assert rounded == plain or f" {100 * rounded:.2f} " in row
    assert values[0] != values[2]


def test_a_score_bears_the_name_it_was_asked_under(tmp_path: Path) -> None:
    run(tmp_path / "store", "digits_standard", attacks=["none"], limit=4)
    scores = run(tmp_path / "store", "shipped:digits_standard", attacks=["none"], limit=4).scores
    assert {score.model for score in scores} == {"shipped:digits_standard"}
    assert len(Store(tmp_path / "store").cells()) == 1


def test_nothing_warns_on_the_straight_path(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RobustEvalWarning)
        run(tmp_path / "store", attacks=["fgsm"], limit=8)


def test_threads_are_given_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2 if (os.cpu_count() or 1) > 1 else 1)
    during = torch.get_num_threads()
    run(tmp_path / "store", attacks=["none"], limit=4)
    assert torch.get_num_threads() == during
    torch.set_num_threads(before)


def test_objects_and_texts_are_the_same_cells(tmp_path: Path) -> None:
    store, limit = tmp_path / "store", 8
    run(store, attacks=["pgd(eps=8/255)"], corruptions=["fog(severity=2)"], limit=limit)
    before = by_cell(store)
    run(store, attacks=[PGD(eps=8 / 255)], corruptions=[parse_corruption("fog(severity=2)")], limit=limit)
    assert by_cell(store).keys() == before.keys()


def test_the_keyword_arguments_of_evaluate_are_the_fields_of_its_settings() -> None:
    hints = get_type_hints(Settings, localns=vars(types))
    assert get_type_hints(EvaluateOptions, localns=vars(types)) == {
        field.name: hints[field.name] for field in dataclasses.fields(Settings)
    }


def test_a_list_of_models_is_answered_with_how_to_pass_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one after the other, not a list") as caught:
        evaluate(["digits_standard", "digits_trades"], store=tmp_path)
    assert caught.value.hint == "Write evaluate(*models, ...)."
