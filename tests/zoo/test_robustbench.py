"""`robustbench:NAME`: names, files in every place and form, and what is refused, in which words."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from robustbench_eff import load_classifier
from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.robustbench_table import find_entry, robustbench_entries
from robustbench_eff.models.sources.robustbench_files import find_files
from robustbench_eff.models.sources.robustbench_models import ROBUSTBENCH, build_network
from robustbench_eff.publishing.model_names import measured_name
from robustbench_eff.publishing.robustbench_numbers import published_numbers
from seeded_networks import images_of, seeded_state

SMALL = "cifar10/corruptions/Hendrycks2020AugMix_WRN"
"""The smallest network of the table, 2.2 million parameters."""
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Weights of `SMALL`, without its normalisation."""
    return seeded_state(build_network(find_entry(SMALL)).state_dict())


def load(path: Path | None = None, name: str = SMALL, **options: object) -> Classifier:
    return load_classifier(f"robustbench:{name}", device="cpu", weights=path, **options)


@pytest.fixture(scope="module")
def logits(tmp_path_factory: pytest.TempPathFactory, state: State) -> Tensor:
    """Logits of `SMALL` from a plain state_dict."""
    path = tmp_path_factory.mktemp("plain") / "plain.pt"
    torch.save(state, path)
    return answers(load(path))


def answers(classifier: Classifier) -> Tensor:
    with torch.no_grad():
        return classifier(images_of(32))


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("Carmon2019Unlabeled", "cifar10/Linf/Carmon2019Unlabeled"),
        ("carmon2019unlabeled", "cifar10/Linf/Carmon2019Unlabeled"),
        ("Carmon2019Unlabeled.pt", "cifar10/Linf/Carmon2019Unlabeled"),
        ("cifar10/L2/Engstrom2019Robustness", "cifar10/L2/Engstrom2019Robustness"),
        ("L2/Engstrom2019Robustness", "cifar10/L2/Engstrom2019Robustness"),
        ("CIFAR-10/l_2/engstrom2019robustness", "cifar10/L2/Engstrom2019Robustness"),
        ("models/cifar10/L2/Engstrom2019Robustness", None),
        ("Wang2023Better_WRN_28_10", None),
        ("", None),
    ],
)
def test_names_in_several_spellings(written: str, full: str | None) -> None:
    if full is not None:
        assert find_entry(written).name == full
        return
    with pytest.raises(ModelError):
        find_entry(written)


