"""Types of an entry's fields that files write otherwise than Python has them: protocols, and infinite numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo
from pydantic_core import PydanticCustomError

from robustbench_eff.core.errors import did_you_mean
from robustbench_eff.core.infinity import INFINITE
from robustbench_eff.core.protocol import Protocol

_PROTOCOL_FIELDS = tuple(field.name for field in dataclasses.fields(Protocol))


def _read_protocol(value: Any) -> Any:
    """Turn a sentence into a protocol, and an object of a file into its fields; pydantic checks their types."""
    if isinstance(value, str):
        return Protocol(description=value)
    if isinstance(value, Protocol):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("protocol_type", "Input should be a sentence or an object with the protocol's fields")
    for name in value:
        if name not in _PROTOCOL_FIELDS:
            hint = did_you_mean(str(name), _PROTOCOL_FIELDS) or f"Fields: {', '.join(_PROTOCOL_FIELDS)}."
            raise PydanticCustomError(
                "unknown_protocol_field",
                "A protocol does not have a field {name}. {hint}",
                {"name": repr(name), "hint": hint},
            )
    return {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}


def _write_protocol(protocol: Protocol) -> str | dict[str, Any]:
    """Return the sentence of a protocol that has only a description, else the fields that differ from defaults."""
    changed = protocol.changed_fields()
    return changed if changed.keys() - {"description"} else protocol.description


ProtocolField = Annotated[
    Protocol,
    BeforeValidator(_read_protocol, json_schema_input_type=str | Protocol),
    PlainSerializer(_write_protocol, return_type=str | dict[str, Any]),
]
"""A protocol that files give as a sentence, which becomes its description, or as an object of its fields."""


def _read_number(value: Any, info: ValidationInfo) -> Any:
    """Turn the text `inf` of a file into infinity; refuse NaN, minus infinity, and infinity that is not JSON."""
    if value == INFINITE and info.mode == "json":
        return math.inf
    if isinstance(value, float) and not math.isfinite(value) and (info.mode == "json" or value != math.inf):
        raise PydanticCustomError("not_a_number", "Input should be a finite number, or the text 'inf' for infinity")
    return value


Number = Annotated[
    float | None,
    Field(allow_inf_nan=True),
    BeforeValidator(_read_number, json_schema_input_type=float | Literal["inf"] | None),
    PlainSerializer(lambda number: INFINITE if number == math.inf else number, when_used="json"),
]
"""A number that may be infinite, as a distance beyond everything that was searched; in files infinity is `inf`."""
