"""RobustBench's own files: whose they are, which number ranks a model, and that none is lost on the way in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.flags import is_doubted
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import layout
from robustbench_eff.leaderboards.entry import Entry, read_entry
from robustbench_eff.leaderboards.published import entries, select
from robustbench_eff.leaderboards.robustbench_files import from_robustbench, to_robustbench, wrong_datasets
from robustbench_eff.leaderboards.table_formats import FORMATS

CONTENT = {"dataset": "cifar10", "eps": "8/255", "clean_acc": "90.00", "reported": "", "architecture": "ResNet-18"}


def written(folder: Path, place: str, **changed: object) -> Path:
    path = folder / "model_info" / f"{place}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**CONTENT, **changed}))
    return path


def run(*words: object):
    return CliRunner().invoke(app, ["leaderboard", *map(str, words)], env={"COLUMNS": "300"})


def test_the_folder_gives_the_dataset_and_every_contradiction_is_said(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, "cifar10/Linf/A", autoattack_acc="50.00"),
        written(tmp_path, "cifar100/Linf/A", autoattack_acc="30.00"),
        written(tmp_path, "cifar100/corruptions/B", corruptions_acc="40.00"),
        written(tmp_path, "cifar100/Linf/C", dataset="cifar100", autoattack_acc="20.00"),
    ]
    answer = run("import", "robustbench", *paths, "--out", tmp_path / "out")
    assert "2 files in the folder cifar100 say cifar10; as in RobustBench's tables the folder counts: " in answer.output
    assert "Linf/A.json, corruptions/B.json." in answer.output and "4 files read, 4 entries written" in answer.output
    models = {path.stem: read_entry(path) for path in (tmp_path / "out").iterdir()}
    assert [result.benchmark for result in models["rb_cifar100_linf_a"].published] == ["cifar100"] * 2
    assert [result.value for result in models["rb_cifar10_linf_a"].published] == [0.9, 0.5]
    assert wrong_datasets(paths[::3]) == []


def test_a_file_that_is_given_twice_counts_once(tmp_path: Path) -> None:
    path = written(tmp_path, "cifar100/Linf/A", autoattack_acc="30.00")
    answer = run("import", "robustbench", path, path, "--out", tmp_path / "out")
    assert (
        "1 file in the folder cifar100 says cifar10; as in" in answer.output and "counts: Linf/A.json." in answer.output
    )
    assert "1 file read, 1 entry written" in answer.output


def test_files_that_give_one_entry_are_named(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"cifar10/Linf/{name}", autoattack_acc="50.00") for name in ("A-b", "A_b")]
    answer = run("import", "robustbench", *paths, paths[0], "--out", tmp_path / "out")
    assert f"Entry rb_cifar10_linf_a_b: the numbers of {paths[0]}, {paths[1]} together." in answer.output
    assert "2 files read, 1 entry written" in answer.output


def test_a_folder_that_is_no_dataset_leaves_the_word_to_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "mine/Linf/A", autoattack_acc="50.00")
    (entry,) = from_robustbench(path)
    assert entry.model == "rb_cifar10_linf_a" and wrong_datasets([path]) == []


def test_the_best_known_number_ranks_a_model_and_a_warning_of_robustbench_is_marked(tmp_path: Path) -> None:
    numbers = {"Best": ("70.00", None), "Doubtful": ("75.00", "60.00"), "Middle": ("65.00", None)}
    models = []
    for name, (autoattack, external) in numbers.items():
        changed = {"autoattack_acc": autoattack, "unreliable": name == "Doubtful"}
        changed |= {} if external is None else {"external": external}
        models += from_robustbench(written(tmp_path, f"cifar10/Linf/{name}", **changed))
    table = build_table(models, layout("robustbench-cifar10-linf"))
    assert [row.model.rpartition("_")[2] for row in table.rows] == ["best", "middle", "doubtful"]
    doubtful = table.rows[2].figures[1]
    assert doubtful is not None and doubtful.ranks == (3, 3) and not doubtful.is_best and doubtful.value == 0.75
    for name in ("md", "html", "tex"):
        text = FORMATS[name](table).replace("$\\dagger$", "†").replace("{*}", "*").replace("\\", "")
        assert "75.00†*" in text and "ranked by 60.00, the best known attack" in text, name
        assert "RobustBench warns that AutoAttack may overestimate" in text, name


def test_kang2021stable_is_16th_as_in_robustbenchs_table() -> None:
    shipped = entries(select(models=("rb_cifar10_linf_*",)))
    for columns, label in (("robustbench-cifar10-linf", "AutoAttack"), ("attacks", "attacked, autoattack(eps=8/255)")):
        table = build_table(shipped, layout(columns))
        place = next(index for index, column in enumerate(table.columns) if column.label == label)
        number = [row.model for row in table.rows].index("rb_cifar10_linf_kang2021stable")
        figure = table.rows[number].figures[place]
        assert figure is not None and figure.ranks is not None and is_doubted(figure.flags)
        assert number == 15 and figure.ranks.best > 8 and figure.ranks.worst >= 16


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("cifar10/Linf/A", {"autoattack_acc": "71.28", "external": "64.20", "unreliable": True, "reported": "71.3"}),
        ("cifar10/Linf/B", {"autoattack_acc": "18.50", "eps": "0.031"}),
        ("cifar10/L2/C", {"autoattack_acc": "50.00", "eps": "0.5"}),
        ("cifar100/corruptions/D", {"corruptions_acc": "40.00", "eps": None, "reported": "null"}),
        ("cifar10/corruptions/D", {"corruptions_acc": "88.00", "eps": None, "reported": "88.1"}),
        ("imagenet/corruptions/E", {"corruptions_acc": 39.48, "corruptions_mce": 76.38, "corruptions_acc_3d": 30}),
        ("imagenet/corruptions_3d/F", {"corruptions_acc": 39.48, "corruptions_acc_3d": 30, "corruptions_mce_3d": 70}),
        ("imagenet/corruptions_3d/G", {"corruptions_acc_3d": 30, "eps": None}),
    ],
)
def test_what_was_read_is_written_and_read_again(tmp_path: Path, place: str, changed: dict[str, object]) -> None:
    (first,) = from_robustbench(written(tmp_path, place, **changed))
    ((path, text),) = to_robustbench(first)
    assert path == Path(f"{place}.json")
    again = tmp_path / "again" / path
    again.parent.mkdir(parents=True)
    again.write_text(text)
    (second,) = from_robustbench(again)
    assert second.model_copy(update={"family": first.family}) == first
    assert json.loads(text).get("unreliable") == changed.get("unreliable")


def test_a_doubt_that_is_not_true_or_false_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, "cifar10/Linf/A", autoattack_acc="50.00", unreliable="false")
    with pytest.raises(EntryError, match="unreliable is 'false', expected true or false"):
        from_robustbench(path)


def test_the_best_known_number_of_another_ball_ranks_nothing(tmp_path: Path) -> None:
    (entry,) = from_robustbench(written(tmp_path, "cifar10/Linf/A", autoattack_acc="50.00"))
    (other,) = from_robustbench(written(tmp_path, "cifar10/L2/A", autoattack_acc="50.00", external="1", eps="8/255"))
    both = Entry(model="both", published=(*entry.published, *other.published))
    (row,) = build_table([both], layout("robustbench-cifar10-linf")).rows
    assert row.figures[1] is not None and row.figures[1].best_known is None
