"""`robust-eval certify`: certificates as cells of a store, resumed, scored again, and attacked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from robustbench_eff import certify, evaluate
from robustbench_eff.cli import app
from robustbench_eff.core.errors import EvaluationError, RobustEvalError, SpecError, UsageError
from robustbench_eff.evaluation.engines.store_writer import Progress
from robustbench_eff.evaluation.evaluate import NullListener
from robustbench_eff.evaluation.result import Result
from robustbench_eff.models import smoothing as smoothing_module
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.smoothing import Smoothing
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.storage.store import Store
from running import outcomes

TEXT = "smoothing(sigma=0.25, n=100, n0=10)"
PGD = "pgd(eps=1.0, norm=l2, steps=5)"
LIMIT = 12
LARGEST = Smoothing(sigma=0.25, n=100, n0=10).largest_radius


def run(model: Classifier, store: Path, **options) -> Result:
    given = {"sigma": 0.25, "n": 100, "n0": 10, "limit": LIMIT, "store": store, "benchmarks": ["digits"]} | options
    return certify(model, device="cpu", **given)


def values(result: Result) -> dict[str, float | None]:
    return {score.metric: score.value for score in result.scores if score.kind == "certificate"}


def invoke(*words: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout, found.stderr


@pytest.fixture(scope="module")
def store(digits_standard: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of a few digits, and an attack on the smoothed classifier."""
    folder = tmp_path_factory.mktemp("certified") / "store"
    run(digits_standard, folder, attacks=[PGD], draws=4)
    return folder


def test_a_certificate_is_a_cell_with_a_radius_for_every_sample(store: Path) -> None:
    table = outcomes(store)[TEXT].to_pandas()
    votes = np.rint(table["prediction_confidence"] * 100)
    bound = stats.beta.ppf(0.001, votes, 101 - votes)
    expected = np.where(bound > 0.5, 0.25 * stats.norm.ppf(bound), 0)
    assert len(table) == LIMIT
    np.testing.assert_allclose(table["radius"], expected, rtol=1e-6)
    assert ((table["prediction"] == -1) == (table["radius"] == 0)).all()
    assert (table["correct"] == (table["prediction"] == table["label"])).all()
    assert (table["num_forwards"] == 111).all(), "n0 + n draws, and the network itself once"
    assert (outcomes(store)["none"].to_pandas()["radius"] == -1).all()


def test_draws_and_error_probability_are_part_of_the_cell_and_of_the_protocol(store: Path) -> None:
    cells = {cell.perturbation: cell for cell in Store(store).cells().values()}
    cell = cells[TEXT]
    assert (cell.kind, cell.seed) == ("certificate", 0)
    assert cell.smoothing == {"sigma": 0.25, "n": 100, "n0": 10, "alpha": 0.001, "version": 1}
    code, printed, _ = invoke("score", str(store))
    assert code == 0
    assert "smoothed with noise of σ 0.25, 10 + 100 draws, α 0.001" in printed


@pytest.mark.parametrize("changed", [{"sigma": 0.2}, {"n": 101}, {"n0": 11}, {"alpha": 0.01}, {"seed": 1}])
def test_every_field_of_a_certificate_makes_another_cell(
    store: Path, digits_standard: Classifier, tmp_path: Path, changed: dict[str, float]
) -> None:
    run(digits_standard, tmp_path / "store", limit=1, **changed)
    run(digits_standard, tmp_path / "store", limit=1)
    assert sum(cell.kind == "certificate" for cell in Store(tmp_path / "store").cells().values()) == 2


def test_radii_and_the_draws_of_attacks_change_no_cell(
    store: Path, digits_standard: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Smoothing, "certify", None)
    result = run(digits_standard, store, radii=[0.1, 0.4], draws=7)
    assert [name for name in values(result) if name.startswith("certified")] == [
        "certified_accuracy@0.1",
        "certified_accuracy@0.4",
    ]


class Stopping(NullListener):
    """Presses Ctrl-C after two shards of certificates."""

    def __init__(self, shards: int) -> None:
        self.shards, self.computed = shards, 0

    def progressed(self, progress: Progress) -> None:
        if progress.cell.kind == "certificate" and progress.samples and not progress.resumed:
            self.computed += progress.samples
            self.shards -= 1
            if self.shards == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("options", [{"batch_size": 37}, {"shuffle_shards": True}, {"shard_size": 5}])
