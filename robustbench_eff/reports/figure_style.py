"""The style of figures for papers: widths of columns, type sizes, colours, and the same bytes for the same figure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS: Mapping[str, float] = {"column": 3.25, "two-columns": 6.75, "page": 4.77}
"""Width in inches of one column, of two, and of the text of the class article at 10 pt."""
FORMATS = ("pdf", "svg", "png")
STYLE: Mapping[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "errorbar.capsize": 0,
    "pdf.fonttype": 42,  # journals refuse Type 3 fonts
    "svg.fonttype": "none",
    "svg.hashsalt": "robustbench_eff",
    "text.parse_math": False,  # names are text
    "savefig.dpi": 300,
}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Those of Okabe and Ito that stand out on white: people who do not tell red from green tell them apart."""
LEGEND_LINE = 0.13
"""Height of a line of the legend in inches."""
LETTER, SYMBOL = 3.6, 22
"""Width of a letter of the legend, and of a line with its spaces, in points."""
MARKERS = "os^DvPX<>*"


class Look(NamedTuple):
    """How a model is drawn, the same in every figure of a call."""

    color: str
    marker: str


def looks(models: Sequence[str]) -> dict[str, Look]:
    """Return a look for every model; the marker changes faster where there are more models than colours.

    Args:
        models: Names, each once.
    """
    count = len(COLOURS)
    return {
        name: Look(COLOURS[place % count], MARKERS[(place % count + place // count) % len(MARKERS)])
        for place, name in enumerate(models)
    }


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save figures in this style within a `with` block."""
    import matplotlib

    with matplotlib.rc_context(dict(STYLE)):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that no window shows.

    Args:
        width: Width in inches.
        height: Height in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def legend_below(figure: Figure, panel: Any, width: float) -> None:
    """Put a legend of all that has a label below a panel, in as many columns as the width has room for.

    Args:
        figure: The figure.
        panel: A panel that holds all that the legend names.
        width: Width of the figure in inches.
    """
    handles, names = panel.get_legend_handles_labels()
    if names:
        figure.legend(handles, names, loc="outside lower center", ncols=_legend_columns(names, width))


def legend_height(names: Sequence[str], width: float) -> float:
    """Return the height in inches of a legend of these names.

    Args:
        names: The names.
        width: Width of the figure in inches.
    """
    return LEGEND_LINE * -(-len(names) // _legend_columns(names, width))


def _legend_columns(names: Sequence[str], width: float) -> int:
    longest = max(map(len, names), default=0)
    return max(1, min(len(names), int(width * 72 / (longest * LETTER + SYMBOL))))


def content(figure: Figure, extension: str) -> bytes:
    """Return a figure as the content of a file; the same bytes for the same figure.

    Args:
        figure: The figure.
        extension: One of FORMATS.
    """
    dates = {"pdf": {"CreationDate": None, "ModDate": None}, "svg": {"Date": None}, "png": {}}
    file = io.BytesIO()
    figure.savefig(file, format=extension, metadata=dates[extension])
    return file.getvalue()
