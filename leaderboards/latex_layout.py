"""The place that a LaTeX table has on a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Width and kind of the tables of a file."""

    width: float
    """In points of TeX, of which an inch has 72.27."""
    environment: str = "table"
    """The floating environment: `table`, or `table*` across two columns."""
    breaks: bool = False
    """Whether a long table breaks across pages, as only one that is as wide as the page can; else it is divided."""

    @property
    def names(self) -> float:
        """How wide names may be, as a fraction of the width that they may have on a page."""
        return min(1.0, self.width / PAGE.width)

    @property
    def head(self) -> str:
        """A comment that says what the file needs."""
        packages = "booktabs,longtable" if self.breaks else "booktabs"
        place = {"table": "one column of", "table*": "two columns, together"}[self.environment]
        example = ", as in the class article at 10 pt" if self.breaks else ""
        return f"% Packages: \\usepackage{{{packages}}}. Any engine; {place} at least {self.width:.0f} pt{example}."


PAGE = Layout(width=345.0, breaks=True)
r"""\textwidth of the class article at 10 pt: the narrowest page of one column in common use."""
LAYOUTS: Mapping[str, Layout] = {
    "page": PAGE,
    "column": Layout(width=3.25 * 72.27),
    "two-columns": Layout(width=6.75 * 72.27, environment="table*"),
}
"""By the name that `--width` takes. Columns are as narrow as those of any of the large conferences."""
