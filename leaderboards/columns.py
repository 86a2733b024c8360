"""Which columns a table has, as YAML says it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robustbench_eff.core.errors import UsageError, did_you_mean

from .entry import Kind, Result, place


class Pattern(BaseModel):
    """Columns of all results that match these globs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = ""
    """Heading; made of benchmark, perturbation and metric where there is none."""
    benchmark: str = "*"
    perturbation: str = "*"
    metric: str = "*"
    protocol: str = "*"
    kind: Kind | None = None

    def matches(self, kind: Kind, result: Result) -> bool:
        """Whether the result belongs into a column of this pattern."""
        said = (
            (result.benchmark, self.benchmark),
            (result.perturbation, self.perturbation),
            (result.metric, self.metric),
            (result.protocol, self.protocol),
        )
        return self.kind in (None, kind) and all(
            any(fnmatchcase(text, glob.strip()) for glob in globs.split("|")) for text, globs in said
        )


class Layout(BaseModel):
    """A set of columns, and by which the rows are sorted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    columns: tuple[Pattern, ...] = Field(min_length=1)
    sort: tuple[str, ...] = ()
    """Labels: models are ranked by the first of them that they have a number for, as far as those are of one benchmark,
    protocol and metric; by the first column where none is said."""
    complete: bool = False
    """Leave out models without a number to sort by."""
    digits: int = Field(default=2, ge=0, le=6)

    @classmethod
    def parse(cls, text: str, name: str) -> Layout:
        """Read YAML; UsageError that names the field in question."""
        try:
            layout = cls.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise UsageError(f"{name} is not YAML: {error}") from error
        except ValidationError as error:
            problems = "; ".join(f"{place(problem['loc'])}: {problem['msg']}" for problem in error.errors())
            raise UsageError(f"{name}: {problems}.", "See docs/leaderboards.md for the form.") from error
        labels = [pattern.label for pattern in layout.columns]
        for label in layout.sort:
            if label not in labels:
                hint = did_you_mean(label, labels) or f"Labels: {', '.join(filter(None, labels))}."
                raise UsageError(f"{name} sorts by {label!r}, which no column is called.", hint)
        return layout


def presets() -> dict[str, str]:
    """The shipped layouts by name, as YAML."""
    folder = files(__package__) / "presets"
    found = [path for path in folder.iterdir() if path.name.endswith(".yaml")]
    return {
        path.name.removesuffix(".yaml"): path.read_text(encoding="utf-8")
        for path in sorted(found, key=lambda path: path.name)
    }


def layout(name: str) -> Layout:
    """A shipped layout, or one in a YAML file; UsageError for a name that is neither."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"{name} is not there.", f"Shipped: {', '.join(presets())}.")
        try:
            return Layout.parse(path.read_text(encoding="utf-8"), name)
        except UnicodeError as error:
            raise UsageError(f"{name} is not text in UTF-8.") from error
    shipped = presets()
    if name not in shipped:
        hint = did_you_mean(name, shipped) or f"Shipped: {', '.join(shipped)}; or a YAML file."
        raise UsageError(f"Unknown columns {name!r}.", hint)
    return Layout.parse(shipped[name], f"Columns {name}")
