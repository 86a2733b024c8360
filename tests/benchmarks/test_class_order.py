"""The classes of one's own images are numbered as the user or the model says, and the number says how."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.benchmarks.class_order import in_class_order
from robustbench_eff.benchmarks.definitions.cifar10 import CLASSES
from robustbench_eff.benchmarks.definitions.imagenet import facts
from robustbench_eff.core.errors import RobustEvalError, RobustEvalWarning, UsageError
from robustbench_eff.core.flags import AT_CHANCE
from robustbench_eff.registry.open_benchmark import open_location
from running import accuracies
from world_layouts import SeesClasses, folders, seeing, shown

TIMM = {"A1": 0, "a2": 1, "B1": 2, "b10": 4, "b2": 3, "c": 5}
"""Class folders in the order of timm: numbers by value, capitals like small letters."""
NUMBERS = {str(number): index for index, number in enumerate(sorted(range(12), key=str))}
"""Class folders 0 to 11 in the order of torchvision's ImageFolder: as words."""


def accuracy(tmp_path: Path, classifier, where: Path, **options):
    """The score of the clean images of a user's own set."""
    options = {"attacks": ["none"], "device": "cpu", "data": {"mine": str(where)}, **options}
    result = evaluate(classifier, store=tmp_path / "store", **options)
    return next(score for score in accuracies(result.scores) if score.metric == "accuracy")


def own_labels(where: Path, labels: list, classes: list[int]) -> Path:
    """An archive whose picture `i` shows `classes[i]` and has the label `labels[i]`."""
    np.savez(where, x=np.stack([shown(index) for index in classes]), y=np.array(labels))
    return where


@pytest.mark.parametrize(
    ("classes", "order", "words"),
    [
        (TIMM, "natural", "classes in natural order: A1, a2, B1 and 3 more"),
        (NUMBERS, "sorted", "classes in sorted order: 0, 1, 10 and 9 more"),
        ({str(number): number for number in range(12)}, None, "folder names as numbers"),
        ({str(number): number for number in range(12)}, "numeric", "labels as numbers"),
        ({"b": 1, "a": 0, "c": 2}, None, "class folders in sorted order: a, b, c"),
        ({f"{number:02}": number - 1 for number in range(1, 8)}, "natural", "classes in natural order: 01, 02, 03"),
    ],
)
def test_the_order_is_used_and_stands_in_the_protocol(
    tmp_path: Path, classes: dict[str, int], order: str | None, words: str
) -> None:
    where = folders(tmp_path / "set", classes)
    found = accuracy(tmp_path, seeing(len(classes)), where, class_order=order)
    assert found.value == 1
    assert words in str(found.protocol)


@pytest.mark.parametrize(
    ("classes", "program", "option"), [(TIMM, "timm", "natural"), (NUMBERS, "torchvision's ImageFolder", "sorted")]
)
def test_another_programs_order_is_named_with_the_option_for_it(
    tmp_path: Path, classes: dict[str, int], program: str, option: str
) -> None:
    where = folders(tmp_path / "set", classes)
    with pytest.warns(RobustEvalWarning, match=f"{program} gives .* the number .*--class-order {option}"):
        assert accuracy(tmp_path, seeing(len(classes)), where).value < 0.5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("names.txt", "dog\ncat\nbird\n"),
        ("names.txt", "\ufeffdog\r\ncat\r\nbird\r\n\r\n"),
        ("names.json", json.dumps(["dog", "cat", "bird"])),
        ("class_to_idx.json", json.dumps({"cat": 1, "dog": 0, "bird": 2})),
        ("id2label.json", json.dumps({"0": "dog", "2": "bird", "1": "cat"})),
        ("config.json", json.dumps({"num_labels": 3, "id2label": {"0": "dog", "1": "cat", "2": "bird"}})),
        ("imagenet_class_index.json", json.dumps({"0": ["dog", "a dog"], "1": ["cat", "x"], "2": ["bird", "y"]})),
    ],
)
def test_a_file_states_the_order(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    where = folders(tmp_path / "set", {"dog": 0, "cat": 1, "bird": 2})
    found = accuracy(tmp_path, seeing(3), where, class_order=str(tmp_path / name))
    assert found.value == 1
    assert f"classes in the order of {name}: dog, cat, bird" in str(found.protocol)


def test_a_file_may_name_classes_without_images(tmp_path: Path) -> None:
    """Six folders of seven classes: the argmax is over all seven outputs."""
    (tmp_path / "names.txt").write_text("".join(f"c{number}\n" for number in range(7)))
    where = folders(tmp_path / "set", {f"c{number}": number for number in range(7) if number != 2})
    with pytest.raises(UsageError, match=r"has 7 outputs, but mine has 6 classes.*(.|\n)*--class-order"):
        accuracy(tmp_path, seeing(7), where)
    assert accuracy(tmp_path, seeing(7), where, class_order=str(tmp_path / "names.txt")).value == 1


def test_one_file_in_two_classes_is_refused(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"ant": 0, "bee": 1})
    (where / "emu").symlink_to(where / "ant")
    with pytest.raises(RobustEvalError, match=r"ant/0.png and emu/0.png are one file, through a link"):
        accuracy(tmp_path, seeing(3), where)


