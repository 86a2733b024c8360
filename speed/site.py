"""Measure how long a site takes to write and to use: python speed/site.py

Writes the site of all results that the package contains, and opens it from the disk with the system's chromium. Prints,
and writes as JSON with --out: the median milliseconds until some pages are laid out, the same of interactions with the
last page, and the sizes of the site and of what the pages load.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

import record
from robustbench_eff.leaderboards.site.write import write_site
from robustbench_eff.publishing.collect import collect_entries

ARGUMENTS = [*("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")]
CHOICE = "const field = document.getElementById('{}'); field.value = '{}'; field.dispatchEvent(new Event('{}'))"
PAGES = {"index": "#own, #threats", "robustbench-cifar10-linf": "#models tbody tr", "imagenet": "#models tbody tr"}
"""Pages, and what is there when they are complete; interactions are those of the last."""
INTERACTIONS = {
    "sort": "table.order([5, 'desc']).draw()",
    "search": CHOICE.format("search", "resnet", "input"),
    "family": CHOICE.format("family", "vit", "change"),
    "all_columns": "byId('every').click()",
}


def main() -> None:
    """Write the site, use it, and print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    record.add_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        entries = collect_entries((), published=True)
        gathering = time.perf_counter() - began
        written = write_site(entries, Path(folder) / "site")
        row: dict[str, Any] = {
            "models": len(entries),
            "files": written.files,
            "mb": round(written.size / 1e6, 2),
            "gathering_seconds": round(gathering, 2),
            "writing_seconds": round(time.perf_counter() - began - gathering, 2),
        }
        row |= read(Path(folder) / "site", arguments.repeats)
    print(row)
    if arguments.out is not None:
        record.write(arguments.out, {"rows": [row]})


def read(site: Path, repeats: int) -> dict[str, Any]:
    """Return the median milliseconds of every page and interaction, and the sizes of the pages."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page, requested = browser.new_page(viewport={"width": 1400, "height": 900}), set[str]()
        row: dict[str, float] = {}
        page.on("request", lambda request: requested.add(request.url))
        for name, complete in PAGES.items():
            requested.clear()
            row[f"{name}_ms"] = round(statistics.median(_view(page, site, name, complete) for _ in range(repeats)))
            loaded = sum((site / url.removeprefix(f"{site.as_uri()}/")).stat().st_size for url in requested)
            row[f"{name}_mb"] = round(loaded / 1e6, 2)
        acts = {name: [_milliseconds(page, act) for _ in range(repeats)] for name, act in INTERACTIONS.items()}
        row |= {f"{name}_ms": round(statistics.median(times)) for name, times in acts.items()}
        browser.close()
    return row


def _view(page: Page, site: Path, name: str, complete: str) -> float:
    page.goto(f"{site.as_uri()}/{name}.html")
    page.locator(complete).first.wait_for()
    return float(page.evaluate("performance.now()"))


def _milliseconds(page: Page, act: str) -> float:
    timed = (
        "() => {{ const start = performance.now(); {}; document.body.offsetHeight; return performance.now() - start; }}"
    )
    return float(page.evaluate(timed.format(act)))


if __name__ == "__main__":
    main()
