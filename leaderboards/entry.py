"""What is known of a model: numbers that were measured, published or claimed, kept apart, and where they come from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robustbench_eff.core.errors import EntryError

Kind = Literal["measured", "published", "claimed"]
Unit = Literal["fraction", "number"]
Globs: TypeAlias = Sequence[str]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")]
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


class Strict(BaseModel):
    """Frozen, with no fields but its own, and with numbers that are numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Result(Strict):
    """One number: a metric of a model on a benchmark whose images were left alone or changed."""

    benchmark: str = Field(min_length=1)
    perturbation: str = "none"
    """Text of what changed the images; `none` where nothing did."""
    metric: str = Field(min_length=1)
    value: float | None
    """A fraction unless `unit` says otherwise; None where nothing was measured, or a distance has no end."""
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval."""
    n: int | None = Field(default=None, ge=0)
    """Samples it stands on; None where the source does not say."""
    protocol: str
    """Numbers under different ones are never put into one column."""
    unit: Unit = "fraction"
    higher_is_better: bool = True
    source: str = ""
    """Who said so, where nobody measured it here."""
    flags: tuple[str, ...] = ()
    """What a reader must know before trusting the value."""
    cell: str = ""
    """The cell it was computed from, where it was one."""


class Cell(Strict):
    """Outcomes that results were computed from."""

    benchmark: str
    perturbation: str
    protocol: str
    data: str
    """Hash of the samples."""
    samples: int = Field(ge=0)
    seed: int | None
    outcomes: Hash
    """Hash of what came out for every sample."""
    won_by: dict[str, int] = {}
    """How many samples each part of an ensemble beat."""


class Check(Strict):
    """What one check for gradient masking says."""

    benchmark: str
    check: str
    finding: Literal["passed", "suspect", "not run"]
    evidence: str


class Provenance(Strict):
    """What was measured, and with what."""

    source: str
    """What built the model."""
    weights: str
    """Hash of the weights and of what built the model."""
    preprocessing: str
    versions: dict[str, str | None] = {}
    hardware: dict[str, str] = {}
    cells: dict[str, Cell] = {}


class Entry(Strict):
    """All that is known of one model: a file of a leaderboard."""

    format: Literal[1] = 1
    model: str = Field(min_length=1)
    family: str = ""
    defense: str = ""
    measured: tuple[Result, ...] = ()
    """Computed here, from outcomes."""
    published: tuple[Result, ...] = ()
    """Measured by others."""
    claimed: tuple[Result, ...] = ()
    """Said by the model's authors of their own work."""
    checks: tuple[Check, ...] = ()
    provenance: Provenance | None = None
    """None where nothing was measured here."""
    checksum: str = ""
    """Hash of everything else; may be missing where nothing was measured."""

    def with_checksum(self) -> Entry:
        """With the checksum of what it says."""
        plain = self.model_copy(update={"checksum": ""}).model_dump_json()
        return self.model_copy(update={"checksum": hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()})

    def results(self) -> tuple[tuple[Kind, Result], ...]:
        """All numbers with their kind."""
        return (
            *(("measured", result) for result in self.measured),
            *(("published", result) for result in self.published),
            *(("claimed", result) for result in self.claimed),
        )

    def filtered(
        self, *, families: Globs = (), defenses: Globs = (), models: Globs = (), benchmarks: Globs = ()
    ) -> Entry | None:
        """With the results on these benchmarks, or None if the model matches no glob of a list that is not empty."""
        said = ((self.family, families), (self.defense, defenses), (self.model, models))
        if not all(matches(text, globs) for text, globs in said):
            return None
        kept = {
            kind: tuple(result for result in getattr(self, kind) if matches(result.benchmark, benchmarks))
            for kind in get_args(Kind)
        }
        return self.model_copy(update=kept)

    def with_results_of(self, other: Entry) -> Entry:
        """Both together, what both say once; what only one of them says of the model stays.

        Raises EntryError where both were measured, and not with the same weights.
        """
        ours, theirs = self.provenance, other.provenance
        if ours is not None and theirs is not None:
            if (ours.weights, ours.preprocessing) != (theirs.weights, theirs.preprocessing):
                raise EntryError(
                    f"Two models are called {self.model}: their weights or their preprocessing differ.",
                    "Give one of them another name.",
                )
            ours = ours.model_copy(update={"cells": {**theirs.cells, **ours.cells}})
        joined: dict[str, Any] = {
            kind: tuple(dict.fromkeys(getattr(self, kind) + getattr(other, kind))) for kind in get_args(Kind)
        }
        joined |= {name: getattr(self, name) or getattr(other, name) for name in ("family", "defense")}
        joined |= {"provenance": ours or theirs}
        return self.model_copy(update={**joined, "checks": tuple(dict.fromkeys(self.checks + other.checks))})

    def text(self) -> str:
        """As a file holds it, with its checksum; the same bytes for the same entry."""
        return self.with_checksum().model_dump_json(indent=1) + "\n"


def base_of(protocol: str) -> str:
    """Without seed and precision, which clean images have none of."""
    return protocol.partition(" · ")[0]


def matches(text: str, globs: Globs) -> bool:
    """Whether one of the globs matches, in either case, or there is none."""
    return not globs or any(fnmatchcase(text.lower(), glob.lower()) for glob in globs)


def plain_name(text: str) -> str:
    """Letters, digits, dots, hyphens and underscores; never hidden, never a path."""
    return _NOT_PLAIN.sub("_", text).lstrip(".") or "_"


def read_entry(path: Path) -> Entry:
    """The entry in a file; EntryError that names the field in question."""
    try:
        return Entry.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EntryError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        problems = "\n".join(f"{place(problem['loc'])}: {problem['msg']}" for problem in error.errors())
        raise EntryError(f"{path} is no entry of a leaderboard:\n{problems}") from error


def shipped() -> list[Entry]:
    """Those that come with the package: of its own models, measured."""
    return [read_entry(path) for path in sorted((Path(__file__).parent / "entries").glob("*.json"))]


def place(steps: tuple[int | str, ...]) -> str:
    """Where in a file: `measured[3].value`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".") or "the file"