def test_a_name_of_several_models_lists_them() -> None:
    with pytest.raises(ModelError) as caught:
        find_entry("Engstrom2019Robustness")
    names = ("cifar10/L2", "cifar10/Linf", "imagenet/Linf")
    listed = ", ".join(f"robustbench:{name}/Engstrom2019Robustness" for name in names)
    assert caught.value.message == f"3 models of RobustBench are called Engstrom2019Robustness: {listed}."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Carmon2019Unlabled", "Did you mean 'Carmon2019Unlabeled'"),
        ("cifar100/Linf/Carmon2019Unlabeled", "Did you mean 'cifar10/Linf/Carmon2019Unlabeled'"),
        ("Madry2018Towards", "publishes numbers of cifar10/Linf/Madry2018Towards, and no weights"),
        ("cifar10/Linf/Bai2023Improving_edm", "on a GPU"),
    ],
)
def test_names_that_cannot_be_loaded(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        load(name=name)
    assert caught.value.exit_code == 2


def test_every_name_says_where_its_weights_are_or_why_it_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.models.sources.robustbench_models.find_spec", lambda name: None)
    said = {"missing": 0, "no weights": 0, "package": 0, "GPU": 0}
    for name, entry in robustbench_entries().items():
        with pytest.raises(UsageError) as caught:
            load(name=name)
        if isinstance(caught.value, MissingInputs):
            assert [item.where for item in caught.value.missing] == list(entry.weights)
            assert all(item.where.startswith("https://") for item in caught.value.missing)
            said["missing"] += 1
        else:
            said[next(word for word in said if word in caught.value.message)] += 1
    assert said == {"missing": 192, "no weights": 30, "package": 11, "GPU": 3}


def test_the_published_alias_is_a_name(tmp_path: Path, state: State, logits: Tensor) -> None:
    torch.save(state, tmp_path / "w.pt")
    alias = load_classifier("rb_cifar10_corruptions_hendrycks2020augmix_wrn", weights=tmp_path / "w.pt", device="cpu")
    assert torch.equal(answers(alias), logits)
    assert alias.provenance.source == f"robustbench:{SMALL}"
    assert alias.provenance.label_space == "cifar10"
    assert measured_name(f"robustbench:{SMALL}", alias.provenance.source) == find_entry(SMALL).alias


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 7},
        lambda state: {f"module.model.{key}": value for key, value in state.items()},
        lambda state: {f"{'module.' * (i % 2)}{key}": value for i, (key, value) in enumerate(state.items())},
        lambda state: {**state, "mu": torch.full((1, 3, 1, 1), 0.5), "sigma": torch.full((1, 3, 1, 1), 0.5)},
        lambda state: {key: value for key, value in state.items() if "num_batches" not in key},
        lambda state: {**state, **{f"attacker.model.{key}": value for key, value in state.items()}},
    ],
    ids=["checkpoint", "prefixes", "some prefixes", "constants", "without counters", "two copies"],
)
def test_published_forms_give_the_same_logits(
    tmp_path: Path, state: State, logits: Tensor, wrap: Callable[[State], object]
) -> None:
    torch.save(wrap(state), tmp_path / "w.pt")
    built = ROBUSTBENCH.build(SMALL, ModelRequest(name=f"robustbench:{SMALL}", weights=tmp_path / "w.pt"))
    assert built.preprocessing.mean == built.preprocessing.std == (0.5, 0.5, 0.5)
    with torch.no_grad():
        assert torch.equal(built.module((images_of(32) - 0.5) / 0.5), logits)


def test_other_constants_in_the_file_win_and_are_noted(tmp_path: Path, state: State, logits: Tensor) -> None:
    other = {"mu": torch.full((3,), 0.4), "sigma": torch.full((3,), 0.2)}
    torch.save({**state, **other}, tmp_path / "w.pt")
    classifier = load(tmp_path / "w.pt")
    assert classifier.preprocessing.mean == pytest.approx((0.4,) * 3)
    assert "mean 0.4 0.4 0.4 and std 0.2 0.2 0.2 are those of the file" in classifier.provenance.notes
    assert not torch.allclose(answers(classifier), logits)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: {**state, "head.weight": torch.ones(2)}, "1 unexpected, such as head.weight"),
        (lambda state: {key: value for key, value in state.items() if key != "fc.bias"}, "1 missing, such as fc.bias"),
        (lambda state: {**state, "fc.weight": torch.ones(100, 128)}, "of another shape, such as fc.weight"),
        (lambda state: {**state, "fc.bias": torch.full((10,), float("nan"))}, "holds NaN"),
        (lambda state: {**state, "mu": torch.ones(1), "sigma": torch.ones(1)}, "one value for each of three channels"),
        (lambda state: {**state, "module.fc.bias": state["fc.bias"]}, "two tensors of one name"),
    ],
    ids=["extra", "missing", "classes", "NaN", "one constant", "twice"],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, state: State, change: Callable[[State], object], words: str
) -> None:
    torch.save(change(state), tmp_path / "w.pt")
    with pytest.raises(ModelError, match=words) as caught:
        load(tmp_path / "w.pt")
    assert caught.value.exit_code == 2


