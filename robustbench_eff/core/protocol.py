"""Protocol: what makes two numbers of one metric incomparable wherever it differs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Which images a number stands on, how the model saw them, and how the number was made; a sentence when printed.

    Numbers under different protocols are never put into one column and never ranked against each other.
    """

    description: str = ""
    """The protocol in the words of a source that gives no fields, such as a published table; else empty."""
    split: str = ""
    """Which images were opened, such as `test` or `local files`."""
    count: int | None = None
    """Number of samples evaluated."""
    total: int | None = None
    """Number of samples of the split, of which the first `count` were evaluated."""
    excluded: int = 0
    """Number of images of the source that belong to no class of the benchmark and were left out."""
    classes: str = ""
    """How the model's outputs become the benchmark's classes; empty where they are the same."""
    geometry: str = ""
    """How the images were resized and cropped when they were decoded."""
    jpeg_quality: int | None = None
    """Quality at which corrupted images were saved as JPEG; None where they were not."""
    model_size: str = ""
    """How the decoded images were resized for the model; empty where they were not."""
    labels: str = ""
    """Labels other than the benchmark's own; else empty."""
    seeds: tuple[int, ...] = ()
    """Seeds of the random draws; empty where nothing was drawn."""
    attack_precision: tuple[str, ...] = ("float32",)
    """Precisions of the networks that attacks queried; the referee always judges in float32."""
    baseline: str = ""
    """What the number is relative to, such as the line of effective robustness; else empty."""
    observers: str = ""
    """Whose answers the model was compared with; else empty."""

    def of_images(self) -> Protocol:
        """Return the protocol of the images alone: without seeds, precision, labels, baseline and observers."""
        names = ("description", "split", "count", "total", "excluded", "classes", "geometry", "jpeg_quality")
        return Protocol(**{name: getattr(self, name) for name in (*names, "model_size")})

    def unseeded(self) -> Protocol:
        """Return the same protocol without its seeds."""
        return replace(self, seeds=())

    def changed_fields(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, by name, as plain JSON types."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
        default = Protocol()
        return {name: plain[name] for name, value in found.items() if value != getattr(default, name)}

    @classmethod
    def from_record(cls, record: str | dict[str, Any]) -> Protocol:
        """Return the protocol that `changed_fields` wrote; a sentence becomes a `description`.

        Raises:
            TypeError: The record has a field that a protocol does not have.
        """
        if isinstance(record, str):
            return cls(description=record)
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
        }
        return cls(**values)

    def __str__(self) -> str:
        """Return the protocol as one sentence, the images first."""
        images = [self.description, self.split, self._counted(), self.classes, self.geometry]
        if self.jpeg_quality is not None:
            images.append(f"corrupted ones saved as JPEG {self.jpeg_quality}")
        parts = [", ".join(part for part in (*images, self.model_size) if part)]
        if self.seeds:
            parts.append(f"seed {', '.join(map(str, self.seeds))}")
        if self.attack_precision != ("float32",):
            parts.append(f"attacked in {' and '.join(self.attack_precision)}, judged in float32")
        return " · ".join(part for part in (*parts, self.labels, self.baseline, self.observers) if part)

    def _counted(self) -> str:
        if self.count is None:
            return ""
        whole = self.total is None or self.count == self.total
        words = f"{self.count} images" if whole else f"first {self.count} of {self.total} images"
        return f"{words} ({self.excluded} of other classes left out)" if self.excluded else words
