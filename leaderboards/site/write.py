"""All files of a site from entries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from ..entry import Entry, Kind
from ..file_names import file_names
from ..perturbations import SEVERITIES
from ..render import page
from ..table_formats import LEGEND
from .boards import Board, DataChunks, as_data, boards
from .data import piece
from .folder import FIRST_PAGE, earlier, put
from .libraries import plot_library, table_library
from .model_page import parts
from .plots import Plot, plots

HERE = Path(__file__).parent
TITLE = "Robustness of image classifiers"
Pictures = Mapping[str, Sequence[tuple[str, bytes]]]
"""Of a model captions and PNG files."""


class Written(NamedTuple):
    """What was put into the folder."""

    files: int
    size: int
    """Bytes."""


def write_site(entries: Sequence[Entry], out: Path, *, title: str = TITLE, pictures: Pictures | None = None) -> Written:
    """Write the site in place of an earlier one; nothing else in the folder is touched.

    Raises UsageError for a folder that holds something else only, for what stands in the way of a file, or where no
    number belongs into any table, and MissingExtra.
    """
    earlier(out)
    files = dict(site_files(entries, title=title, pictures=pictures or {}))
    put(files, out)
    return Written(len(files), sum(map(len, files.values())))


def site_files(entries: Sequence[Entry], *, title: str = TITLE, pictures: Pictures) -> Iterator[tuple[str, bytes]]:
    """Every file by its name in the folder; the same bytes for the same entries."""
    pages = file_names([entry.model for entry in entries])
    tables = boards(entries)
    pieces = as_data(tables, pages)
    drawn = [(plot, piece(f"plot-{plot.name}", _said(plot, pages))) for plot in plots(entries)]
    for file in sorted((HERE / "static").iterdir()):
        yield f"static/{file.name}", file.read_bytes()
    for name, content in table_library().items():
        yield f"library/{name}", content
    if drawn:
        yield "library/vega.js", plot_library()
    for one in dict.fromkeys([*(one for both in pieces.values() for one in both), *(said for _, said in drawn)]):
        yield one.file
    yield FIRST_PAGE, _page("index.html", **_of_index(entries, tables, pieces), root="", title=title)
    yield "plots.html", _page("plots.html", root="", title=title, plots=drawn)
    for entry in entries:
        name = pages[entry.model]
        shots = [
            (f"pictures/{name}-{number}.png", caption, png)
            for number, (caption, png) in enumerate(pictures.get(entry.model, ()), start=1)
        ]
        yield from ((file, png) for file, _, png in shots)
        yield f"models/{name}.html", _page("model.html", **_of_model(entry, shots), root="../", title=title)


def _page(template: str, **said: Any) -> bytes:
    return page(HERE / "templates" / template, **said).encode()


def _of_index(
    entries: Sequence[Entry], tables: Mapping[str, Board], pieces: Mapping[str, DataChunks]
) -> dict[str, Any]:
    return {
        "tables": tables,
        "pieces": pieces,
        "numbers": {kind: sum(len(getattr(entry, kind)) for entry in entries) for kind in get_args(Kind)},
        "models": len(entries),
        "legend": LEGEND,
    }


def _said(plot: Plot, pages: Mapping[str, str]) -> dict[str, Any]:
    """The numbers of a plot, how Vega-Lite draws them, and the pages of the models; `words` are said once.

    Models stand in lists of pairs: an object of JavaScript sorts names that are numbers, and loses `__proto__`.
    """
    models = dict.fromkeys(model for view in plot.views for model in view.models)
    every = [values for view in plot.views for lists in view.models.values() for values in lists]
    words = {word: place for place, word in enumerate(dict.fromkeys(values[0] for values in every))}
    return {
        **{name: getattr(plot, name) for name in ("title", "choose", "fields")},
        "views": [
            {
                "label": view.label,
                "measure": view.measure,
                "models": [
                    [model, [[words[word], *numbers] for word, *numbers in lists]]
                    for model, lists in view.models.items()
                ],
            }
            for view in plot.views
        ],
        "words": list(words),
        "pages": [[model, pages[model]] for model in models],
        "drawing": json.loads((HERE / "drawings" / f"{plot.name}.json").read_text(encoding="utf-8")),
    }


def _of_model(entry: Entry, shots: Sequence[tuple[str, str, bytes]]) -> dict[str, Any]:
    return {
        "entry": entry,
        "parts": parts(entry),
        "severities": SEVERITIES,
        "pictures": [(file, caption) for file, caption, _ in shots],
    }
