"""What authors say about their models: from RobustBench, from trained folders, from files of users."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from robustbench_eff import evaluate
from robustbench_eff.core.errors import EntryError
from robustbench_eff.leaderboards.about import About
from robustbench_eff.leaderboards.entry import Entry, shipped
from robustbench_eff.leaderboards.published import entries, select
from robustbench_eff.leaderboards.robustbench_files import from_robustbench
from robustbench_eff.models.aliases import checkpoints
from robustbench_eff.publishing.collect import collect_entries
from robustbench_eff.publishing.measured_entries import measured_entries
from robustbench_eff.publishing.model_names import merge_entries


def about(model: str) -> About:
    (entry,) = entries(select(models=(model,)))
    return entry.about


def test_robustbenchs_models_have_their_names_and_papers() -> None:
    wu = about("rb_cifar10_linf_wu2020do")
    assert (wu.name, wu.authors) == ("Wu2020Do", "Wu 2020")
    mean_sparse = about("rb_cifar10_linf_amini2024meansparse_s_wrn_94_16")
    assert mean_sparse.name == "Amini2024MeanSparse_S-WRN-94-16"
    assert mean_sparse.link.startswith("https://arxiv.org/abs/") and mean_sparse.architecture and mean_sparse.venue
    assert about("rb_cifar10_linf_carmon2019unlabeled").extra_data is True
    assert about("rb_cifar10_l2_standard") == About(
        name="Standard (cifar10, L2)",
        architecture="WideResNet-28-10",
        link="https://github.com/RobustBench/robustbench/",
        extra_data=False,
    )


def test_names_of_robustbenchs_models_tell_them_apart() -> None:
    names = [entry.about.name for entry in entries(select(models=("rb_*",)))]
    assert len(names) > 200 and len(set(names)) == len(names) and all(names)


def test_timms_models_have_their_licences() -> None:
    (entry,) = collect_entries((), published=True, models=("effnet_b7_advprop",))
    assert entry.about.licence == "apache-2.0"


def test_an_entry_without_them_has_the_bytes_and_the_checksum_that_it_had() -> None:
    for entry in shipped():
        assert entry.about == About() and entry.with_checksum().checksum == entry.checksum
    assert "about" not in json.loads(Entry(model="m").text())


def test_a_file_of_a_user_adds_them_to_what_was_measured() -> None:
    given = Entry(model="m", about=About(licence="MIT", extra_data=False, link="https://example.org/p"))
    (merged,) = merge_entries([Entry(model="m", about=About(architecture="resnet", licence="x")), given])
    assert merged.about == About(architecture="resnet", licence="x", extra_data=False, link="https://example.org/p")
    assert Entry.model_validate_json(merged.text()).about == merged.about


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://a b", "example.org", " https://x"])
def test_a_link_is_an_address_of_the_web(link: str) -> None:
    with pytest.raises(ValidationError):
        About(link=link)


def test_imported_files_bring_their_papers(tmp_path: Path) -> None:
    path = tmp_path / "model_info" / "cifar10" / "Linf" / "Wu2020Do.json"
    path.parent.mkdir(parents=True)
    record = {"dataset": "cifar10", "eps": "8/255", "clean_acc": "90", "name": "A title", "authors": "A, B"}
    path.write_text(json.dumps(record | {"additional_data": True, "link": "https://arxiv.org/abs/1"}))
    (entry,) = from_robustbench(path)
    assert entry.about == About(
        name="Wu2020Do", title="A title", authors="A, B", extra_data=True, link="https://arxiv.org/abs/1"
    )
    for changed in ({"link": "javascript:alert(1)"}, {"additional_data": "perhaps"}):
        path.write_text(json.dumps(record | changed))
        with pytest.raises(EntryError, match=f"{next(iter(changed))} is '"):
            from_robustbench(path)


def test_a_trained_folder_has_its_defense_and_architecture_wherever_the_store_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(checkpoints() / "digits_pgd_at.json", folder / "model.json")
    shutil.copy(checkpoints() / "digits_pgd_at.safetensors", folder / "model.safetensors")
    evaluate(str(folder), attacks=["fgsm(eps=4/255)"], limit=8, store=tmp_path / "store")
    shutil.rmtree(folder)
    (entry,) = measured_entries([tmp_path / "store"])
    assert (entry.about.name, entry.family, entry.defense) == ("mine", "small_cnn", "pgd_at")
    assert entry.about.architecture.startswith("small_cnn")
