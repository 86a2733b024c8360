"""ObjectNet: which outputs are its objects, what a fixed answer scores, and where its border goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixed_answers import Fixed, facts, outcomes, right
from labelled_sets import class_folders, pixels
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_benchmark
from robustbench_eff.storage.store import Store

TENCH, ALARM_CLOCK, DIGITAL_CLOCK, BACKPACK = 0, 409, 530, 414


def objectnet(folder: Path) -> Path:
    """Two alarm clocks, a backpack and a thing that is no class of ImageNet, each with a red border of two pixels."""
    for seed, name in enumerate(["alarm_clock", "alarm_clock", "backpack", "air_freshener"]):
        framed = np.full((12, 12, 3), (255, 0, 0), dtype=np.uint8)
        framed[2:-2, 2:-2] = pixels(seed)
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(framed).save(folder / name / f"{seed}.png")
    return folder


def test_objectnet_has_113_classes_of_125_outputs() -> None:
    row = build_benchmark.benchmark("objectnet")
    members = row.class_map().members
    assert (len(members), sum(map(len, members)), row.num_classes) == (113, 125, 113)
    assert {row.class_index()[name] for name in row.class_index()} == set(range(113))
    everywhere = build_benchmark.benchmark("objectnet-1000way").class_map()
    assert sorted(output for outputs in everywhere.members for output in outputs) == list(range(1000))
    assert everywhere.members[:113] == members


def test_a_fixed_answer_on_objectnet(tmp_path: Path) -> None:
    """Either kind of clock is right, other objects are left out, and so are outputs that are no object."""
    data = objectnet(tmp_path / "images")
    for output in (ALARM_CLOCK, DIGITAL_CLOCK):
        table = outcomes(tmp_path / str(output), "objectnet", data, Fixed(TENCH, output))
        assert (table.num_rows, right(table)) == (3, 2)
    assert right(outcomes(tmp_path / "all", "objectnet-1000way", data, Fixed(TENCH, ALARM_CLOCK))) == 0
    assert right(outcomes(tmp_path / "all2", "objectnet-1000way", data, Fixed(DIGITAL_CLOCK))) == 2
    (cell,) = Store(tmp_path / str(ALARM_CLOCK)).cells().values()
    assert "113 classes by the best of 125 of 1000 outputs, border of 2 cut off" in str(cell.protocol)


def test_the_border_of_objectnet_is_gone_before_anything_else(tmp_path: Path) -> None:
    """Of a frame of two pixels nothing is left: the images have the size that the model takes."""
    benchmark = build_benchmark.benchmark("objectnet")
    opened = open_benchmark(benchmark, str(objectnet(tmp_path / "images")))
    prepared = prepare(benchmark, opened, Geometry(size=8, mode="none"))
    by_name = dict(zip(prepared.sample_ids, prepared.pixels[:], strict=True))
    assert np.array_equal(by_name["backpack/2.png"], pixels(2))


def test_objectnet_takes_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="labels its objects by numbers"):
        outcomes(tmp_path / "store", "objectnet", class_folders(tmp_path / "set", ["0", "1"]), Fixed(0))


def test_clean_images_of_the_objects_are_labelled_by_object(tmp_path: Path) -> None:
    wnids = {row["index"]: row["wnid"] for row in facts("imagenet_classes")["classes"]}
    data = class_folders(tmp_path / "set", [wnids[ALARM_CLOCK], wnids[DIGITAL_CLOCK], wnids[BACKPACK], wnids[TENCH]])
    table = outcomes(tmp_path / "store", "objectnet-clean", data, Fixed(DIGITAL_CLOCK))
    assert (table.num_rows, right(table)) == (3, 2)
