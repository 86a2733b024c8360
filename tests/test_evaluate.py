"""The main job in Python: the same outcomes however it is cut, stopped or resumed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from rich.console import Console
from torch import nn

from robustbench_eff import catalog, evaluate, load_classifier, report
from robustbench_eff.api.evaluate import Silence
from robustbench_eff.api.settings import DEFAULT_STORE, Settings
from robustbench_eff.classifier import Classifier
from robustbench_eff.engines.local import Progress
from robustbench_eff.errors import MissingInputs, RobustEvalError, RobustEvalWarning, StoreError, UsageError
from robustbench_eff.scores.from_store import store_scores
from robustbench_eff.store import Store
from robustbench_eff.threat import Threat
from robustbench_eff.zoo.request import ModelRequest

ATTACKS = ("fgsm(eps=8/255)", "pgd(eps=8/255, restarts=2)", "pgd(eps=1, norm=l2)")
FLOATS = ("confidence", "margin", "distance_linf", "distance_l2", "excess")
EXACT = ("index", "sample_id", "label", "clean_prediction", "flag")
COUNT = 96


def run(store: Path, *models, attacks=ATTACKS, limit: int = COUNT, **options):
    return evaluate(*(models or ("digits_standard",)), attacks=attacks, limit=limit, store=store, **options)


def outcomes(store: Path) -> dict[str, pa.Table]:
    opened = Store(store)
    return {cell["perturbation"]: opened.outcomes(cell_id) for cell_id, cell in opened.cells().items()}


def assert_same(left: dict[str, pa.Table], right: dict[str, pa.Table], *, exactly: bool = False) -> None:
    """Equal rows; with other batches, floats may differ a little and predictions where the margin is below 1e-4."""
    assert left.keys() == right.keys()
    for name in left:
        one, two = left[name].to_pandas(), right[name].to_pandas()
        if exactly:
            assert one.equals(two), name
            continue
        decided = np.minimum(one["margin"].abs(), two["margin"].abs()) >= 1e-4
        for column in EXACT:
            assert one[column].equals(two[column]), (name, column)
        for column in ("prediction", "correct"):
            assert (one[column][decided] == two[column][decided]).all(), (name, column)
        # Whether rounding undoes a perturbation may hang on the last bit of a pixel.
        assert (one["correct_8bit"] != two["correct_8bit"]).sum() <= 1, name
        for column in FLOATS:
            assert ((one[column] - two[column]).abs() < 1e-3).mean() > 0.97, (name, column)


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
    assert [score.n for score in result.scores] == [COUNT] * 7


def test_a_killed_run_is_resumed_to_the_same_rows(reference: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    script = (
        "from robustbench_eff import evaluate\n"
        f"evaluate('digits_standard', attacks={ATTACKS!r}, limit={COUNT}, store={str(store)!r}, shard_size=8)"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 120
    while len(list(store.glob("cells/*/*.parquet"))) < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = {name: table.num_rows for name, table in outcomes(store).items()}
    assert killed["none"] == COUNT
    assert sum(killed.values()) < 4 * COUNT, "it finished before it was killed"
    kept = {path: path.stat().st_mtime_ns for path in store.glob("cells/*/*.parquet")}
    run(store, shard_size=8)
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items()), "finished work was done again"
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

    class Vandal(Silence):
        def progressed(self, progress: Progress) -> None:
            if progress.cell.perturbation == "none" and progress.done == 16:
                sorted(store.glob("cells/*/*.parquet"))[0].write_bytes(b"")

    with pytest.warns(RobustEvalWarning), pytest.raises(StoreError, match="has lost clean outcomes"):
        run(store, attacks=["fgsm"], limit=16, shard_size=8, listener=Vandal())
    with pytest.warns(RobustEvalWarning, match="computed again"):
        assert [score.n for score in run(store, attacks=["fgsm"], limit=16, shard_size=8).scores] == [16] * 3


def test_a_model_that_is_always_wrong_is_not_attacked(tmp_path: Path) -> None:
    class NoEmptyBatch(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert len(images)
            return super().forward(images)

    head = nn.Linear(3072, 10)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    with torch.no_grad():
        head.bias[3] = 5
    np.savez(tmp_path / "zeros.npz", x=np.zeros((4, 32, 32, 3), np.uint8), y=[0, 0, 1, 2])
    model = load_classifier(NoEmptyBatch(nn.Flatten(), head).eval(), input_size=32)
    options = {"benchmarks": ["zeros"], "data": {"zeros": str(tmp_path / "zeros.npz")}}
    scores = run(tmp_path / "store", model, attacks=["pgd(restarts=2)"], **options).scores
    assert [score.value for score in scores] == [0.0] * 3


def test_another_seed_makes_cells_of_its_own(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = run(store, limit=16)
    before = _by_cell(store)
    second = run(store, limit=16, seed=1)
    assert second.other_seeds == (0,)
    assert first.other_seeds == ()
    after = _by_cell(store)
    assert all(after[cell_id].equals(table) for cell_id, table in before.items())
    # Clean and FGSM draw nothing: they are shared. The two PGD cells are not.
    assert len(after) == len(before) + 2
    assert {score.protocol[-6:] for score in second.scores if score.perturbation.startswith("pgd")} == {"seed 1"}


def _by_cell(store: Path) -> dict[str, pa.Table]:
    opened = Store(store)
    return {cell_id: opened.outcomes(cell_id) for cell_id in opened.cells()}


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


def test_a_failing_model_leaves_its_status_and_the_finished_shards(tmp_path: Path) -> None:
    class Fragile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.head = nn.Linear(3 * 32 * 32, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.head(images.flatten(1)) / (0 if self.calls > 4 else 1)

    model = load_classifier(Fragile().eval(), input_size=32)
    options = {"benchmarks": ["digits"], "attacks": ["none"], "shard_size": 8, "store": tmp_path / "store"}
    with pytest.raises(Exception, match="NaN or infinite logits"):
        evaluate(model, limit=64, **options)
    (manifest,) = (json.loads(path.read_text()) for path in (tmp_path / "store").glob("runs/*.json"))
    assert manifest["status"] == "failed"
    assert 0 < outcomes(tmp_path / "store")["none"].num_rows < 64


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


def test_everything_missing_is_listed_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.hub.reachable", lambda host: False)
    monkeypatch.setattr("robustbench_eff.hub.cached_on_hugging_face", lambda repository, files: False)
    with pytest.raises(MissingInputs) as caught:
        evaluate("effnet_b7_advprop", "debiased_resnet50", "digits_standard", store=tmp_path / "store")
    assert [item.what.split(" (")[0] for item in caught.value.missing] == [
        "weights of effnet_b7_advprop",
        "weights of debiased_resnet50",
        "dataset 'imagenet'",
    ]
    assert "robust-eval --model effnet_b7_advprop --weights FILE --data imagenet=PATH" in caught.value.hint
    assert not (tmp_path / "store").exists()


def test_skip_missing_runs_what_is_there_and_says_what_was_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("robustbench_eff.hub.reachable", lambda host: False)
    monkeypatch.setattr("robustbench_eff.hub.cached_on_hugging_face", lambda repository, files: False)
    models = ("effnet_b7_advprop", "digits_standard")
    result = run(tmp_path / "store", *models, attacks=["none"], limit=4, skip_missing=True)
    assert [score.model for score in result.scores] == ["digits_standard"]
    assert len(result.missing) == 2
    with pytest.raises(MissingInputs):
        run(tmp_path / "store", models[0], skip_missing=True)


def test_a_benchmark_with_other_classes_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "seven.npz", x=np.zeros((7, 32, 32, 3), np.uint8), y=list("abcdefg"))
    with pytest.raises(UsageError, match="digits_standard has 10 outputs, but mine has 7 classes"):
        run(tmp_path / "store", benchmarks=["mine"], data={"mine": str(tmp_path / "seven.npz")})
    model = load_classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 3)).eval(), input_size=32)
    with pytest.raises(UsageError, match="has 3 outputs, but digits has 10 classes"):
        run(tmp_path / "store", model, benchmarks=["digits"])


def test_a_custom_model_must_say_its_benchmark(tmp_path: Path) -> None:
    model = load_classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).eval(), input_size=32)
    with pytest.raises(UsageError, match="Name one with --benchmark"):
        run(tmp_path / "store", model)


def test_a_users_own_data_is_evaluated_when_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.zeros((6, 32, 32, 3), np.uint8), y=[0, 1, 2, 0, 1, 2])
    result = run(tmp_path / "store", attacks=["none"], data={"mine": str(tmp_path / "mine.npz")})
    assert [score.benchmark for score in result.scores] == ["digits", "mine"]
    assert result.scores[1].n == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"suite": "standrad"}, "Did you mean 'standard'"),
        ({"benchmarks": ["digit"]}, "Did you mean 'digits'"),
        ({"attacks": ["pgd(eps=8)"]}, "Did you mean 8/255"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"device": "tpu9"}, "Unknown device"),
        ({"device": "cuda:99"}, "this machine has"),
    ],
)
def test_bad_settings_are_refused_before_any_work(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate("digits_standard", **{"store": tmp_path / "store", **options})
    assert not (tmp_path / "store").exists()


def test_a_suite_of_the_user_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("title: t\nparts:\n  - benchmarks: [digits]\n    perturbations: ['fgsm(eps=2/255)']\n")
    result = run(tmp_path / "store", suite=str(path), attacks=(), limit=4)
    assert [score.perturbation for score in result.scores] == ["none", "fgsm(eps=2/255)", "fgsm(eps=2/255)"]
    path.write_text("title: t\nparts:\n  - benchmark: [digits]\n")
    with pytest.raises(UsageError, match=r"parts\.0\.benchmarks: Field required"):
        run(tmp_path / "store", suite=str(path))


def test_two_processes_do_not_write_one_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.lock():
        script = f"from robustbench_eff import evaluate; evaluate('digits_standard', store={str(store.folder)!r})"
        answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 1
    assert "Another process is writing" in answer.stderr


class Plugin:
    """An attack that knows only the protocol, and does what `deed` says."""

    version, stochastic, max_passes = 1, False, 2
    threat = Threat("linf", 8 / 255)

    def __init__(self, deed: str = "") -> None:
        self.deed = deed

    def __call__(self, classifier, images, labels, draws=None):
        match self.deed:
            case "none":
                return None
            case "shape":
                return images[:, :, :5]
            case "raise":
                raise KeyError("lost")
            case "weights":
                for parameter in classifier._classifier.parameters():
                    parameter.data.zero_()
            case "train":
                classifier._classifier.model.train()
            case "gradient":
                pixels = images.clone().requires_grad_(True)
                (step,) = torch.autograd.grad(classifier(pixels).logsumexp(1).sum(), pixels)
                return (pixels + step.sign() / 255).clamp(0, 1)
        classifier(images)
        return (images + 1 / 255).clamp(0, 1)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[Plugin]:
    """`--attack them/attack` gives the plugin put in this list."""
    holder: list[Plugin] = []
    own_attack, own_text = catalog.attack, catalog.attack_text
    theirs = "them/attack"
    monkeypatch.setattr(catalog, "attack", lambda text: holder[0] if text == theirs else own_attack(text))
    monkeypatch.setattr(catalog, "attack_text", lambda text: text if text == theirs else own_text(text))
    monkeypatch.setattr("robustbench_eff.plan._fields", lambda attack: {"deed": getattr(attack, "deed", str(attack))})
    return holder


def test_an_attack_that_knows_only_the_protocol_is_evaluated(plugged: list[Plugin], tmp_path: Path) -> None:
    plugged.append(Plugin())
    run(tmp_path / "store", attacks=["pgd(eps=8/255)", "them/attack"], limit=16)
    rows = outcomes(tmp_path / "store")["them/attack"].to_pandas()
    assert (rows["num_forwards"][rows["clean_prediction"] == rows["label"]] == 1).all()
    assert (rows["num_backwards"] == 0).all()
    plugged[0] = Plugin("gradient")
    run(tmp_path / "other", attacks=["them/attack"], limit=16)
    rows = outcomes(tmp_path / "other")["them/attack"].to_pandas()
    assert (rows["num_backwards"][rows["clean_prediction"] == rows["label"]] == -1).all()
    assert rows["distance_linf"].max() == pytest.approx(1 / 255, abs=1e-6)


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("none", "must return images of shape .* got NoneType"),
        ("shape", "must return images of shape"),
        ("raise", "them/attack on .* failed: KeyError: 'lost'"),
        ("weights", "the weights were changed"),
        ("train", "is in train mode"),
    ],
)
def test_an_attack_that_misbehaves_is_named(plugged: list[Plugin], tmp_path: Path, deed: str, words: str) -> None:
    plugged.append(Plugin(deed))
    with pytest.raises(RobustEvalError, match=words):
        run(tmp_path / "store", attacks=["them/attack"], limit=8)
    assert outcomes(tmp_path / "store")["them/attack"].num_rows == 0


def test_the_same_thing_named_twice_is_done_once(tmp_path: Path, digits_standard: Classifier) -> None:
    options = {"benchmarks": ["digits", "digits"], "attacks": ["fgsm", "fgsm(eps=4/255)"], "limit": 4}
    result = evaluate(digits_standard, digits_standard, "digits_standard", store=tmp_path / "store", **options)
    assert [score.metric for score in result.scores] == ["accuracy", "robust_accuracy", "robust_accuracy_8bit"]


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
    rows = [line for line in console.file.getvalue().splitlines() if "fgsm" in line]
    values = [(score.value, score.metric) for score in scores if score.perturbation.startswith("fgsm")]
    assert len(rows) == 2
    for row, (plain, _), (rounded, _) in zip(rows, values[::2], values[1::2], strict=True):
        assert f" {100 * plain:.2f} " in row
        assert f" {100 * rounded:.2f} " in row
    assert values[0] != values[2]


def test_a_score_bears_the_name_it_was_asked_under(tmp_path: Path) -> None:
    run(tmp_path / "store", "digits_standard", attacks=["none"], limit=4)
    (score,) = run(tmp_path / "store", "shipped:digits_standard", attacks=["none"], limit=4).scores
    assert score.model == "shipped:digits_standard"
    assert len(Store(tmp_path / "store").cells()) == 1


def test_settings_and_options_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Give settings or limit, not both"):
        evaluate("digits_standard", settings=Settings(store=tmp_path / "s"), limit=4)


def test_a_set_named_in_the_config_file_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "mine.npz", x=np.zeros((3, 32, 32, 3), np.uint8), y=[0, 1, 2])
    (tmp_path / "robust-eval.yaml").write_text("data:\n  mine: mine.npz\n")
    result = run(tmp_path / "store", attacks=["none"], benchmarks=["mine"])
    assert [score.benchmark for score in result.scores] == ["mine"]


def test_the_missing_command_keeps_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.hub.reachable", lambda host: False)
    request = ModelRequest(name="timm:resnet18", weights=Path("w.safetensors"), mean=(0.5,), model_args={"a": 1})
    with pytest.raises(MissingInputs) as caught:
        evaluate(request, "rb_imagenet_linf_wong2020fast", attacks=["fgsm"], limit=5, store=Path(DEFAULT_STORE))
    assert caught.value.hint.splitlines() == [
        "With local files:",
        "  robust-eval --model timm:resnet18 --weights FILE --mean 0.5 --model-arg a=1 --attack fgsm "
        "--data imagenet=PATH --limit 5",
    ]


def test_all_parts_of_a_suite_that_name_a_benchmark_count(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    part = "  - benchmarks: [{}]\n    perturbations: [{}]\n"
    path.write_text("title: t\nparts:\n" + part.format("digits", "fgsm") + part.format("digits", "pgd"))
    result = run(tmp_path / "store", suite=str(path), attacks=(), limit=4)
    assert {score.perturbation for score in result.scores} == {"none", "fgsm(eps=4/255)", "pgd(eps=4/255)"}
    path.write_text("title: t\nparts:\n" + part.format("imagenet", "fgsm"))
    with pytest.raises(UsageError, match="says nothing about digits"):
        run(tmp_path / "store", suite=str(path), attacks=(), benchmarks=["digits"])


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
