"""ImageNet's kin: which outputs are asked, which images belong, what a fixed answer scores."""

from __future__ import annotations

import filecmp
import io
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import nn

from labelled_sets import class_folders, pixels, png
from robustbench_eff import catalog, evaluate, load_classifier
from robustbench_eff.benchmarks import sources
from robustbench_eff.benchmarks.benchmark import resolve_labels
from robustbench_eff.class_map import ClassMap, restricted
from robustbench_eff.errors import DataError, ModelError, UsageError
from robustbench_eff.store import Store

FACTS = ("imagenet_a_classes", "imagenet_r_classes", "objectnet_to_imagenet", "cue_conflict_16", "imagenet_classes")
GOLDFINCH, TENCH, ALARM_CLOCK, DIGITAL_CLOCK, BACKPACK = 11, 0, 409, 530, 414
WNIDS = {0: "n01440764", 11: "n01531178", 13: "n01534433", 388: "n02510455", 6: "n01498041"}


class Fixed(nn.Module):
    """Always the same logits: highest where `best` says, falling from the first output to the last elsewhere."""

    def __init__(self, *best: int, outputs: int = 1000) -> None:
        super().__init__()
        logits = -torch.arange(outputs) / outputs
        for rank, output in enumerate(best):
            logits[output] = 10.0 - rank
        self.register_buffer("logits", logits)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits + 0 * images.mean((1, 2, 3))[:, None]


def outcomes(store: Path, name: str, where: Path | str, model: nn.Module, **options) -> pa.Table:
    """What the model does on the clean images of a benchmark."""
    base = catalog.benchmark(name).images_of or name
    small = load_classifier(model.eval(), input_size=8)
    evaluate(small, benchmarks=[name], data={base: str(where)}, suite="shifts", store=store, **options)
    opened = Store(store)
    (cell_id,) = (cell_id for cell_id, cell in opened.cells().items() if cell["benchmark"] == name)
    return opened.outcomes(cell_id)


def right(table: pa.Table) -> int:
    return sum(table["correct"].to_pylist())


def facts(name: str) -> dict:
    return json.loads((files("robustbench_eff") / "facts" / f"{name}.json").read_text())


@pytest.mark.shared
@pytest.mark.parametrize("name", FACTS)
def test_shipped_facts_are_those_that_were_checked(shared: Path, name: str) -> None:
    ours = Path(str(files("robustbench_eff"))) / "facts" / f"{name}.json"
    assert filecmp.cmp(ours, shared.parent / "facts" / f"{name}.json", shallow=False)


def test_a_and_r_have_200_classes_each_of_which_86_are_the_same() -> None:
    wnids = {row["index"]: row["wnid"] for row in facts("imagenet_classes")["classes"]}
    kept = {}
    for letter in "ar":
        row = catalog.benchmark(f"imagenet-{letter}")
        outputs = [output for (output,) in row.class_map().members]
        listed = facts(f"imagenet_{letter}_classes")
        assert outputs == listed["indices"] == sorted(set(outputs))
        assert [wnids[output] for output in outputs] == listed["wnids"]
        assert {row.class_index()[wnid]: wnid for wnid in listed["wnids"]} == dict(enumerate(listed["wnids"]))
        kept[letter] = set(outputs)
    assert (len(kept["a"]), len(kept["r"]), len(kept["a"] & kept["r"])) == (200, 200, 86)


def test_objectnet_has_113_classes_of_125_outputs() -> None:
    row = catalog.benchmark("objectnet")
    members = row.class_map().members
    assert (len(members), sum(map(len, members)), row.num_classes) == (113, 125, 113)
    assert {row.class_index()[name] for name in row.class_index()} == set(range(113))
    everywhere = catalog.benchmark("objectnet-1000way").class_map()
    assert sorted(output for outputs in everywhere.members for output in outputs) == list(range(1000))
    assert everywhere.members[:113] == members


def test_cue_conflict_has_16_categories_of_207_outputs() -> None:
    row = catalog.benchmark("cue-conflict")
    members = row.class_map().members
    assert (len(members), sum(map(len, members)), row.class_map().aggregation) == (16, 207, "mean")
    assert catalog.benchmark("cue-conflict-max").class_map().members == members
    assert list(row.class_index())[:3] == ["airplane", "bear", "bicycle"]


