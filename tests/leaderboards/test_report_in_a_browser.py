"""The HTML report in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser_visits import Visit
from robustbench_eff.leaderboards.entry import Check
from robustbench_eff.leaderboards.html_report import run_page
from site_entries import PNG, entry

OF_THE_PAGE = ("body", ".suspect", ".dim", "figcaption", "td small", "table + p", "figure svg text")
OF_A_DRAWING = ("#patch_3 path", "#xtick_1 use", "#legend_1 text")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_can_be_read_in_both_schemes(browser: Browser, tmp_path: Path, scheme: str) -> None:
    suspect = Check(benchmark="digits", check="more steps", finding="suspect", evidence="5 of 10")
    entries = [entry(name, checks=(suspect,)) for name in ("first", "second")]
    (tmp_path / "report.html").write_text(run_page(entries, [], {"first": [("pgd", PNG)]}, "title"))
    with Visit(browser, tmp_path, color_scheme=scheme) as visiting:
        page = visiting.open("report.html")
        for selector in (*OF_THE_PAGE, *OF_A_DRAWING):
            assert page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector
        expect(page.locator("#legend_1 > [id^=patch]")).to_have_count(0)


CONTRAST = """element => {
  const numbers = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const weigh = ([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  const light = (colour) => weigh(numbers(colour).map(linear));
  const style = getComputedStyle(element), svg = element.namespaceURI.endsWith("svg");
  const ink = !svg ? style.color : element.tagName === "text" ? style.fill : style.stroke;
  const [dark, bright] = [light(ink), light(getComputedStyle(document.body).backgroundColor)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}"""