def test_an_interrupted_run_resumes_to_the_same_certificates_whatever_the_batches(
    store: Path, digits_standard: Classifier, tmp_path: Path, options: dict[str, int]
) -> None:
    stopping, resuming = Stopping(2), Stopping(-1)
    with pytest.raises(KeyboardInterrupt):
        run(digits_standard, tmp_path / "store", listener=stopping, shard_size=1)
    run(digits_standard, tmp_path / "store", listener=resuming, **options)
    assert 0 < resuming.computed <= LIMIT - stopping.computed
    left, right = outcomes(tmp_path / "store")[TEXT].to_pandas(), outcomes(store)[TEXT].to_pandas()
    for name in ("sample_id", "prediction", "radius", "correct"):
        assert left[name].equals(right[name]), name


@pytest.mark.slow
def test_two_workers_find_the_same_certificates(store: Path, tmp_path: Path) -> None:
    certify("digits_standard", sigma=0.25, n=100, n0=10, limit=LIMIT, store=tmp_path / "store", device="cpu,cpu")
    left, right = outcomes(tmp_path / "store")[TEXT].to_pandas(), outcomes(store)[TEXT].to_pandas()
    assert left["radius"].equals(right["radius"])


def test_many_draws_make_small_shards_so_that_an_interruption_loses_little(
    digits_standard: Classifier, tmp_path: Path
) -> None:
    from robustbench_eff import Settings
    from robustbench_eff.evaluation.device_runtime import DeviceRuntime

    texts = ["smoothing(sigma=0.25)", "smoothing(sigma=0.25, n=1000)", "smoothing(sigma=0.25, n=100)"]
    settings = Settings(attacks=texts, benchmarks=["digits"], store=tmp_path / "store")
    sizes = [planned.first_shard for planned in DeviceRuntime([digits_standard], settings, "cpu").plan().cells]
    assert sizes == [256, 3, 256, 256]


def test_the_scores_are_computed_again_without_the_model(store: Path) -> None:
    code, printed, _ = invoke("score", str(store), "--radii", "0, 0.25, 9", "--json")
    assert code == 0
    scores = {score["metric"]: score for score in json.loads(printed)["scores"] if score["perturbation"] == TEXT}
    table = outcomes(store)[TEXT].to_pandas()
    assert scores["certified_accuracy@0.25"]["value"] == (table["correct"] & (table["radius"] >= 0.25)).mean()
    assert scores["certified_accuracy@0.0"]["value"] == table["correct"].mean()
    assert scores["certified_accuracy@9.0"]["flags"] == [f"no radius above {LARGEST:.4g} can be certified"]
    assert scores["abstention_rate"]["value"] == (table["prediction"] == -1).mean()


def test_an_attack_on_the_smoothed_classifier_is_judged_by_other_draws(store: Path) -> None:
    (text,) = [text for text in outcomes(store) if text.startswith("pgd")]
    assert text == f"pgd(eps=1.0, norm='l2', steps=5, early_stop=False) on {TEXT[:-1]}, draws=4)"
    attacked, certified = outcomes(store)[text].to_pandas(), outcomes(store)[TEXT].to_pandas()
    assert attacked["clean_prediction"].equals(certified["prediction"])
    was_attacked = certified["correct"]
    assert (attacked["distance_l2"][was_attacked] > 0.9).all()
    assert (attacked["distance_l2"] <= 1 + 1e-5).all()
    assert attacked["correct"].mean() < certified["correct"].mean()
    code, printed, _ = invoke("score", str(store), "--json")
    (score,) = [score for score in json.loads(printed)["scores"] if score["perturbation"] == text]
    assert (code, score["metric"], score["value"]) == (0, "robust_accuracy", attacked["correct"].mean())
    assert score["flags"] == [f"abstained: {(attacked['prediction'] == -1).sum()}"]
    same_image = attacked["distance_l2"] == 0
    assert not attacked["correct"][same_image].any(), "only what was correct before is attacked"
    assert attacked["num_backwards"][was_attacked].unique().tolist() == [20]
    assert attacked["num_forwards"][was_attacked].unique().tolist() == [130]


def test_attacks_on_the_smoothed_classifier_and_on_the_network_are_never_combined(
    store: Path, digits_standard: Classifier
) -> None:
    result = evaluate(digits_standard, attacks=[PGD], benchmarks=["digits"], limit=LIMIT, store=store, device="cpu")
    assert not any(score.perturbation.startswith("worst of") for score in result.scores)
    code, printed, _ = invoke("score", str(store))
    assert code == 0
    assert "worst of" not in printed


