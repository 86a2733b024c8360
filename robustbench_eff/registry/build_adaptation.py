"""Adaptations from their texts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.object_digest import foreign_digest
from robustbench_eff.core.stream import Stream
from robustbench_eff.models.adaptation.adaptation import Adaptation

from .adaptations import ADAPTATIONS


@dataclass(frozen=True, slots=True)
class NamedAdaptation:
    """An adaptation with its canonical text."""

    text: str
    """The same for every way to write the same fields, such as `tent(batch_size=200)`."""
    component: Adaptation
    stream: Stream
    """The batches, the order and the memory of the network."""

    @property
    def protocol(self) -> str:
        """The adaptation and its stream as a part of a sentence."""
        return f"{self.text}: {self.stream}"

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything that decides which answers are given, the seed aside."""
        values = {field.name: getattr(self.component, field.name) for field in fields(self.component)}  # type: ignore[arg-type]
        code = foreign_digest(self.component)
        named = {"name": self.text.partition("(")[0], "version": self.component.version}
        return {**values, **self.stream.configuration, **named, **({"code": code} if code else {})}


def adaptation(text: str) -> NamedAdaptation:
    """Return the adaptation that a text describes.

    Args:
        text: Name and fields, such as `tent(batch_size=200, order=iid, reset=never)` or `batches(size=1)`.

    Raises:
        SpecError: The name is not in the table, or a field is unknown, lacks a value or has a wrong one.
    """
    parsed = spec.parse(text)
    kind = ADAPTATIONS.find(parsed.name).load()
    lacking = [name for name in spec.required_fields(kind) if name not in parsed.arguments]
    if lacking:
        raise SpecError(f"{parsed.name} needs a value for {lacking[0]}.", f"Write {parsed.name}({lacking[0]}=...).")
    built: Adaptation = ADAPTATIONS.build(parsed)
    return NamedAdaptation(spec.text_of(parsed.name, built), built, built.stream)
