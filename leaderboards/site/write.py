"""Write all files of a site from entries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from ..entry import Entry, Kind
from ..perturbations import SEVERITIES
from ..render import page
from ..table import LEGEND, figure_text, interval_text
from .boards import BY_FAMILY, OWN, THREATS, Board, Place, as_data, boards, places
from .data import piece
from .folder import FIRST_PAGE, earlier, put
from .headings import heading_of
from .model_page import parts
from .models import ShownModel, names_of, short_link, shown_models
from .plots import Plot, label_of, plots
from .vendored_js import plot_library, table_library

FOLDER = Path(__file__).parent
TITLE = "Robustness of image classifiers"
LEADING = 8
"""Number of columns of own models on the first page."""
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


def write_site(
    entries: Sequence[Entry],
    out: Path,
    *,
    title: str = TITLE,
    pictures: Pictures | None = None,
    own: Collection[str] = (),
) -> Written:
    """Write a site in place of an earlier one; foreign files in the folder are left alone.

    Args:
        entries: One entry per model.
        out: The folder: new, empty, or with an earlier site.
        title: Title of the site.
        pictures: Captions and PNG files by model; None for none.
        own: Models that come first everywhere.

    Raises:
        UsageError: The folder holds only something else, a foreign file is in the way of a file of the site, or no
            number matches any table.
        MissingExtra: A package with JavaScript libraries is not installed.
    """
    earlier(out)
    files = dict(site_files(entries, title=title, pictures=pictures or {}, own=own))
    put(files, out)
    return Written(len(files), sum(map(len, files.values())))


def site_files(
    entries: Sequence[Entry], *, title: str = TITLE, pictures: Pictures, own: Collection[str] = ()
) -> Iterator[tuple[str, bytes]]:
    """Yield every file as its name in the folder and its content; the same bytes for the same entries.

    Args:
        entries: One entry per model.
        title: Title of the site.
        pictures: Captions and PNG files by model.
        own: Models that come first everywhere.

    Raises:
        EmptyTable: No number matches any table.
        MissingExtra: A package with JavaScript libraries is not installed.
    """
    models = shown_models(entries, own)
    tables = boards(models)
    drawn = [(plot, piece(f"plot-{plot.name}", _plot_data(plot, models))) for plot in plots(entries, frozenset(own))]
    for file in sorted((FOLDER / "static").iterdir()):
        yield f"static/{file.name}", file.read_bytes()
    for name, content in table_library().items():
        yield f"library/{name}", content
    if drawn:
        yield "library/vega.js", plot_library()
        yield from (data.file for _, data in drawn)
    yield from _pages_of_tables(models, tables, [plot for plot, _ in drawn], title)
    yield "plots.html", _page("plots.html", root="", title=title, plots=drawn)
    ranked = places(tables)
    for name, model in models.items():
        shots = _shots(model.page, pictures.get(name, ()))
        yield from ((shot.file, shot.png) for shot in shots)
        values = _model_values(model, shots, ranked.get(name, []))
        yield f"models/{model.page}.html", _page("model.html", **values, root="../", title=title)


def _pages_of_tables(
    models: Mapping[str, ShownModel], tables: Mapping[str, Board], drawn: Sequence[Plot], title: str
) -> Iterator[tuple[str, bytes]]:
    """Yield the first page, a page for every table, and their data."""
    pieces = {name: as_data(name, board, models) for name, board in tables.items()}
    names = names_of(list(models.values()))
    yield from (data.file for data in (names, *pieces.values()))
    shared = {"root": "", "title": title, "tables": tables, "pieces": pieces, "models": models, "legend": LEGEND}
    of_own = {"leading": _leading(tables[OWN]) if OWN in tables else []}
    texts = {"figure_text": figure_text, "interval_text": interval_text, "head": heading_of, "threats": THREATS}
    numbers = {kind: sum(len(getattr(model.entry, kind)) for model in models.values()) for kind in get_args(Kind)}
    yield (
        FIRST_PAGE,
        _page(FIRST_PAGE, **shared, **texts, **of_own, names=names, numbers=numbers, families=_families(tables)),
    )
    for name in tables:
        yield f"{name}.html", _page("board.html", **shared, name=name, view=_view_of(tables[name], drawn))


def _leading(board: Board) -> list[int]:
    """Return the columns of a table on the first page: of those with one heading the fullest, which comes first."""
    columns = board.table.columns
    alike = {heading_of(columns[index]).text: index for index in reversed(range(len(columns)))}
    return sorted(alike.values())[:LEADING]


def _families(tables: Mapping[str, Board]) -> list[tuple[str, int]]:
    """Return the families in the table of ImageNet's variants, with the number of their models, the largest first."""
    rows = tables[BY_FAMILY].table.rows if BY_FAMILY in tables else ()
    return Counter(row.family for row in rows if row.family).most_common()


def _view_of(board: Board, drawn: Sequence[Plot]) -> str:
    """Return the name of the view that plots the table's leading number against clean accuracy; empty without one."""
    columns = [board.table.columns[board.first], *board.table.columns]
    keys = {view.label: view.key for plot in drawn if plot.name == "scatter" for view in plot.views}
    return next((keys[label] for label in map(label_of, columns) if label in keys), "")


def _page(template: str, **values: Any) -> bytes:
    return page(FOLDER / "templates" / template, **values).encode()


def _shots(page_name: str, pictures: Sequence[tuple[str, bytes]]) -> list[_Shot]:
    return [
        _Shot(f"pictures/{page_name}-{number}.png", caption, png)
        for number, (caption, png) in enumerate(pictures, start=1)
    ]


def _plot_data(plot: Plot, shown: Mapping[str, ShownModel]) -> dict[str, Any]:
    """Return the numbers of a plot, its Vega-Lite specification, and the models; each text of `words` once.

    Models are lists, and views name them by their index: a JavaScript object sorts names that are numbers, and loses
    `__proto__`.
    """
    models = {
        model: index for index, model in enumerate(dict.fromkeys(name for view in plot.views for name in view.models))
    }
    every = [values for view in plot.views for rows in view.models.values() for values in rows]
    words = {word: index for index, word in enumerate(dict.fromkeys(values[0] for values in every))}
    return {
        **{name: getattr(plot, name) for name in ("title", "choose", "fields")},
        "views": [
            {
                "subject": view.subject,
                "under": view.under,
                "key": view.key,
                "measure": view.measure,
                "front": [models[model] for model in view.front],
                "models": [
                    [models[model], [[words[word], *numbers] for word, *numbers in rows]]
                    for model, rows in view.models.items()
                ],
            }
            for view in plot.views
        ],
        "words": list(words),
        "models": [
            [shown[model].name, shown[model].page, int(shown[model].is_own), shown[model].short] for model in models
        ],
        "drawing": json.loads((FOLDER / "drawings" / f"{plot.name}.json").read_text(encoding="utf-8")),
    }


def _model_values(model: ShownModel, shots: Sequence[_Shot], ranked: Sequence[Place]) -> dict[str, Any]:
    return {
        "model": model,
        "places": ranked,
        "entry": model.entry,
        "paper": short_link(model.entry.about.link),
        "parts": parts(model.entry),
        "severities": SEVERITIES,
        "pictures": [(shot.file, shot.caption) for shot in shots],
    }
