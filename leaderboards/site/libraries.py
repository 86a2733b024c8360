"""JavaScript of others, as the packages bring it that are installed; none of it is kept here."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from robustbench_eff.core.errors import MissingExtra, UsageError

EXTRA = "site"
BUNDLE = "window.vegaEmbed = vegaEmbed;"
"""What the bundle of Vega gives to a page."""
NOTICE = "/*! Vega, Vega-Lite, Vega-Embed and what they need: licences in static/LICENSES.txt. */\n"


def table_library() -> dict[str, bytes]:
    """DataTables and the jQuery it needs, as Great Tables ships them: scripts that also run from a file.

    Raises MissingExtra, and UsageError for a version of Great Tables that has them elsewhere.
    """
    found = find_spec("great_tables")
    if found is None or found.origin is None:
        raise MissingExtra("great_tables", EXTRA)
    folder = Path(found.origin).parent / "js"
    files = {"jquery.js": folder / "jquery.slim.min.js", "datatables.js": folder / "dataTables.min.js"}
    for file in files.values():
        if not file.is_file():
            raise UsageError(
                f"This version of great_tables does not bring {file.name}.",
                "Install the one in pyproject.toml, under constraint-dependencies.",
            )
    return {name: file.read_bytes() for name, file in files.items()}


@cache
def plot_library() -> bytes:
    """Vega, Vega-Lite and Vega-Embed in one script. Raises MissingExtra."""
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtra("vl_convert", EXTRA) from error
    return (NOTICE + vl_convert.javascript_bundle(BUNDLE)).encode()
