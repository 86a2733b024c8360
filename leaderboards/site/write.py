"""All files of a site from entries, and how they get into a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from robustbench_eff.errors import UsageError

from ..entry import Entry, Kind
from ..formats import LEGEND
from ..names import file_names
from ..pages import page
from ..perturbations import SEVERITIES
from .boards import Board, as_data, boards, figures_name
from .libraries import plot_library, table_library
from .model_page import parts
from .plots import Plot, plots

HERE = Path(__file__).parent
TITLE = "Robustness of image classifiers"
MARK = "robust-eval-site.txt"
"""A folder with this file in it was written here, and may be written again."""
ABOUT = "Written by `robust-eval leaderboard site`, which replaces what is in this folder. Open index.html.\n"
Pictures = Mapping[str, Sequence[tuple[str, bytes]]]
"""Of a model captions and PNG files."""


class Written(NamedTuple):
    """What was put into the folder."""

    files: int
    size: int
    """Bytes."""


def write_site(entries: Sequence[Entry], out: Path, *, title: str = TITLE, pictures: Pictures | None = None) -> Written:
    """Write the site; what an earlier one left in the folder goes.

    Raises UsageError for a folder that holds something else, or where no number belongs into any table, and
    MissingExtra.
    """
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} holds something that is no site.", "Choose another --out.")
    files = dict(site_files(entries, title=title, pictures=pictures or {}))
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in out.rglob("*"):
        if path.is_file() and path.relative_to(out).as_posix() not in files:
            path.unlink()
    return Written(len(files), sum(map(len, files.values())))


def site_files(entries: Sequence[Entry], *, title: str = TITLE, pictures: Pictures) -> Iterator[tuple[str, bytes]]:
    """Every file by its name in the folder; the same bytes for the same entries."""
    pages = file_names([entry.model for entry in entries])
    tables = boards(entries)
    drawn = plots(entries)
    yield MARK, ABOUT.encode()
    for file in sorted((HERE / "static").iterdir()):
        yield f"static/{file.name}", file.read_bytes()
    for name, content in table_library().items():
        yield f"library/{name}", content
    yield from (_data(name, said) for name, said in as_data(tables, pages))
    yield "index.html", _page("index.html", **_of_index(entries, tables), root="", title=title)
    yield "plots.html", _page("plots.html", root="", title=title, plots=drawn)
    if drawn:
        yield "library/vega.js", plot_library()
    for plot in drawn:
        yield _data(f"plot-{plot.name}", _plot(plot, pages))
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


def _of_index(entries: Sequence[Entry], tables: Mapping[str, Board]) -> dict[str, Any]:
    first = next(iter(tables.values()))
    return {
        "tables": tables,
        "figures": figures_name(first.table.digits),
        "numbers": {kind: sum(len(getattr(entry, kind)) for entry in entries) for kind in get_args(Kind)},
        "models": len(entries),
        "legend": LEGEND,
    }


def _plot(plot: Plot, pages: Mapping[str, str]) -> dict[str, Any]:
    """The numbers of a plot, how Vega-Lite draws them, and the pages of the models; `words` are said once."""
    models = dict.fromkeys(model for view in plot.views for model in view.models)
    every = [values for view in plot.views for lists in view.models.values() for values in lists]
    words = {word: place for place, word in enumerate(dict.fromkeys(values[0] for values in every))}
    return {
        **{name: getattr(plot, name) for name in ("title", "choose", "fields")},
        "views": [
            {
                "label": view.label,
                "models": {
                    model: [[words[word], *numbers] for word, *numbers in lists] for model, lists in view.models.items()
                },
            }
            for view in plot.views
        ],
        "words": list(words),
        "pages": {model: pages[model] for model in models},
        "drawing": json.loads((HERE / "drawings" / f"{plot.name}.json").read_text(encoding="utf-8")),
    }


def _of_model(entry: Entry, shots: Sequence[tuple[str, str, bytes]]) -> dict[str, Any]:
    return {
        "entry": entry,
        "parts": parts(entry),
        "severities": SEVERITIES,
        "pictures": [(file, caption) for file, caption, _ in shots],
    }


def _data(name: str, said: Any) -> tuple[str, bytes]:
    """A script that gives data to the page: pages that are opened from a disk may not fetch a file."""
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"data/{name}.js", f"take({json.dumps(name)},{text});\n".encode()
