"""The classes of ImageNet under every name that public lists give them."""

from __future__ import annotations

import importlib.util
import json
import runpy
from pathlib import Path

import pytest
from timm.data import ImageNetInfo
from torchvision.models._meta import _IMAGENET_CATEGORIES as TORCHVISION

from labelled_sets import class_folders, own
from robustbench_eff import load_classifier
from robustbench_eff.benchmarks.class_names import known_names
from robustbench_eff.benchmarks.definitions.imagenet import IMAGENET, class_index, names_of_several_classes
from robustbench_eff.benchmarks.imagenet_labels import with_imagenet_outputs
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.core.errors import DataError
from robustbench_eff.evaluation.seen_classes import seen_by
from robustbench_eff.registry.open_benchmark import open_location
from world_layouts import SeesClasses

CLIP = runpy.run_path(str(Path(importlib.util.find_spec("open_clip").origin).with_name("zero_shot_metadata.py")))
"""A file of open_clip, whose import takes seconds."""
INFO = ImageNetInfo("imagenet-1k")
TIMM = [INFO.index_to_description(index, detailed=False) for index in range(1000)]
HUB = [name if index != 517 else "crane2" for index, name in enumerate(TIMM)]
KERAS = [lemmas.split(", ")[0].replace(" ", "_") for lemmas in TIMM]
LISTS = {
    "torchvision": TORCHVISION,
    "timm": TIMM,
    "hub": HUB,
    "keras": KERAS,
    "clip": CLIP["IMAGENET_CLASSNAMES"],
    "words": [f"{wnid} {lemmas}" for wnid, lemmas in zip(ImageNetInfo("imagenet-1k").label_names(), TIMM, strict=True)],
}
UNCLEAR = {"crane", "maillot", "missile", "sunglasses"}
"""Names that some list gives to one class, and some list to another."""


@pytest.mark.parametrize("source", LISTS)
def test_each_name_of_a_list_is_its_class_or_unclear(source: str) -> None:
    names = LISTS[source]
    found = known_names(names, class_index())
    assert {name for name in names if name not in found} <= UNCLEAR
    assert all(
        names[index] == name or names.count(name) > 1 or found[name] == names.index(name)
        for name, index in found.items()
    )
    assert [found[name] for name in names if name in found] == [k for k, name in enumerate(names) if name in found]


@pytest.mark.parametrize("source", LISTS)
def test_in_a_list_of_all_classes_only_its_own_repetitions_are_unclear(source: str) -> None:
    names = LISTS[source]
    for listed in (names, ["background", *names]):
        found = known_names(names, class_index(), listed)
        assert {name for name in names if name not in found} == {name for name in names if names.count(name) > 1}
        assert [found[name] for name in names if name in found] == [k for k, name in enumerate(names) if name in found]


@pytest.mark.parametrize(
    ("change", "known"),
    [
        (lambda names: names, True),
        (lambda names: [*names[:903], *(f"Klasse {k}" for k in range(97))], True),
        (lambda names: [*names[:902], *(f"Klasse {k}" for k in range(98))], False),
        (lambda names: [names[1], names[0], *names[2:]], False),
        (lambda names: names[:-1], False),
        (lambda names: [*names, "background"], False),
        (lambda names: ["a", "b", *names], False),
        (lambda names: [f"Klasse {k}" for k in range(1000)], False),
    ],
)
def test_positions_count_only_in_a_list_in_imagenets_order(change, known: bool) -> None:
    assert ("crane" in known_names(["crane"], class_index(), change(HUB))) is known


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("german shepherd", 235),
        ("German_Shepherd", 235),
        ("Cardigan", 264),
        ("cardigan", 474),
        ("CARDIGAN", None),
        ("harp", 594),
        ("partridge", 86),
        ("crane2", 517),
        ("Crane (Bird)", 134),
        ("crane", None),
        ("Crane", None),
        ("horn", None),
        ("n02085620-Chihuahua", 151),
        ("n00000001 tench", None),
        ("tenchh", None),
    ],
)
def test_a_name_alone(name: str, index: int | None) -> None:
    assert known_names([name], class_index()).get(name) == index


def test_no_other_spelling_of_an_unclear_name_is_taken_for_one_of_its_classes() -> None:
    unclear = names_of_several_classes()
    assert unclear >= UNCLEAR
    assert not known_names([*unclear, *map(str.title, unclear), *map(str.upper, unclear)], class_index())


def test_names_of_the_users_own_folders(tmp_path: Path) -> None:
    where = class_folders(tmp_path, ["German_shepherd", "crane2", "american dipper"])
    opened = open_location(str(where), "test")
    seen = with_imagenet_outputs(own(where), opened)
    assert [member for (member,) in seen.class_map().members] == [20, 235, 517]
    named = dict(zip(opened.labels, resolve_labels(seen, opened).labels.tolist(), strict=True))
    assert named == {"american dipper": 0, "German_shepherd": 1, "crane2": 2}


def test_names_that_only_their_list_tells_apart_in_the_users_own_images(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    rows = {"image": [b"", b"", b""], "label": [517, 134, 0]}
    features = Features({"image": Value("binary"), "label": ClassLabel(names=HUB)})
    Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "saved"))
    opened = open_location(str(tmp_path / "saved"), "test")
    seen = with_imagenet_outputs(own(tmp_path / "saved"), opened)
    assert [member for (member,) in seen.class_map().members] == [0, 134, 517]
    assert resolve_labels(seen, opened).labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize("source", ["torchvision", "hub", "keras"])
def test_a_model_with_the_names_of_a_list_has_its_outputs_in_order(source: str) -> None:
    network = SeesClasses(1000)
    network.class_names = list(LISTS[source])
    classifier = load_classifier(network.eval(), input_size=8, device="cpu")
    assert len(classifier.class_names) == 1000
    assert seen_by(classifier, IMAGENET, None) is IMAGENET


def test_an_unclear_name_is_refused_with_names_that_are_clear(tmp_path: Path) -> None:
    from robustbench_eff.registry import build_benchmark

    opened = open_location(str(class_folders(tmp_path, ["crane", "tench"])), "validation")
    with pytest.raises(DataError, match="'crane' is not a class of imagenet") as caught:
        resolve_labels(build_benchmark.benchmark("imagenet"), opened)
    offered = [name for name in class_index() if f"'{name}'" in caught.value.hint]
    assert {class_index()[name] for name in offered} >= {134, 517}


def test_the_file_of_spellings_holds_only_what_is_needed() -> None:
    facts = Path("robustbench_eff") / "facts"
    rows = {row["wnid"]: row for row in json.loads((facts / "imagenet_classes.json").read_text())["classes"]}
    for listed in json.loads((facts / "imagenet_names.json").read_text())["lists"]:
        assert listed["source"]
        for wnid, names in listed["names"].items():
            first = rows[wnid]["lemmas"].split(", ")[0]
            assert not set(names) & {first, rows[wnid]["lemmas"], rows[wnid]["torchvision_name"]}
