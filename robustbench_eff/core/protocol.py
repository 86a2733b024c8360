"""Protocol: everything besides the metric that must agree for two numbers to be comparable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

_NAMES_SHOWN = 3
"""Number of classes that a sentence names."""
RISING_SEVERITY = "order of rising severity"
"""What a protocol says of a stream in which the severity of a corruption rises."""
_VALUE = r"(?!None\b)([^,()]+)"
_RADIUS = re.compile(rf"\(eps={_VALUE}\)|(?<=\()eps={_VALUE}, |, eps={_VALUE}(?=[,)])")
"""The radius in the text of an attack, with what remains of the list of arguments without it; None is no radius."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Protocol:
    """Which images a number was measured on, how they were preprocessed, and how they were attacked.

    Numbers under different protocols are never put into one column and never ranked against each other. A protocol is
    printed as one sentence. Two protocols are equal if their sentences are, so that a description, as in a store of
    format 4, equals the same protocol with fields.
    """

    description: str = ""
    """The whole protocol as a sentence, from a source that has no fields, such as a published table; else empty."""
    split: str = ""
    """Which images were opened, such as `test` or `local files`."""
    count: int | None = None
    """Number of samples evaluated."""
    total: int | None = None
    """Number of samples in the split, of which the first `count` were evaluated."""
    excluded: int = 0
    """Number of images that were left out because they do not belong to any class of the benchmark."""
    classes: str = ""
    """How the model's outputs are mapped to the benchmark's classes; empty where they are the same."""
    class_order: str = ""
    """Where the numbers of the classes of the user's own images come from, such as `class folders in sorted order`;
    empty where the benchmark numbers its classes."""
    class_names: tuple[str, ...] = ()
    """Names of the classes in this order, where the user's own images or the model decided which there are; else empty.
    The sentence has the first of them."""
    turned: int = 0
    """Number of images that were turned or mirrored, as the EXIF orientation in their files says."""
    geometry: str = ""
    """How the images were resized and cropped when they were decoded."""
    jpeg_quality: int | None = None
    """JPEG quality at which corrupted images were saved, from 1 to 100; None where they were not saved as JPEG."""
    model_size: str = ""
    """How the decoded images were resized for the model; empty where they were not."""
    stream: str = ""
    """How a network that adapts to the images saw them: batches, order and memory; empty for any other."""
    labels: str = ""
    """The labels that replace the benchmark's own; empty where they do not."""
    seeds: tuple[int, ...] = ()
    """Seeds of the random draws; empty where nothing was drawn."""
    attack_precision: tuple[str, ...] = ("float32",)
    """Precisions of the networks that attacks queried; the referee always classifies in float32."""
    attacks: tuple[str, ...] = ()
    """Canonical texts of the attacks of which the worst counts for each image, sorted; empty for a single one."""
    smoothing: str = ""
    """Noise, draws and error probability of the smoothed classifier that was evaluated; empty without one."""
    baseline: str = ""
    """What the number is relative to, such as the baseline of effective robustness; else empty."""
    observers: str = ""
    """The observers whose answers the model was compared with; else empty."""

    def of_images(self) -> Protocol:
        """Return the protocol of the images and their stream: without seeds, precision, attacks, labels and so on."""
        names = ("description", "split", "count", "total", "excluded", "classes", "geometry", "jpeg_quality")
        more = ("class_order", "class_names", "turned", "model_size", "stream")
        return Protocol(**{name: getattr(self, name) for name in (*names, *more)})

    def unseeded(self) -> Protocol:
        """Return the same protocol without its seeds."""
        return replace(self, seeds=())

    def changed_fields(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, by name, as plain JSON types."""
        default = Protocol()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != getattr(default, name)
        }

    @classmethod
    def from_record(cls, record: str | dict[str, Any]) -> Protocol:
        """Return the protocol that `changed_fields` wrote.

        Args:
            record: Fields by name, of which those that are missing have their defaults; or a sentence, which becomes
                the `description`.

        Raises:
            TypeError: The record is neither, or has a field that a protocol does not have.
        """
        if isinstance(record, str):
            return cls(description=record)
        if not isinstance(record, dict):
            raise TypeError(f"a protocol is a sentence or an object with fields, got {record!r}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
        }
        return cls(**values)

    def __eq__(self, other: object) -> bool:
        """Return whether both print the same sentence."""
        return str(self) == str(other) if isinstance(other, Protocol) else NotImplemented

    def __hash__(self) -> int:
        """Return the hash of the sentence."""
        return hash(str(self))

    def __str__(self) -> str:
        """Return the protocol as one sentence, the images first."""
        images = [self.description, self.split, self._counted(), self._classes(), self._turned(), self.geometry]
        if self.jpeg_quality is not None:
            images.append(f"corrupted ones saved as JPEG {self.jpeg_quality}")
        parts = [", ".join(part for part in (*images, self.model_size) if part)]
        if self.stream:
            parts.append(self.stream)
        if self.seeds:
            parts.append(f"seed {', '.join(map(str, self.seeds))}")
        if self.attack_precision != ("float32",):
            parts.append(f"attacked in {' and '.join(self.attack_precision)}, judged in float32")
        if self.attacks:
            parts.append(f"worst of {_union(self.attacks)}")
        return " · ".join(part for part in (*parts, self.smoothing, self.labels, self.baseline, self.observers) if part)

    def _classes(self) -> str:
        """How outputs become classes and how these are numbered, with the names of the first few."""
        how = ", ".join(part for part in (self.classes, self.class_order) if part)
        if not self.class_names:
            return how
        first, others = ", ".join(self.class_names[:_NAMES_SHOWN]), len(self.class_names) - _NAMES_SHOWN
        return f"{how}: {first}" + (f" and {others} more" if others > 0 else "")

    def _turned(self) -> str:
        """How many images were turned, empty if none."""
        images = "1 image" if self.turned == 1 else f"{self.turned} images"
        return f"EXIF orientation applied ({images})" if self.turned else ""

    def _counted(self) -> str:
        """How many images there are, empty if unknown."""
        if self.count is None:
            return ""
        whole = self.total is None or self.count == self.total
        images = f"{self.count} images" if whole else f"first {self.count} of {self.total} images"
        return f"{images} ({self.excluded} of other classes left out)" if self.excluded else images


def _union(attacks: Sequence[str]) -> str:
    """Attacks as a list; first those at several radii, such as `fgsm and pgd(steps=50) at eps = 4/255 and 8/255`."""
    radii: dict[str, list[str]] = {}
    for text in attacks:
        if found := _RADIUS.search(text):
            radii.setdefault(_RADIUS.sub("", text, count=1), []).append(next(filter(None, found.groups())))
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, of in radii.items():
        if len(of) > 1:
            alike.setdefault(tuple(of), []).append(name)
    parts = [f"{_listed(names)} at eps = {_listed(of)}" for of, names in alike.items()]
    several = {name for names in alike.values() for name in names}
    single = [text for text in attacks if not _RADIUS.search(text) or _RADIUS.sub("", text, count=1) not in several]
    return "; ".join([*parts, *([_listed(single)] if single else [])])


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