def test_a_folder_without_images_keeps_its_place(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"a": 0, "b": 1, "d": 3})
    (where / "c").mkdir()
    assert accuracy(tmp_path, seeing(4), where).value == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("map.json", json.dumps({"pet": [0, 1], "bird": 4})),
        ("map.csv", "class,output\npet,0\npet,1\nbird,4\n"),
        ("map.csv", "pet,0\nbird,4\npet,1\n"),
        ("map.csv", "class;outputs\npet;0;1\n\nbird;4\n"),
    ],
)
def test_a_class_map_gives_each_class_its_outputs(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    where = folders(tmp_path / "set", {"bird": 4, "pet": 1})
    found = accuracy(tmp_path, seeing(5), where, class_map=tmp_path / name)
    assert found.value == 1
    assert "2 classes by the best of 3 of 5 outputs: pet, bird" in str(found.protocol)


def test_labels_that_are_numbers_have_a_class_map_too(tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text(json.dumps({"7": 1, "9": 0}))
    where = own_labels(tmp_path / "set.npz", [7, 9, 9], [1, 0, 0])
    assert accuracy(tmp_path, seeing(2), where, class_map=tmp_path / "map.json").value == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class_order": "natrual"}, "neither an order nor a file.*\nDid you mean 'natural'"),
        ({"class_order": "numeric"}, "'cat' is not a number"),
        ({"class_order": "short.txt"}, "classes that .*short.txt does not name: 'dog'"),
        ({"class_order": "twice.txt"}, "names 'cat' twice"),
        ({"class_order": "gap.txt"}, "has an empty line"),
        ({"class_order": "broken.json"}, "broken.json is not JSON"),
        ({"class_order": "gap.json"}, "does not number its classes from 0 to 1"),
        ({"class_map": "absent.json"}, "does not exist"),
        ({"class_map": "one.json"}, "two classes or more"),
        ({"class_map": "far.json"}, "gives 'dog' the output 2, and SeesClasses has 0 to 1"),
        ({"class_map": "shared.json"}, "gives output 0 to two classes"),
        ({"class_order": "numbered.txt"}, "(?s)does not name: 'cat', 'dog'.*one class name per line"),
        ({"class_map": "gap.csv"}, "line 2: a class and its outputs are needed"),
        ({"class_map": "wnids.csv"}, "'cat' has the output 'n0123'"),
        ({"class_map": "list.json"}, "is a list"),
        ({"class_order": "doubled.json"}, "names 'cat' twice"),
        ({"class_map": "words.json"}, "'cat' has the output 'first'"),
        ({"class_map": "far.json", "class_order": "sorted"}, "exclude each other"),
    ],
)
def test_what_cannot_be_an_order_is_one_sentence(
    tmp_path: Path, options: dict, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    contents = {
        "short.txt": "cat\nbird\n",
        "twice.txt": "cat\ndog\ncat\n",
        "gap.txt": "cat\n\ndog\n",
        "broken.json": "[",
        "gap.json": '{"cat": 0, "dog": 2}',
        "one.json": '{"cat": 0}',
        "far.json": '{"cat": 0, "dog": 2}',
        "shared.json": '{"cat": 0, "dog": [1, 0]}',
        "numbered.txt": "0 cat\n1 dog\n",
        "gap.csv": "cat,0\n,1\n",
        "wnids.csv": "cat,n0123\ndog,1\n",
        "list.json": "[0, 1]",
        "doubled.json": '{"0": "cat", "1": "cat"}',
        "words.json": '{"cat": "first", "dog": 1}',
    }
    for name, content in contents.items():
        Path(name).write_text(content)
    where = folders(tmp_path / "set", {"cat": 0, "dog": 1})
    with pytest.raises(RobustEvalError) as caught:
        accuracy(tmp_path, seeing(2), where, **options)
    text = f"{caught.value.message}\n{caught.value.hint}"
    assert re.search(words, text), text


def test_an_order_needs_images_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--class-order is for images of your own; the classes of digits have"):
        evaluate("digits_standard", class_order="sorted", limit=4, store=tmp_path / "store", device="cpu")


@pytest.mark.parametrize("name", ["cifar-10", "CIFAR10", "cifra10", "imagnet", "ImageNet_C"])
def test_a_mistyped_benchmark_is_no_set_of_its_own(tmp_path: Path, name: str) -> None:
    where = folders(tmp_path / "set", {"a": 0, "b": 1})
    with pytest.raises(UsageError, match="almost the name of one"):
        evaluate(seeing(2), attacks=["none"], data={name: str(where)}, store=tmp_path / "store", device="cpu")


@pytest.mark.parametrize("name", ["imagenet-d", "my-cifar10", "cifar10-mine", "mine"])
def test_a_name_of_its_own_may_resemble_a_benchmark(tmp_path: Path, name: str) -> None:
    where = folders(tmp_path / "set", {"a": 0, "b": 1})
    assert accuracy(tmp_path, seeing(2), where, data={name: str(where)}, benchmarks=[name]).value == 1


def named(outputs: list[str], output_of: list[int], style: str = "class_names"):
    """A classifier that names its outputs as some library does."""
    network = SeesClasses(len(outputs), output_of).eval()
    match style:
        case "hugging_face":
            network.config = SimpleNamespace(id2label=dict(enumerate(outputs)))
        case "timm":
            network.pretrained_cfg = {"label_names": outputs}
        case "class_to_idx":
            network.class_to_idx = {name: index for index, name in enumerate(outputs)}
        case _:
            network.class_names = tuple(outputs)
    return load_classifier(network, input_size=8, device="cpu")


@pytest.mark.parametrize("style", ["hugging_face", "timm", "class_to_idx", "class_names"])
def test_names_of_the_models_outputs_decide(tmp_path: Path, style: str) -> None:
    where = folders(tmp_path / "set", {"T-shirt_top": 0, "trouser": 1, "Ankle boot": 2})
    found = accuracy(tmp_path, named(["Ankle boot", "Trouser", "T-shirt top"], [2, 1, 0], style), where)
    assert found.value == 1
    assert "in the order of the model's own class names: Ankle boot, Trouser, T-shirt top" in str(found.protocol)


def test_images_of_some_of_the_models_classes_are_a_class_map(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"cat": 0, "bird": 2})
    found = accuracy(tmp_path, named(["dog", "cat", "bird"], [1, 0, 2]), where)
    assert found.value == 1
    assert "argmax over 2 of 3 outputs: cat, bird" in str(found.protocol)


