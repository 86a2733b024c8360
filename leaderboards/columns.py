"""Which columns a table has, as given in YAML."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robustbench_eff.core.errors import UsageError, did_you_mean
from robustbench_eff.core.outside_files import parse_yaml, read_text

from .entry import Kind, Result, field_path


class Pattern(BaseModel):
    """Globs that select the results of one or several columns; `|` separates alternatives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = ""
    """Heading; without one it is made of benchmark, perturbation and metric."""
    benchmark: str = "*"
    perturbation: str = "*"
    metric: str = "*"
    protocol: str = "*"
    """Glob of the protocol's sentence."""
    kind: Kind | None = None

    def matches(self, kind: Kind, result: Result) -> bool:
        """Return whether a result belongs in a column of this pattern.

        Args:
            kind: Kind of the result.
            result: The result.
        """
        if self.kind not in (None, kind):
            return False
        pairs = (
            (result.benchmark, self.benchmark),
            (result.perturbation, self.perturbation),
            (result.metric, self.metric),
            (str(result.protocol), self.protocol),
        )
        return all(any(fnmatchcase(value, glob.strip()) for glob in globs.split("|")) for value, globs in pairs)


class Layout(BaseModel):
    """The columns of a table, and the order of its rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    columns: tuple[Pattern, ...] = Field(min_length=1)
    sort: tuple[str, ...] = ()
    """Labels of the columns to sort by: a model is ranked by the first of them in which it has a number, as far as they
    share benchmark, protocol and metric. The first column by default."""
    complete: bool = False
    """Leave out models without a number to sort by."""
    digits: int = Field(default=2, ge=0, le=6)

    @classmethod
    def parse(cls, text: str, name: str) -> Layout:
        """Return the layout that a YAML text describes.

        Args:
            text: YAML.
            name: What error messages call it, such as the name of its file.

        Raises:
            UsageError: The text is not YAML or not a layout; the message names every invalid field.
        """
        try:
            layout = cls.model_validate(parse_yaml(text, name, UsageError))
        except ValidationError as error:
            messages = "; ".join(f"{field_path(detail['loc'])}: {detail['msg']}" for detail in error.errors())
            raise UsageError(f"{name}: {messages}.", "See docs/leaderboards.md for the form.") from error
        labels = [pattern.label for pattern in layout.columns]
        for label in layout.sort:
            if label not in labels:
                hint = did_you_mean(label, labels) or f"Labels: {', '.join(filter(None, labels))}."
                raise UsageError(f"{name} sorts by {label!r}, which is not the label of a column.", hint)
        return layout


def presets() -> dict[str, str]:
    """Return the YAML text of every shipped layout, by name."""
    folder = files(__package__) / "presets"
    paths = [path for path in folder.iterdir() if path.name.endswith(".yaml")]
    return {
        path.name.removesuffix(".yaml"): path.read_text(encoding="utf-8")
        for path in sorted(paths, key=lambda path: path.name)
    }


def layout(name: str) -> Layout:
    """Return a shipped layout, or the layout in a YAML file.

    Args:
        name: Name of a shipped layout, or path of a file that ends in `.yaml` or `.yml`.

    Raises:
        UsageError: The name is unknown, or the file does not exist or is not a layout.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.exists():
            raise UsageError(f"{name} does not exist.", f"Shipped: {', '.join(presets())}.")
        return Layout.parse(read_text(path, UsageError), name)
    shipped = presets()
    if name not in shipped:
        hint = did_you_mean(name, shipped) or f"Shipped: {', '.join(shipped)}; or a YAML file."
        raise UsageError(f"Unknown columns {name!r}.", hint)
    return Layout.parse(shipped[name], f"Columns {name}")
