"""JavaScript libraries of others, taken from installed packages; the repository holds no copies."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from robustbench_eff.core.errors import MissingExtra, UsageError

EXTRA = "site"
BUNDLE = "window.vegaEmbed = vegaEmbed;"
"""What the bundle of Vega exports to a page."""
NOTICE = "/*! Vega, Vega-Lite, Vega-Embed and what they need: licences in static/LICENSES.txt. */\n"


def table_library() -> dict[str, bytes]:
    """Return DataTables and the jQuery that it needs, as Great Tables ships them, by file name.

    These versions also run in a page that is opened from a disk.

    Raises:
        MissingExtra: Great Tables is not installed.
        UsageError: The installed version of Great Tables does not ship these files.
    """
    package = find_spec("great_tables")
    if package is None or package.origin is None:
        raise MissingExtra("great_tables", EXTRA)
    folder = Path(package.origin).parent / "js"
    files = {"jquery.js": folder / "jquery.slim.min.js", "datatables.js": folder / "dataTables.min.js"}
    for file in files.values():
        if not file.is_file():
            raise UsageError(
                f"The installed version of great_tables does not contain {file.name}.",
                "Install the version in pyproject.toml, under constraint-dependencies.",
            )
    return {name: file.read_bytes() for name, file in files.items()}


@cache
def plot_library() -> bytes:
    """Return Vega, Vega-Lite and Vega-Embed as one script.

    Raises:
        MissingExtra: vl_convert is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtra("vl_convert", EXTRA) from error
    return (NOTICE + vl_convert.javascript_bundle(BUNDLE)).encode()