def test_names_of_which_only_some_are_the_models_are_refused(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"cat": 0, "wolf": 1, "bird": 2})
    with pytest.raises(UsageError, match=r"2 of its 3 class names .*'wolf' is not") as caught:
        accuracy(tmp_path, named(["dog", "cat", "bird"], [1, 0, 2]), where)
    assert "--class-map FILE" in caught.value.hint
    (tmp_path / "map.json").write_text('{"cat": 1, "wolf": 0, "bird": 2}')
    mapped = accuracy(tmp_path, named(["dog", "cat", "bird"], [1, 0, 2]), where, class_map=tmp_path / "map.json")
    assert mapped.value == 1


def test_two_folders_may_be_one_output(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"cat": 1, "dog": 0, "kitten": 1})
    assert accuracy(tmp_path, named(["dog", "cat, kitten", "bird"], [0, 1, 2]), where).value == 1


def test_a_name_may_be_a_number(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"1": 2, "cat": 1, "dog": 0})
    assert accuracy(tmp_path, named(["dog", "cat", "1"], [0, 1, 2]), where).value == 1


def test_names_that_have_nothing_in_common_are_flagged(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"Hund": 0, "Katze": 1})
    (flag,) = accuracy(tmp_path, named(["cat", "dog"], [1, 0]), where).flags
    assert "the model names its outputs 'cat', 'dog', ...; none of these is a class of the images" in flag


