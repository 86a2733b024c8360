"""Write all files of a site from entries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from ..entry import Entry, Kind
from ..file_names import file_names
from ..perturbations import SEVERITIES
from ..render import page
from ..table import LEGEND
from .boards import Board, DataChunks, as_data, boards
from .data import Piece, piece
from .folder import FIRST_PAGE, earlier, put
from .model_page import parts
from .plots import Plot, plots
from .vendored_js import plot_library, table_library

FOLDER = Path(__file__).parent
TITLE = "Robustness of image classifiers"
Pictures = Mapping[str, Sequence[tuple[str, bytes]]]
"""Captions and PNG files by model."""


class Written(NamedTuple):
    """What was written."""

    files: int
    """Number of files."""
    size: int
    """Number of bytes."""


class _Shot(NamedTuple):
    """A picture of samples on a model's page."""

    file: str
    caption: str
    png: bytes


def write_site(entries: Sequence[Entry], out: Path, *, title: str = TITLE, pictures: Pictures | None = None) -> Written:
    """Write a site in place of an earlier one; foreign files in the folder are left alone.

    Args:
        entries: One entry per model.
        out: The folder: new, empty, or with an earlier site.
        title: Title of the site.
        pictures: Captions and PNG files by model; None for none.

    Raises:
        UsageError: The folder holds only something else, a foreign file is in the way of a file of the site, or no
            number matches any table.
        MissingExtra: A package with JavaScript libraries is not installed.
    """
    earlier(out)
    files = dict(site_files(entries, title=title, pictures=pictures or {}))
    put(files, out)
    return Written(len(files), sum(map(len, files.values())))


def site_files(entries: Sequence[Entry], *, title: str = TITLE, pictures: Pictures) -> Iterator[tuple[str, bytes]]:
    """Yield every file as its name in the folder and its content; the same bytes for the same entries.

    Args:
        entries: One entry per model.
        title: Title of the site.
        pictures: Captions and PNG files by model.

    Raises:
        EmptyTable: No number matches any table.
        MissingExtra: A package with JavaScript libraries is not installed.
    """
    pages = file_names([entry.model for entry in entries])
    tables = boards(entries)
    chunks = as_data(tables, pages)
    drawn = [(plot, piece(f"plot-{plot.name}", _plot_data(plot, pages))) for plot in plots(entries)]
    for file in sorted((FOLDER / "static").iterdir()):
        yield f"static/{file.name}", file.read_bytes()
    for name, content in table_library().items():
        yield f"library/{name}", content
    if drawn:
        yield "library/vega.js", plot_library()
    for data in _distinct(chunks, drawn):
        yield data.file
    yield FIRST_PAGE, _page("index.html", **_index_values(entries, tables, chunks), root="", title=title)
    yield "plots.html", _page("plots.html", root="", title=title, plots=drawn)
    for entry in entries:
        shots = _shots(pages[entry.model], pictures.get(entry.model, ()))
        yield from ((shot.file, shot.png) for shot in shots)
        values = _model_values(entry, shots)
        yield f"models/{pages[entry.model]}.html", _page("model.html", **values, root="../", title=title)


def _page(template: str, **values: Any) -> bytes:
    return page(FOLDER / "templates" / template, **values).encode()


def _distinct(chunks: Mapping[str, DataChunks], drawn: Sequence[tuple[Plot, Piece]]) -> list[Piece]:
    """Return the data of all tables and plots, each once."""
    of_tables = [data for pair in chunks.values() for data in pair]
    return list(dict.fromkeys([*of_tables, *(data for _, data in drawn)]))


def _shots(page_name: str, pictures: Sequence[tuple[str, bytes]]) -> list[_Shot]:
    return [
        _Shot(f"pictures/{page_name}-{number}.png", caption, png)
        for number, (caption, png) in enumerate(pictures, start=1)
    ]


def _index_values(
    entries: Sequence[Entry], tables: Mapping[str, Board], chunks: Mapping[str, DataChunks]
) -> dict[str, Any]:
    return {
        "tables": tables,
        "pieces": chunks,
        "numbers": {kind: sum(len(getattr(entry, kind)) for entry in entries) for kind in get_args(Kind)},
        "models": len(entries),
        "legend": LEGEND,
    }


def _plot_data(plot: Plot, pages: Mapping[str, str]) -> dict[str, Any]:
    """Return the numbers of a plot, its Vega-Lite specification, and the models' pages; each text of `words` once.

    Models are lists of pairs: a JavaScript object sorts names that are numbers, and loses `__proto__`.
    """
    models = dict.fromkeys(model for view in plot.views for model in view.models)
    every = [values for view in plot.views for rows in view.models.values() for values in rows]
    words = {word: index for index, word in enumerate(dict.fromkeys(values[0] for values in every))}
    return {
        **{name: getattr(plot, name) for name in ("title", "choose", "fields")},
        "views": [
            {
                "label": view.label,
                "measure": view.measure,
                "models": [
                    [model, [[words[word], *numbers] for word, *numbers in rows]] for model, rows in view.models.items()
                ],
            }
            for view in plot.views
        ],
        "words": list(words),
        "pages": [[model, pages[model]] for model in models],
        "drawing": json.loads((FOLDER / "drawings" / f"{plot.name}.json").read_text(encoding="utf-8")),
    }


def _model_values(entry: Entry, shots: Sequence[_Shot]) -> dict[str, Any]:
    return {
        "entry": entry,
        "parts": parts(entry),
        "severities": SEVERITIES,
        "pictures": [(shot.file, shot.caption) for shot in shots],
    }
