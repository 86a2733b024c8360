"""ImageNet-A, -R and -V2: which outputs are asked, which images belong, what a fixed answer scores."""

from __future__ import annotations

import filecmp
from importlib.resources import files
from pathlib import Path

import pytest

from fixed_answers import Fixed, facts, outcomes, right
from labelled_sets import class_folders
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.core.errors import DataError
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location
from robustbench_eff.storage.store import Store

FACTS = ("imagenet_a_classes", "imagenet_r_classes", "objectnet_to_imagenet", "cue_conflict_16", "imagenet_classes")
GOLDFINCH, TENCH = 11, 0
WNIDS = {0: "n01440764", 11: "n01531178", 13: "n01534433", 388: "n02510455", 6: "n01498041"}


@pytest.mark.shared
@pytest.mark.parametrize("name", FACTS)
def test_shipped_facts_are_those_that_were_checked(shared: Path, name: str) -> None:
    ours = Path(str(files("robustbench_eff"))) / "facts" / f"{name}.json"
    assert filecmp.cmp(ours, shared.parent / "facts" / f"{name}.json", shallow=False)


def test_a_and_r_have_200_classes_each_of_which_86_are_the_same() -> None:
    wnids = {row["index"]: row["wnid"] for row in facts("imagenet_classes")["classes"]}
    kept = {}
    for letter in "ar":
        row = build_benchmark.benchmark(f"imagenet-{letter}")
        outputs = [output for (output,) in row.class_map().members]
        listed = facts(f"imagenet_{letter}_classes")
        assert outputs == listed["indices"] == sorted(set(outputs))
        assert [wnids[output] for output in outputs] == listed["wnids"]
        assert {row.class_index()[wnid]: wnid for wnid in listed["wnids"]} == dict(enumerate(listed["wnids"]))
        kept[letter] = set(outputs)
    assert (len(kept["a"]), len(kept["r"]), len(kept["a"] & kept["r"])) == (200, 200, 86)


def test_a_fixed_answer_on_imagenet_r(tmp_path: Path) -> None:
    """Goldfinches are right where the goldfinch is the best of the 200; a tench is none of them."""
    data = class_folders(tmp_path / "r", [WNIDS[11], WNIDS[11], WNIDS[13], WNIDS[6]])
    table = outcomes(tmp_path / "a", "imagenet-r", data, Fixed(TENCH, GOLDFINCH))
    assert right(table) == 2
    assert set(table["prediction"].to_pylist()) == {facts("imagenet_r_classes")["indices"].index(GOLDFINCH)}
    assert right(outcomes(tmp_path / "b", "imagenet-r-1000way", data, Fixed(TENCH, GOLDFINCH))) == 0
    assert right(outcomes(tmp_path / "c", "imagenet-r-1000way", data, Fixed(GOLDFINCH))) == 2


def test_a_fixed_answer_on_imagenet_a_and_on_clean_images_of_its_classes(tmp_path: Path) -> None:
    """Of these four only the stingray (6) and the goldfinch (11) are classes of ImageNet-A."""
    kept = facts("imagenet_a_classes")["indices"]
    assert [index in kept for index in (6, 11, 0, 388)] == [True, True, False, False]
    published = class_folders(tmp_path / "a", [WNIDS[6], WNIDS[11], WNIDS[11]])
    assert right(outcomes(tmp_path / "1", "imagenet-a", published, Fixed(TENCH, 388, GOLDFINCH))) == 2
    clean = class_folders(tmp_path / "imagenet", [WNIDS[6], WNIDS[11], WNIDS[0], WNIDS[388]])
    table = outcomes(tmp_path / "2", "imagenet-a-clean", clean, Fixed(TENCH, 388, GOLDFINCH))
    assert (table.num_rows, right(table)) == (2, 1)
    (cell,) = Store(tmp_path / "2").cells().values()
    assert "2 images (2 of other classes left out), argmax over 200 of 1000 outputs" in str(cell.protocol)


def test_a_subset_numbered_by_its_own_classes_is_read_so_and_no_other_way(tmp_path: Path) -> None:
    """Hub copies of A and R count their 200 classes, ours is the numbering of sorted wnids."""
    position = facts("imagenet_r_classes")["indices"].index(GOLDFINCH)
    data = class_folders(tmp_path / "r", [str(position), "199"])
    assert right(outcomes(tmp_path / "a", "imagenet-r", data, Fixed(GOLDFINCH))) == 1
    assert right(outcomes(tmp_path / "b", "imagenet-r-1000way", data, Fixed(GOLDFINCH))) == 1
    wide = class_folders(tmp_path / "wide", ["11", "388"])
    with pytest.raises(
        DataError, match=r"has label 388; numbers from 0 to 199 count the classes it has.\nName classes"
    ):
        outcomes(tmp_path / "c", "imagenet-r", wide, Fixed(GOLDFINCH))


def test_numbers_that_may_count_either_way_are_refused_among_clean_images(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "set", ["11", "199"])
    with pytest.raises(DataError, match=r"numbers up to 199, which may count .*\nName classes by wnid"):
        outcomes(tmp_path / "store", "imagenet-r-clean", data, Fixed(GOLDFINCH))


def test_a_set_without_any_image_of_the_classes_says_so(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "set", ["n01440764"])
    with pytest.raises(DataError, match="holds no images of these classes"):
        outcomes(tmp_path / "store", "imagenet-r-clean", data, Fixed(0))


@pytest.mark.parametrize("variant", ["matched-frequency", "threshold-0.7", "top-images"])
def test_folders_of_imagenetv2_are_numbers_and_not_words(tmp_path: Path, variant: str) -> None:
    """Three images lie in folder 2; in the order of words folder 2 would come after 10 and 11, as class 4."""
    data = class_folders(tmp_path / "set", ["0", "1", "10", "11", "2", "2", "2"])
    assert right(outcomes(tmp_path / "2", f"imagenetv2-{variant}", data, Fixed(2))) == 3
    assert right(outcomes(tmp_path / "4", f"imagenetv2-{variant}", data, Fixed(4))) == 0
    assert right(outcomes(tmp_path / "10", f"imagenetv2-{variant}", data, Fixed(10))) == 1
    found = resolve_labels(build_benchmark.benchmark("imagenet"), open_location(str(data), "test"))
    assert sorted(found.labels.tolist()) == [0, 1, 2, 2, 2, 10, 11]