def test_capitals_alone_make_an_order_of_their_own(tmp_path: Path) -> None:
    """Two names that differ in capitals only come in the same order in every process."""
    opened = open_location(str(folders(tmp_path / "set", {"cat": 0, "Cat": 1, "dog": 2})), "test")
    assert in_class_order(opened, "natural").class_names == ("Cat", "cat", "dog")


@pytest.mark.parametrize("labels", [["0.0", "1.0", "2.0"], [0.0, 1.0, 2.0]])
def test_numbers_may_have_a_decimal_point(tmp_path: Path, labels: list) -> None:
    where = own_labels(tmp_path / "set.npz", labels, [0, 1, 2])
    (tmp_path / "names.txt").write_text("0\n1\n2\n")
    for order in ("numeric", str(tmp_path / "names.txt")):
        assert accuracy(tmp_path, seeing(3), where, class_order=order).value == 1


def test_labels_from_one_have_a_hint_that_works(tmp_path: Path) -> None:
    where = own_labels(tmp_path / "set.npz", [1, 2, 3], [0, 1, 2])
    with pytest.raises(UsageError, match="has 3 outputs, but mine has 4 classes") as caught:
        accuracy(tmp_path, seeing(3), where)
    assert "--class-order natural" in caught.value.hint
    assert accuracy(tmp_path, seeing(3), where, class_order="natural").value == 1


def test_classes_known_by_number_only_are_not_numbered_by_name(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"zero": 0, "one": 1})
    with pytest.raises(RobustEvalError, match="the classes of digits are known by their numbers only"):
        accuracy(tmp_path, seeing(10), where, data={"digits": str(where)}, benchmarks=["digits"])


def test_placeholders_are_no_names(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"cat": 0, "dog": 1})
    found = accuracy(tmp_path, named(["LABEL_0", "LABEL_1"], [0, 1], "hugging_face"), where)
    assert found.value == 1
    assert "class folders in sorted order: cat, dog" in str(found.protocol)


def test_an_order_that_contradicts_the_models_names_is_flagged(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"cat": 0, "dog": 1})
    found = accuracy(tmp_path, named(["dog", "cat"], [1, 0]), where, class_order="sorted")
    assert any("class names differ: --class-order gives 'cat' the number 0" in flag for flag in found.flags)


def test_a_known_benchmark_is_seen_in_its_own_order(tmp_path: Path) -> None:
    where = own_labels(tmp_path / "set.npz", list(range(10)) * 2, list(range(10)) * 2)
    turned = named(list(reversed(CLASSES)), list(reversed(range(10))))
    found = accuracy(tmp_path, turned, where, data={"cifar10": str(where)}, benchmarks=["cifar10"])
    assert found.value == 1
    assert "outputs by the model's own class names" in str(found.protocol)


def test_an_output_beside_the_classes_is_ignored(tmp_path: Path) -> None:
    where = own_labels(tmp_path / "set.npz", list(range(10)) * 2, list(range(10)) * 2)
    found = accuracy(
        tmp_path, named(["background", *CLASSES], list(range(1, 11))), where, data={"cifar10": str(where)},
        benchmarks=["cifar10"],
    )  # fmt: skip
    assert found.value == 1
    assert "argmax over 10 of 11 outputs" in str(found.protocol)


