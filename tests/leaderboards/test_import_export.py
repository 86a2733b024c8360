"""Import from and export to formats of other projects, and the audit of measured against published numbers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from board_entries import counted, measured
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import EntryError
from robustbench_eff.leaderboards import audit as auditing
from robustbench_eff.leaderboards.entry import Check, Entry, Result, read_entry
from robustbench_eff.leaderboards.import_export import from_robustbench, from_timm, to_model_index, to_robustbench
from robustbench_eff.leaderboards.published import entries, select
from robustbench_eff.publishing.collect import write_entries
from robustbench_eff.publishing.model_names import merge_entries

CONTENT = {
    "link": "https://arxiv.org/abs/2007.08489",
    "name": "Do Adversarially Robust ImageNet Models Transfer Better?",
    "authors": "Hadi Salman, et al.",
    "additional_data": False,
    "number_forward_passes": 1,
    "dataset": "imagenet",
    "venue": "NeurIPS 2020",
    "architecture": "ResNet-50",
    "eps": "4/255",
    "clean_acc": "64.02",
    "reported": "63.86",
    "autoattack_acc": "34.96",
}


def robustbench_file(folder: Path, threat: str = "Linf", **changed: object) -> Path:
    path = folder / "model_info" / "imagenet" / threat / "Salman2020Do_R50.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**CONTENT, **changed}))
    return path


def test_an_entry_of_robustbench_is_read_like_its_published_rows(tmp_path: Path) -> None:
    (entry,) = from_robustbench(robustbench_file(tmp_path))
    (shipped,) = entries(select(models=("rb_imagenet_linf_salman2020do_r50",)))
    assert entry.model == shipped.model

    def numbers(results: tuple[Result, ...]) -> set[tuple[object, ...]]:
        return {
            (result.benchmark, result.perturbation, result.metric, result.value, result.protocol) for result in results
        }

    assert numbers(entry.published) == numbers(shipped.published)
    assert [(result.perturbation, result.value) for result in entry.claimed] == [
        ("the authors' attack, linf 4/255", 0.6386)
    ]


def test_corruptions_of_robustbench_are_read(tmp_path: Path) -> None:
    path = robustbench_file(tmp_path, "corruptions", corruptions_acc=39.48, corruptions_mce=76.38, autoattack_acc="")
    (entry,) = from_robustbench(path)
    numbers = {(result.benchmark, result.metric): (result.value, result.higher_is_better) for result in entry.published}
    assert numbers["imagenet-c", "mCE"] == (pytest.approx(0.7638), False)
    assert numbers["imagenet-c", "mean_accuracy"] == (pytest.approx(0.3948), True)


def test_a_table_of_timm_is_read_and_models_have_their_names_here(tmp_path: Path) -> None:
    path = tmp_path / "results-imagenet-a.csv"
    path.write_text("model,top1,top1_err,top5,top5_err\ntf_efficientnet_b7.ap_in1k,45.27,54.73,70.0,30.0\n")
    (entry,) = merge_entries(from_timm(path))
    assert (entry.model, entry.family) == ("effnet_b7_advprop", "efficientnet")
    assert [(result.benchmark, result.metric, round(result.value, 6)) for result in entry.published] == [
        ("imagenet-a", "accuracy", 0.4527),
        ("imagenet-a", "top5_accuracy", 0.70),
    ]


def test_a_model_is_identified_by_its_source() -> None:
    def made(model: str, source: str, weights: str = "w") -> Entry:
        entry = measured(model, 450, 100)
        assert entry.provenance is not None
        provenance = entry.provenance.model_copy(update={"source": source, "weights": weights})
        return entry.model_copy(update={"provenance": provenance})

    names = [
        entry.model
        for entry in merge_entries([made("resnet50", "mine.py:build"), made("b7", "timm:tf_efficientnet_b7.ap_in1k")])
    ]
    assert names == ["resnet50 (not the published one)", "effnet_b7_advprop"]
    assert len(merge_entries([made("m", "a"), made("m", "a")])) == 1
    with pytest.raises(EntryError, match="Two models are called m"):
        merge_entries([made("m", "a"), made("m", "a", "others")])


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "is not JSON"), ("{}", "dataset or clean_acc is missing"), ("[]", "is not an entry of RobustBench")],
)
def test_a_file_of_another_form_is_an_error(tmp_path: Path, content: str, words: str) -> None:
    path = robustbench_file(tmp_path)
    path.write_text(content)
    with pytest.raises(EntryError, match=words):
        from_robustbench(path)
    with pytest.raises(EntryError, match="is not a table of timm's results"):
        from_timm(path)


def test_a_text_in_place_of_a_number_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="autoattack_top1 is 'high', expected a number"):
        from_robustbench(robustbench_file(tmp_path, autoattack_acc="high"))


ATTACKED = Entry(
    model="mine",
    measured=(
        counted(950, 1000, benchmark="cifar10"),
        counted(500, 1000, "autoattack(eps=8/255)", benchmark="cifar10"),
        counted(400, 1000, "autoattack(eps=0.5, norm='l2')", benchmark="cifar10"),
        counted(300, 1000, "pgd(eps=8/255)", benchmark="cifar10"),
    ),
    checks=(Check(benchmark="cifar10", check="black_box", finding="suspect", evidence="5 of 10"),),
)


def test_written_files_of_robustbench_can_be_read(tmp_path: Path) -> None:
    written = dict(to_robustbench(ATTACKED))
    assert set(written) == {Path("cifar10/Linf/mine_8-255.json"), Path("cifar10/L2/mine_0.5.json")}
    content = json.loads(written[Path("cifar10/Linf/mine_8-255.json")])
    assert set(CONTENT) <= set(content) and content["unreliable"] is True
    path = tmp_path / "cifar10" / "Linf" / "mine.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    (again,) = from_robustbench(path)
    assert {(result.perturbation, result.value) for result in again.published} == {
        ("none", 0.95),
        ("autoattack(eps=8/255)", 0.5),
    }


def test_exported_files_stay_in_their_folder_and_compare_the_same_images() -> None:
    nasty = Entry(
        model="../../m",
        measured=(
            counted(9, 10, benchmark="../../etc"),
            counted(5, 10, "autoattack(eps=8/255)", benchmark="../../etc"),
            counted(5, 20, "autoattack(eps=4/255)", benchmark="../../etc"),
        ),
    )
    paths = [path for write in (to_robustbench, to_model_index) for path, _ in write(nasty)]
    assert len(paths) == 2 and all(".." not in path.parts and not path.is_absolute() for path in paths)


def test_the_folder_of_a_file_gives_the_threat_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = robustbench_file(tmp_path)
    monkeypatch.chdir(path.parent)
    (entry,) = from_robustbench(Path(path.name))
    assert len(entry.published) == 2
    with pytest.raises(EntryError, match="does not lie in the folder of a threat model"):
        from_robustbench(robustbench_file(tmp_path, "Lx"))
    for field, value, words in (("eps", None, "eps is None"), ("clean_acc", 9000, "expected a percentage")):
        with pytest.raises(EntryError, match=words):
            from_robustbench(robustbench_file(tmp_path, **{field: value}))
    with pytest.raises(EntryError, match="expected a percentage"):
        from_robustbench(robustbench_file(tmp_path, clean_acc="inf"))
    path.write_bytes(b"\xff\xfe")
    for read in (from_robustbench, from_timm):
        with pytest.raises(EntryError, match="is not text in UTF-8"):
            read(path)


def test_several_input_sizes_of_a_model_have_different_names(tmp_path: Path) -> None:
    path = tmp_path / "results-imagenet.csv"
    path.write_text("model,top1,top5,img_size\na,80,90,224\na,81,91,288\n")
    assert [entry.model for entry in from_timm(path)] == ["a @ 224 px", "a"]


def test_a_model_card_has_every_measured_number() -> None:
    ((path, text),) = to_model_index(ATTACKED)
    (model,) = yaml.safe_load(text.strip().strip("-"))["model-index"]
    assert path == Path("mine/README.md") and model["name"] == "mine"
    values = [result["metrics"][0]["value"] for result in model["results"]]
    assert values == [0.95, 0.5, 0.4, 0.3]
    assert model["results"][1]["metrics"][0]["args"]["n"] == 1000


def test_flags_stand_in_files_of_other_projects() -> None:
    flagged = Entry(
        model="m",
        measured=(
            counted(9, 10, benchmark="cifar10", flags=("random weights",)),
            counted(5, 10, "autoattack(eps=8/255)", benchmark="cifar10", flags=("random weights", "not_finite: 2")),
        ),
    )
    ((_, text),) = to_robustbench(flagged)
    assert json.loads(text)["footnote"].endswith("; random weights; not_finite: 2")
    ((_, text),) = to_model_index(flagged)
    (model,) = yaml.safe_load(text.strip().strip("-"))["model-index"]
    found = [result["metrics"][0]["args"]["flags"] for result in model["results"]]
    assert found == [["random weights"], ["random weights", "not_finite: 2"]]


def published(value: float, n: int | None = None, **fields: object) -> Result:
    values = {"benchmark": "digits", "metric": "accuracy", "value": value, "protocol": "a paper"}
    ends = counted(round(value * n), n) if n else None
    values |= {} if ends is None else {"low": ends.low, "high": ends.high, "n": n}
    return Result(**{**values, **fields})


def test_an_audit_lists_differences_with_intervals() -> None:
    ours = measured("mine", 900, 400)
    entry = ours.model_copy(
        update={"published": (published(0.95), published(0.905, 2000)), "claimed": (published(0.9),)}
    )
    differences = auditing.audit([entry])
    assert [(round(item.value, 4), item.is_certain, item.kind) for item in differences] == [
        (-0.05, True, "published"),
        (-0.005, False, "published"),
        (0.0, False, "claimed"),
    ]
    alone, both = differences[0], differences[1]
    low, high = ours.measured[0].low, ours.measured[0].high
    assert (alone.low, alone.high) == pytest.approx((low - 0.95, high - 0.95))
    assert both.high is not None and both.high - both.value > high - 0.9
    text = auditing.markdown(differences)
    assert "| **-5.00** | [-7.03, -3.21] | test | published: a paper |" in text
    rows = list(csv.DictReader(io.StringIO(auditing.as_csv(differences))))
    assert float(rows[0]["measured"]) == 0.9 and len(json.loads(auditing.as_json(differences))) == 3


def test_an_audit_compares_only_the_same_thing() -> None:
    other = published(0.4, perturbation="pgd(eps=4/255)", metric="robust_accuracy")
    assert auditing.audit([measured("mine", 900, 400).model_copy(update={"published": (other,)})]) == []


def test_every_model_gets_its_own_file(tmp_path: Path) -> None:
    entries = [measured(name, 900, 400) for name in ("a/b", "a_b", "A_B", "../../x")]
    paths = write_entries(entries, tmp_path)
    assert len({str(path).lower() for path in paths}) == 4 and all(path.parent == tmp_path for path in paths)
    assert [read_entry(path).model for path in paths] == [entry.model for entry in entries]


def test_the_commands_read_and_write_files(tmp_path: Path) -> None:
    def run(*words: object):
        return CliRunner().invoke(app, ["leaderboard", *map(str, words)], env={"COLUMNS": "200"})

    assert run("import", "robustbench", robustbench_file(tmp_path), "--out", tmp_path / "in").exit_code == 0
    (path,) = (tmp_path / "in").iterdir()
    assert read_entry(path).model == "rb_imagenet_linf_salman2020do_r50"
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "mine.json").write_text(ATTACKED.text())
    for form, file in (("robustbench", "cifar10/L2/mine_0.5.json"), ("model-index", "mine/README.md")):
        assert run("export", form, tmp_path / "ours", "--out", tmp_path / form).exit_code == 0
        assert (tmp_path / form / file).is_file()
    assert "None of the measured results has a published counterpart" in run("audit", tmp_path / "ours").output
    answer = run("export", "robustbensch", tmp_path / "ours", "--out", tmp_path)
    assert (answer.exit_code, "Did you mean 'robustbench'" in answer.output) == (2, True)
    (tmp_path / "results-imagenet-a.csv").write_text("model,top1,top5\na,45,70\n")
    run("import", "timm", tmp_path / "results-imagenet-a.csv", "--out", tmp_path / "timm")
    answer = run("export", "robustbench", tmp_path / "timm", "--out", tmp_path)
    assert (answer.exit_code, "RobustBench accepts results of AutoAttack only" in answer.output) == (2, True)