def test_an_attack_inside_a_certified_radius_is_an_error_that_names_the_sample(
    digits_standard: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong formula: radii six times too large."""

    def wrong(votes, n, alpha, sigma):
        return 6 * smoothing_radius(votes, n, alpha, sigma)

    smoothing_radius = smoothing_module.certified_radius
    monkeypatch.setattr(smoothing_module, "certified_radius", wrong)
    with pytest.raises(EvaluationError, match=r"contradicts \d+ of 12 certificates .* is certified as class \d"):
        run(digits_standard, tmp_path / "store", attacks=["pgd(eps=1.4, norm=l2)"], draws=8)


def test_the_cost_of_certificates_is_known_before_they_are_computed(
    digits_standard: Classifier, tmp_path: Path
) -> None:
    code, printed, _ = invoke(
        *("plan", "--model", "digits_standard", "--store", str(tmp_path / "store"), "--limit", "20", "--device", "cpu"),
        *("--attack", f"smoothing(sigma=0.25), {PGD} on smoothing(sigma=0.25)", "--json"),
    )
    assert code == 0
    clean, certificate, attack = json.loads(printed)["devices"][0]["cells"]
    assert (certificate["passes"], certificate["shards"]) == (20 * 100_100, 7)
    assert attack["passes"] == 20 * (100_100 + 32 * 10)
    assert certificate["seconds"] > 1000 * clean["seconds"] > 0


def test_models_are_compared_by_their_certified_accuracies(store: Path, tmp_path: Path) -> None:
    certify("digits_pgd_at", sigma=0.25, n=100, n0=10, limit=LIMIT, store=tmp_path / "store", device="cpu")
    code, printed, _ = invoke("compare", str(tmp_path / "store"), str(store), "--json")
    assert code == 0
    metrics = {entry["metric"] for entry in json.loads(printed)}
    assert {"certified_accuracy@0.25", "average_certified_radius"} <= metrics


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([], "--sigma is missing", "that of the network's training"),
        (["--sigma", "0"], "sigma must be > 0", "units of [0, 1] pixels"),
        (["--sigma", "64"], "got 64", "Did you mean 64/255?"),
        (["--sigma", "much"], "--sigma must be a number", "0.25 or 64/255"),
        (["--sigma", "0.25", "--n", "50"], "n must be at least n0", "n0 draws only select"),
        (["--sigma", "0.25", "--alpha", "1"], "must be in (0, 1)", "0.001"),
        (["--sigma", "0.25", "--n", "9", "--n0", "1"], "always abstains", "Set n to at least 10."),
        (["--sigma", "0.25", "--radii", "near"], "--radii must be numbers", "0,0.25,0.5"),
        (["--sigma", "0.25", "--radii", "-1"], "radii must be L2 distances", ""),
        (
            ["--sigma", "0.25", "--attack", "fmn(norm=l2)"],
            "cannot attack a smoothed classifier",
            "pgd(eps=0.5, norm=l2)",
        ),
        (["--sigma", "0.25", "--attack", "fog"], "cannot attack a smoothed classifier", "pgd(eps=0.5, norm=l2)"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(words: list[str], message: str, hint: str, tmp_path: Path) -> None:
    code, _, error = invoke("certify", "--model", "digits_standard", "--store", str(tmp_path / "store"), *words)
    assert code == 2
    assert message in " ".join(error.split())
    assert hint in " ".join(error.split())
    assert not (tmp_path / "store").exists()


def test_published_corruptions_cannot_be_certified(tmp_path: Path) -> None:
    words = ["--sigma", "0.25", "--benchmark", "cifar10-c", "--data", f"cifar10-c={tmp_path}"]
    code, _, error = invoke("certify", "--model", "digits_standard", "--store", str(tmp_path / "store"), *words)
    assert code == 2
    assert "cifar10-c holds corruptions, and smoothing(sigma=0.25) is not one" in " ".join(error.split())


@pytest.mark.parametrize("options", [{"suite": "standard"}, {"corruptions": ["fog"]}])
def test_certify_takes_no_other_perturbations(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="neither a suite nor corruptions"):
        certify("digits_standard", sigma=0.25, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pgd on fog(severity=1)", "an attack can be on smoothing"),
        ("smoothing(sigam=0.25)", "does not have a field 'sigam'"),
        ("pgd from digits_pgd_at on smoothing(sigma=0.25)", "cannot attack a smoothed classifier"),
        ("foolbox:LinfPGD on smoothing(sigma=0.25)", "cannot attack a smoothed classifier"),
        ("security_curve(norm=l2) on smoothing(sigma=0.25)", "cannot attack a smoothed classifier"),
    ],
)
def test_texts_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_perturbation(text)


def test_the_text_of_a_certificate_and_of_an_attack_on_it_are_read_back() -> None:
    for text in (TEXT, "smoothing(sigma=64/255)", f"{PGD} on smoothing(sigma=0.5, n=1000, draws=64)"):
        read = parse_perturbation(text)
        assert parse_perturbation(read.text) == read
    assert parse_perturbation("smoothing(sigma=0.25, draws=64)").text == "smoothing(sigma=0.25)"
    with pytest.raises(RobustEvalError, match="Did you mean 'smoothing'"):
        parse_perturbation("smothing")
