"""Everything known about a model: measured, published and claimed numbers, kept apart, with their origin."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.outside_files import parse_json, read_bytes

from .about import About
from .entry_fields import Number, ProtocolField

Kind = Literal["measured", "published", "claimed"]
Unit = Literal["fraction", "number"]
Globs: TypeAlias = Sequence[str]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")]
_SHOWN = 20
"""Number of invalid fields that a message names."""
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


class Strict(BaseModel):
    """Base of frozen models that refuse unknown fields, values of other types, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Result(Strict):
    """One number: a metric of a model on a benchmark, on clean or on perturbed images."""

    benchmark: str = Field(min_length=1)
    perturbation: str = "none"
    """Spec text of the perturbation; `none` for clean images."""
    metric: str = Field(min_length=1)
    value: Number
    """A fraction if `unit` is `fraction`; None if nothing was measured. A median distance may be infinite."""
    low: Number = None
    """Lower end of the 95 % interval."""
    high: Number = None
    """Upper end of the 95 % interval; that of a distance may be infinite."""
    searched_to: float | None = Field(default=None, gt=0)
    """Largest distance that the search allowed; an infinite value or end is above it. None if the search had no limit;
    then left out of files."""
    n: int | None = Field(default=None, ge=0)
    """Number of samples behind the value; None if the source does not give it."""
    protocol: ProtocolField
    """Numbers under different protocols never share a column."""
    unit: Unit = "fraction"
    higher_is_better: bool = True
    source: str = ""
    """Publication of the number, such as a paper and its table; empty for measured numbers."""
    flags: tuple[str, ...] = ()
    """What a reader must know before trusting the value."""
    cell: str = ""
    """Id of the cell that the value was computed from; empty if it was computed from several or from none."""
    detail: str = ""
    """The class that a worst-class accuracy belongs to, with its number of samples; left out of files where empty."""

    @model_serializer(mode="wrap")
    def _without_empty_fields(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `searched_to` and `detail` where there is none, so that checksums of format 1 stay right."""
        fields: dict[str, Any] = write(self)
        for name, value in (("searched_to", self.searched_to), ("detail", self.detail or None)):
            if value is None:
                fields.pop(name, None)
        return fields


class Cell(Strict):
    """Stored outcomes that results were computed from."""

    benchmark: str
    perturbation: str
    protocol: ProtocolField
    data: str
    """Hash of the samples."""
    samples: int = Field(ge=0)
    seed: int | None
    outcomes: Hash
    """Hash of the outcomes of all samples."""
    won_by: dict[str, int] = {}
    """Number of samples that each member of an ensemble of attacks misclassified."""


class Check(Strict):
    """The verdict of one check for gradient masking."""

    benchmark: str
    check: str
    finding: Literal["passed", "suspect", "not run"]
    evidence: str


class Provenance(Strict):
    """The measured cells, and the software and hardware of the measurement."""

    source: str
    """Text of the model source that built the model."""
    weights: str
    """Hash of the weights and of the code that built the model."""
    preprocessing: str
    versions: dict[str, str | None] = {}
    hardware: dict[str, str] = {}
    cells: dict[str, Cell] = {}


class Entry(Strict):
    """Everything known about one model: one file of a leaderboard."""

    format: Literal[1, 2] = 2
    """1 for entries of earlier versions: their proportions have Wilson's intervals, and infinite distances are null."""
    model: str = Field(min_length=1)
    family: str = ""
    defense: str = ""
    about: About = About()
    """What its authors say about it; left out of files where nothing is known."""
    measured: tuple[Result, ...] = ()
    """Computed from stored outcomes."""
    published: tuple[Result, ...] = ()
    """Measured by others."""
    claimed: tuple[Result, ...] = ()
    """Reported by the authors of the model about their own work."""
    checks: tuple[Check, ...] = ()
    provenance: Provenance | None = None
    """None if nothing was measured."""
    checksum: str = ""
    """Hash of all other fields; may be empty if nothing was measured."""

    @model_serializer(mode="wrap")
    def _without_empty_about(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `about` where it is empty, so that the checksums of earlier entries stay right."""
        fields: dict[str, Any] = write(self)
        if not fields["about"]:
            del fields["about"]
        return fields

    def with_checksum(self) -> Entry:
        """Return the entry with the checksum of its other fields."""
        plain = self.model_copy(update={"checksum": ""}).model_dump_json()
        return self.model_copy(update={"checksum": hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()})

    def results(self) -> tuple[tuple[Kind, Result], ...]:
        """Return all numbers with their kind: measured, then published, then claimed."""
        return (
            *(("measured", result) for result in self.measured),
            *(("published", result) for result in self.published),
            *(("claimed", result) for result in self.claimed),
        )

    def filtered(
        self, *, families: Globs = (), defenses: Globs = (), models: Globs = (), benchmarks: Globs = ()
    ) -> Entry | None:
        """Return the entry with the results on some benchmarks; None if its model is filtered out.

        Args:
            families: Globs of architecture families; the entry must match one. Empty for all.
            defenses: Globs of defenses; the entry must match one. Empty for all.
            models: Globs of model names; the entry must match one. Empty for all.
            benchmarks: Globs of benchmarks whose results remain. Empty for all.
        """
        filters = ((self.family, families), (self.defense, defenses), (self.model, models))
        if not all(matches(name, globs) for name, globs in filters):
            return None
        remaining = {
            kind: tuple(result for result in getattr(self, kind) if matches(result.benchmark, benchmarks))
            for kind in get_args(Kind)
        }
        return self.model_copy(update=remaining)

    def with_results_of(self, other: Entry) -> Entry:
        """Return one entry with the results of both, each once, in the newer of the formats of what was measured.

        A number that both have under one protocol, with the same value, source and number of samples, is one result if
        their formats differ: that of the newer format, whose interval may be another.

        Args:
            other: Entry of the same model. It fills in what this one lacks of family, defense, provenance and `about`.

        Raises:
            EntryError: Both entries were measured, with different weights or preprocessing.
        """
        ours, theirs = self.provenance, other.provenance
        if ours is not None and theirs is not None:
            if (ours.weights, ours.preprocessing) != (theirs.weights, theirs.preprocessing):
                raise EntryError(
                    f"Two models are called {self.model}: their weights or their preprocessing differ.",
                    "Give one of them another name.",
                )
            ours = ours.model_copy(update={"cells": {**theirs.cells, **ours.cells}})
        joined: dict[str, Any] = {kind: _joined(kind, self, other) for kind in get_args(Kind)}
        formats = [entry.format for entry in (self, other) if entry.measured]
        joined |= {"format": max(formats, default=max(self.format, other.format))}
        joined |= {name: getattr(self, name) or getattr(other, name) for name in ("family", "defense")}
        joined |= {"provenance": ours or theirs, "about": self.about.filled_from(other.about)}
        return self.model_copy(update={**joined, "checks": tuple(dict.fromkeys(self.checks + other.checks))})

    def text(self) -> str:
        """Return the content of the entry's file, with its checksum; equal entries give equal bytes."""
        return self.with_checksum().model_dump_json(indent=1) + "\n"


def _joined(kind: Kind, ours: Entry, theirs: Entry) -> tuple[Result, ...]:
    """Return the results of both entries, each at its first place."""
    found: dict[object, Result] = {}
    for entry, other in ((ours, theirs), (theirs, ours)):
        for result in getattr(entry, kind):
            is_newest = entry.format >= other.format
            key = result if entry.format == other.format else _number(result)
            found[key] = result if is_newest or key not in found else found[key]
    return tuple(found.values())


def _number(result: Result) -> tuple[object, ...]:
    """Return what tells two numbers apart, whichever format they have."""
    names = ("benchmark", "perturbation", "metric", "protocol", "value", "n", "source")
    return tuple(getattr(result, name) for name in names)


def matches(name: str, globs: Globs) -> bool:
    """Return whether a name matches one of the globs, ignoring case; without globs every name does.

    Args:
        name: The name.
        globs: Patterns as in `fnmatch`.
    """
    return not globs or any(fnmatchcase(name.lower(), glob.lower()) for glob in globs)


def plain_name(name: str) -> str:
    """Return a name of letters, digits, dots, hyphens and underscores that is never a path nor a hidden file.

    Args:
        name: Any text.
    """
    return _NOT_PLAIN.sub("_", name).lstrip(".") or "_"


def read_entry(path: Path) -> Entry:
    """Return the entry in a file.

    Args:
        path: A JSON file.

    Raises:
        EntryError: The file cannot be read or is not an entry; the message names the invalid fields.
    """
    content = read_bytes(path, EntryError)
    parse_json(content, str(path), EntryError)  # pydantic takes the last of repeated keys
    try:
        return Entry.model_validate_json(content)
    except ValidationError as error:
        details = error.errors()
        messages = "\n".join(f"{field_path(detail['loc'])}: {detail['msg']}" for detail in details[:_SHOWN])
        messages += f"\nand {len(details) - _SHOWN} more" if len(details) > _SHOWN else ""
        raise EntryError(f"{path} is not a leaderboard entry:\n{messages}") from error


def shipped() -> list[Entry]:
    """Return the measured entries of the models that come with the package."""
    return [read_entry(path) for path in sorted((Path(__file__).parent / "entries").glob("*.json"))]


def field_path(steps: tuple[int | str, ...]) -> str:
    """Return the position of a field in a file, such as `measured[3].value`.

    Args:
        steps: Names of fields and indices into lists, from the outermost; empty for the file as a whole.
    """
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.removeprefix(".") or "the file"