def test_a_background_before_imagenets_classes_is_ignored(tmp_path: Path) -> None:
    """1,001 outputs, as TensorFlow's: two classes share the name crane, so that names alone do not tell all."""
    names = [row["lemmas"].split(", ")[0] for row in facts("imagenet_classes")["classes"]]
    assert len(set(names)) < 1000
    labels = [0, 134, 517, 638, 639, 999] * 2
    where = own_labels(tmp_path / "set.npz", labels, labels)
    options = {"data": {"imagenet": str(where)}, "benchmarks": ["imagenet"]}
    found = accuracy(tmp_path, named(["background", *names], list(range(1, 1001))), where, **options)
    assert found.value == 1
    assert "argmax over 1000 of 1001 outputs" in str(found.protocol)


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        ([*range(1, 10)] * 2, [*range(9)] * 2, "0 of 18 right, guessing among 9 classes gives 2"),
        ([*range(10)] * 2, [0] * 20, "all 20 images are given class 0"),
    ],
)
def test_an_accuracy_at_chance_says_so(tmp_path: Path, labels: list[int], classes: list[int], words: str) -> None:
    where = own_labels(tmp_path / "set.npz", labels, classes)
    assert f"{AT_CHANCE}{words}" in accuracy(tmp_path, seeing(10), where).flags


@pytest.mark.parametrize("count", [2, 20])
def test_a_right_or_a_small_number_is_not_at_chance(tmp_path: Path, count: int) -> None:
    labels = [number % 10 for number in range(count)]
    where = own_labels(tmp_path / "set.npz", labels, labels if count > 10 else [9, 8])
    assert not any(flag.startswith(AT_CHANCE) for flag in accuracy(tmp_path, seeing(10), where).flags)


@pytest.mark.parametrize(
    ("right", "n", "flagged"), [(8, 10, False), (14, 20, False), (11, 20, False), (10, 20, True), (0, 10, True)]
)
def test_a_few_images_of_two_classes_are_not_at_chance_for_sure(
    tmp_path: Path, right: int, n: int, flagged: bool
) -> None:
    labels = [number % 2 for number in range(n)]
    classes = [label if number < right else 1 - label for number, label in enumerate(labels)]
    flags = accuracy(tmp_path, seeing(2), own_labels(tmp_path / "set.npz", labels, classes)).flags
    assert any(flag.startswith(AT_CHANCE) for flag in flags) is flagged


def test_an_image_without_a_label_is_refused(tmp_path: Path) -> None:
    where = own_labels(tmp_path / "set.npz", [0, -1, 1], [0, 1, 1])
    with pytest.raises(RobustEvalError, match="label -1, which marks an image without a label"):
        accuracy(tmp_path, seeing(2), where)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mean": [0.5]}, "mean is given without std"),
        ({"std": [0.5]}, "std is given without mean"),
        ({"mean": [0.5], "std": [58.4]}, "mean 0.5 and std 58.4 mix units"),
        ({"mean": [123.7, 116.3, 103.5], "std": [0.2]}, r"mean 123.7,116.3,103.5 and std 0.2 mix units"),
    ],
)
def test_normalisation_is_complete_and_in_units_of_pixels(options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        seeing(2, **options)


def test_ignored_files_are_counted_with_their_reason(tmp_path: Path) -> None:
    where = folders(tmp_path / "set", {"a": 0, "b": 1})
    (where / "a" / "notes.txt").write_text("x")
    (where / "b" / "notes.txt").write_text("x")
    (where / "a" / ".hidden.png").write_bytes(b"x")
    (where / "b" / "photo.heic").write_bytes(b"x")
    (where / "beside.png").write_bytes(b"x")
    with pytest.warns(RobustEvalWarning, match="ignored are 2 not an image") as caught:
        assert accuracy(tmp_path, seeing(2), where).n == 4
    (note,) = [str(warning.message) for warning in caught if "ignored" in str(warning.message)]
    assert "2 not an image (.txt), such as a/notes.txt" in note
    assert "1 hidden, such as a/.hidden.png" in note
    assert "1 in a format that is not decoded (.heic), such as b/photo.heic" in note
    assert "1 not in a class folder, such as beside.png" in note