@pytest.mark.shared
def test_categories_are_those_beside_the_real_stimuli(shared: Path) -> None:
    listed = json.loads((shared / "imagenet_to_16.json").read_text())
    row = catalog.benchmark("cue-conflict")
    assert {name: sorted(row.class_map().members[index]) for name, index in row.class_index().items()} == {
        name: sorted(outputs) for name, outputs in listed.items()
    }


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
    assert "2 images (2 of other classes left out), argmax over 200 of 1000 outputs" in cell["protocol"]


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


def objectnet(folder: Path) -> Path:
    """Two alarm clocks, a backpack and a thing that is no class of ImageNet, each with a red border of two pixels."""
    for seed, name in enumerate(["alarm_clock", "alarm_clock", "backpack", "air_freshener"]):
        framed = np.full((12, 12, 3), (255, 0, 0), dtype=np.uint8)
        framed[2:-2, 2:-2] = pixels(seed)
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(framed).save(folder / name / f"{seed}.png")
    return folder


def test_a_fixed_answer_on_objectnet(tmp_path: Path) -> None:
    """Either kind of clock is right, other objects are left out, and so are outputs that are no object."""
    data = objectnet(tmp_path / "images")
    for output in (ALARM_CLOCK, DIGITAL_CLOCK):
        table = outcomes(tmp_path / str(output), "objectnet", data, Fixed(TENCH, output))
        assert (table.num_rows, right(table)) == (3, 2)
    assert right(outcomes(tmp_path / "all", "objectnet-1000way", data, Fixed(TENCH, ALARM_CLOCK))) == 0
    assert right(outcomes(tmp_path / "all2", "objectnet-1000way", data, Fixed(DIGITAL_CLOCK))) == 2
    (cell,) = Store(tmp_path / str(ALARM_CLOCK)).cells().values()
    assert "113 classes by the best of 125 of 1000 outputs, border of 2 cut off" in cell["protocol"]


def test_the_border_of_objectnet_is_gone_before_anything_else(tmp_path: Path) -> None:
    """Of a frame of two pixels nothing is left: the images have the size that the model takes."""
    benchmark = catalog.benchmark("objectnet")
    opened = sources.open_benchmark(benchmark, str(objectnet(tmp_path / "images")))
    from robustbench_eff.benchmarks.cache import prepare
    from robustbench_eff.preprocessing import Geometry

    prepared = prepare(benchmark, opened, Geometry(size=8, mode="none"))
    by_name = dict(zip(prepared.sample_ids, np.asarray(prepared.pixels), strict=True))
    assert np.array_equal(by_name["backpack/2.png"], pixels(2))


def test_objectnet_takes_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="labels its objects by numbers"):
        outcomes(tmp_path / "store", "objectnet", class_folders(tmp_path / "set", ["0", "1"]), Fixed(0))


def test_clean_images_of_the_objects_are_labelled_by_object(tmp_path: Path) -> None:
    wnids = {row["index"]: row["wnid"] for row in facts("imagenet_classes")["classes"]}
    data = class_folders(tmp_path / "set", [wnids[ALARM_CLOCK], wnids[DIGITAL_CLOCK], wnids[BACKPACK], wnids[TENCH]])
    table = outcomes(tmp_path / "store", "objectnet-clean", data, Fixed(DIGITAL_CLOCK))
    assert (table.num_rows, right(table)) == (3, 2)


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
    found = resolve_labels(catalog.benchmark("imagenet"), sources.open_location(str(data), "test"))
    assert sorted(found.labels.tolist()) == [0, 1, 2, 2, 2, 10, 11]


