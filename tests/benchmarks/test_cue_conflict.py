"""Cue conflict: 16 categories, and the shape and texture of every stimulus."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fixed_answers import Fixed, outcomes
from labelled_sets import png
from robustbench_eff.core.errors import DataError
from robustbench_eff.registry import build_benchmark


def test_cue_conflict_has_16_categories_of_207_outputs() -> None:
    row = build_benchmark.benchmark("cue-conflict")
    members = row.class_map().members
    assert (len(members), sum(map(len, members)), row.class_map().aggregation) == (16, 207, "mean")
    assert build_benchmark.benchmark("cue-conflict-max").class_map().members == members
    assert list(row.class_index())[:3] == ["airplane", "bear", "bicycle"]


@pytest.mark.shared
def test_categories_are_those_beside_the_real_stimuli(shared: Path) -> None:
    listed = json.loads((shared / "imagenet_to_16.json").read_text())
    row = build_benchmark.benchmark("cue-conflict")
    assert {name: sorted(row.class_map().members[index]) for name, index in row.class_index().items()} == {
        name: sorted(outputs) for name, outputs in listed.items()
    }


def stimulus(colour: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (224, 224), (colour, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_cue_conflict_from_folders_and_from_a_table(tmp_path: Path) -> None:
    """A bear-shaped elephant and a boat-shaped car, before a model that always sees an elephant."""
    elephant = build_benchmark.benchmark("cue-conflict").class_map().members[11][0]
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
        DataError, match=r"the name bear/bear7.png does not contain a shape and a texture.\nStimuli are named as cat4"
    ):
        outcomes(tmp_path / "store", "cue-conflict", tmp_path / "set", Fixed(0))
