"""Write the table of the layouts of image files into docs/data.md, from the tables of readers and benchmarks.

    python scripts/render_layouts.py

A test holds the page against the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from site_pages.markdown import table

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
BEGIN, END = "<!-- layouts: written by scripts/render_layouts.py -->", "<!-- end of layouts -->"


def main() -> None:
    """Replace the table between the two marks."""
    PAGE.write_text(rendered(PAGE.read_text()))


def rendered(page: str) -> str:
    """Return a page with the table of today between its marks.

    Args:
        page: Text of the page.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = table(("files", "labels", "numbers of the classes of your own images"), rows())
    return "\n".join([before + BEGIN, *lines, END + after])


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the layouts of every reader, then those of the published corrupted sets."""
    from robustbench_eff.registry.benchmarks import BENCHMARKS
    from robustbench_eff.registry.readers import READERS

    for name in READERS.own:
        for layout in READERS[name].load().layouts:
            yield layout.files, layout.labels, layout.class_order
    documented: dict[str, tuple[str, str, str]] = {}
    for name in BENCHMARKS.own:
        published = BENCHMARKS[name].load().layout
        for layout in () if published is None else published.layouts:
            files = f"for `{name}`: {layout.files}"
            documented.setdefault(layout.files, (files, layout.labels, layout.class_order))
    yield from documented.values()


if __name__ == "__main__":
    main()