def stimulus(colour: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (224, 224), (colour, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_cue_conflict_from_folders_and_from_a_table(tmp_path: Path) -> None:
    """A bear-shaped elephant and a boat-shaped car, before a model that always sees an elephant."""
    elephant = catalog.benchmark("cue-conflict").class_map().members[11][0]
    folder = tmp_path / "stimuli"
    for number, name in enumerate(["bear/bear3-elephant1.png", "boat/boat1-car2.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(stimulus(number))
    table = {"image": [stimulus(0), stimulus(1)], "shape": ["bear", "boat"], "texture": ["elephant", "car"]}
    pq.write_table(pa.table(table), tmp_path / "set.parquet")
    for store, where in (("a", folder), ("b", tmp_path / "set.parquet")):
        found = outcomes(tmp_path / store, "cue-conflict", where, Fixed(elephant))
        rows = list(zip(*(found[name].to_pylist() for name in ("label", "texture", "prediction")), strict=True))
        assert sorted(rows) == [(1, 11, 11), (4, 6, 11)]


def test_a_stimulus_that_does_not_name_its_texture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set" / "bear").mkdir(parents=True)
    (tmp_path / "set" / "bear" / "bear7.png").write_bytes(png(0))
    with pytest.raises(
        DataError, match=r"bear/bear7.png does not say which texture it has.\nStimuli are named as cat4"
    ):
        outcomes(tmp_path / "store", "cue-conflict", tmp_path / "set", Fixed(0))


def test_the_mean_of_probabilities_and_the_best_of_them_are_what_they_say() -> None:
    logits = torch.randn(50, 10, generator=torch.Generator().manual_seed(1)) * 3
    members = ((0, 1, 2), (5,), (3, 9))

    class Net(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return logits[: len(images)] + 0 * images.mean()

    classifier = load_classifier(Net().eval(), input_size=8)
    images = torch.rand(50, 3, 8, 8)
    probabilities = logits.double().softmax(1)
    expected = {"mean": "mean", "max": "amax"}
    for aggregation, method in expected.items():
        read = classifier.through(ClassMap(outputs=10, members=members, aggregation=aggregation))
        scores = torch.stack([getattr(probabilities[:, list(of)], method)(1) for of in members], 1)
        answer = read(images).double()
        assert torch.allclose(answer.softmax(1), scores / scores.sum(1, keepdim=True), atol=1e-6)
        assert (answer.argmax(1) == scores.argmax(1)).all()
        assert (read.num_classes, read.digest) == (3, classifier.digest)
        read.check_mode()
        read.check_weights()
    assert classifier.num_classes == 10
    assert torch.equal(classifier.through(restricted(10, (4, 2)))(images), logits[:, [4, 2]])


def test_a_class_map_that_cannot_be() -> None:
    for members in (((0,), ()), ((0,), (0, 1)), ((10,),)):
        with pytest.raises(UsageError, match="Every class needs outputs of its own from 0 to 9"):
            ClassMap(outputs=10, members=members)
    classifier = load_classifier(Fixed(0, outputs=10).eval(), input_size=8)
    with pytest.raises(ModelError, match="has 10 outputs; these classes are made of 1000"):
        classifier.through(restricted(1000, (1, 2)))


def test_a_model_with_other_outputs_is_told_so_before_any_image_is_decoded(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "set", [WNIDS[11]])
    with pytest.raises(UsageError, match="has 10 outputs, but imagenet-r has 1000 classes"):
        outcomes(tmp_path / "store", "imagenet-r", data, Fixed(0, outputs=10))


def test_attacks_see_the_classes_of_the_benchmark(tmp_path: Path) -> None:
    """An attack on ImageNet-R has to reach another of the 200: outputs beyond them are no success."""

    class Bright(nn.Module):
        """Goldfinch in the dark, junco or tench in the light: the tench, which is no class of R, from half grey on."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            light = images.mean((1, 2, 3))
            logits = torch.full((len(images), 1000), -10.0) + 0 * light[:, None]
            return logits.index_copy(
                1,
                torch.tensor([GOLDFINCH, 13, TENCH]),
                torch.stack((torch.zeros_like(light), 4 * (light - 0.9), 8 * (light - 0.5)), 1),
            )

    folder = tmp_path / "set" / WNIDS[GOLDFINCH]
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), (90, 90, 90)).save(folder / "grey.png")
    small = load_classifier(Bright().eval(), input_size=8)
    options = {"data": {"imagenet-r": str(tmp_path / "set")}, "store": tmp_path / "store", "precision": "float32"}
    result = evaluate(small, benchmarks=["imagenet-r", "imagenet-r-1000way"], attacks=["pgd(eps=0.3)"], **options)
    robust = {score.benchmark: score.value for score in result.scores if score.metric == "robust_accuracy"}
    assert robust == {"imagenet-r": 1.0, "imagenet-r-1000way": 0.0}
