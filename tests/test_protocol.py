"""Protocols and stored cells: what is written is what is read back, and anything else is refused."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcome_tables import attack_cell, cell
from robustbench_eff.core.errors import StoreError
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.storage.stored_cell import StoredCell

BY_TYPE = {
    "str": st.text(),
    "int": st.integers(0, 2**62),
    "int | None": st.none() | st.integers(0, 2**62),
    "tuple[int, ...]": st.lists(st.integers(0, 2**62)).map(tuple),
    "tuple[str, ...]": st.lists(st.sampled_from(["float16", "bfloat16", "float32"])).map(tuple),
}
PROTOCOLS = st.builds(Protocol, **{field.name: BY_TYPE[str(field.type)] for field in dataclasses.fields(Protocol)})


@given(PROTOCOLS)
def test_a_protocol_survives_its_record(protocol: Protocol) -> None:
    record = json.loads(json.dumps(protocol.changed_fields()))
    assert Protocol.from_record(record) == protocol


def test_a_record_holds_only_what_differs_from_the_defaults() -> None:
    assert Protocol().changed_fields() == {}
    assert Protocol(split="test", seeds=(0, 1)).changed_fields() == {"split": "test", "seeds": [0, 1]}


def test_a_sentence_becomes_a_description_and_is_printed_unchanged() -> None:
    protocol = Protocol.from_record("test, first 24 of 360 images")
    assert protocol == Protocol(description="test, first 24 of 360 images")
    assert str(protocol) == "test, first 24 of 360 images"


def test_a_protocol_as_one_sentence() -> None:
    protocol = Protocol(split="test", count=24, total=360, excluded=3, geometry="resize 256, crop 224", seeds=(0, 1))
    assert str(protocol) == (
        "test, first 24 of 360 images (3 of other classes left out), resize 256, crop 224 · seed 0, 1"
    )


def test_a_cell_survives_its_record() -> None:
    written = dataclasses.replace(
        attack_cell(4, "pgd(eps=8/255)", 8 / 255, seed=3), protocol=Protocol(split="test", count=4, total=9)
    ).identified()
    assert StoredCell.from_record(written.id, json.loads(json.dumps(written.record()))) == written


def test_the_id_of_a_cell_is_the_same_for_a_protocol_of_fields_and_its_sentence() -> None:
    """A store of format 4 has sentences, and a run must recognize its cells."""
    fields = dataclasses.replace(cell(4), protocol=Protocol(split="test", count=4, total=9))
    sentence = dataclasses.replace(fields, protocol=Protocol(description=str(fields.protocol)))
    assert fields.identified().id == sentence.identified().id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": {"split": "test", "colour": "red"}}, "Protocol.*'colour'"),
        ({"protocol": None}, "record of cell abc does not fit this version.*got None"),
        ({"colour": "red"}, "StoredCell.*'colour'"),
    ],
)
def test_a_record_with_unknown_fields_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(StoreError, match=message) as error:
        StoredCell.from_record("abc", cell(4).record() | change)
    assert "store check STORE --repair" in str(error.value)


@pytest.mark.parametrize("field", ["samples", "perturbation", "protocol"])
def test_a_record_that_lacks_a_field_is_refused(field: str) -> None:
    record = {name: value for name, value in cell(4).record().items() if name not in (field, "kind", "uses")}
    with pytest.raises(StoreError, match=field):
        StoredCell.from_record("abc", record)