class _Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_what_is_no_checkpoint_is_refused_and_nothing_runs(tmp_path: Path, state: State) -> None:
    page, hostile, short = (tmp_path / name for name in ("page.pt", "hostile.pt", "short.pt"))
    page.write_text("<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title></html>")
    torch.save({"state_dict": state, "args": _Hostile(tmp_path / "ran")}, hostile, pickle_module=pickle)
    torch.save(state, short)
    short.write_bytes(short.read_bytes()[:-1000])
    for path, words in ((page, "is a web page"), (hostile, "would run code"), (short, "incomplete")):
        with pytest.raises(ModelError, match=words):
            load(path)
    assert not (tmp_path / "ran").exists()


def test_the_number_of_classes_is_the_datasets(tmp_path: Path, state: State) -> None:
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="has 10 outputs, not the 100 of --num-classes"):
        load(tmp_path / "w.pt", num_classes=100)
    with pytest.raises(UsageError, match="takes no --model-arg"):
        load(tmp_path / "w.pt", model_args={"width": 4})


@pytest.mark.parametrize("below", ["", "corruptions", "cifar10/corruptions"])
def test_a_folder_with_robustbenchs_layout(tmp_path: Path, state: State, logits: Tensor, below: str) -> None:
    folder = tmp_path / below
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "Hendrycks2020AugMix_WRN.pt")
    assert torch.equal(answers(load(tmp_path)), logits)
    with pytest.raises(MissingInputs, match=r"no file .*/cifar10/Linf/Standard\.pt"):
        load(tmp_path, "cifar10/Linf/Standard")


def test_robustbenchs_own_downloads_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: State, logits: Tensor
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("models/cifar10/corruptions")
    folder.mkdir(parents=True)
    torch.save(state, folder / "Hendrycks2020AugMix_WRN.pt")
    classifier = load()
    assert torch.equal(answers(classifier), logits)
    note = "weights found in models/cifar10/corruptions, where RobustBench downloads them to"
    assert note in classifier.provenance.notes


def test_a_file_of_another_models_name_is_flagged(tmp_path: Path, state: State) -> None:
    for name, other in (
        ("Standard.pt", "cifar10/corruptions/Standard"),
        ("cifar100/corruptions/Hendrycks2020AugMix_WRN.pt", "cifar100/corruptions/Hendrycks2020AugMix_WRN"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, path)
        assert load(path).provenance.flags == (f"weights file of another name: {other}",)
    same = tmp_path / "mine.pt"
    torch.save(state, same)
    assert load(same).provenance.flags == ()


def test_an_ensemble_needs_all_its_files(tmp_path: Path) -> None:
    entry = find_entry("cifar10/corruptions/Diffenderfer2021Winning_Binary_CARD_Deck")
    names = [f"{entry.short}.pt_m{number}.pt" for number in range(6)]
    for name in names[:5]:
        (tmp_path / name).touch()
    for weights in (tmp_path, tmp_path / names[2]):
        found = find_files(entry, ModelRequest(name="robustbench:x", weights=weights))
        assert [item.what.rpartition("/")[2] for item in found.missing] == names[5:]
        assert "pass their folder: --weights FOLDER" in found.missing[0].how
    (tmp_path / names[5]).touch()
    found = find_files(entry, ModelRequest(name="robustbench:x", weights=tmp_path / names[2]))
    assert [path.name for path in found.paths] == names


def test_random_weights_are_flagged() -> None:
    (flag,) = load(random_weights=True).provenance.flags
    assert flag.startswith("random weights: ")


def test_every_model_has_the_numbers_of_the_published_results() -> None:
    numbers = published_numbers()
    assert {entry.alias for entry in robustbench_entries().values()} <= set(numbers)
    carmon = numbers["rb_cifar10_linf_carmon2019unlabeled"]
    assert (carmon.clean, carmon.autoattack, carmon.best_known, carmon.flags) == (0.8969, 0.5953, None, ())
    counts = [
        sum(value.best_known is not None for value in numbers.values()),
        sum(bool(v.flags) for v in numbers.values()),
    ]
    assert counts == [25, 2]
    unreliable = {entry.alias for entry in robustbench_entries().values() if entry.unreliable}
    assert unreliable == {alias for alias, value in numbers.items() if value.flags}
