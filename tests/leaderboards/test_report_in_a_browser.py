"""The HTML report in a browser: colours, narrow screens, the keyboard, and silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser_visits import Visit
from odd_stores import odd_store
from robustbench_eff.publishing.report.page import report_page
from robustbench_eff.storage.store import Store

OF_THE_PAGE = ("body", "h1", ".dim", "small", ".ci", "thead th", "summary", "figure svg text", ".legend li", ".found")
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of odd stores."""
    folder = tmp_path_factory.mktemp("reports")
    for name in ("names", "corruptions", "searches", "many models"):
        store = Store.existing(odd_store(name, folder / "stores" / name))
        (folder / f"{name}.html").write_text(report_page(store, full=name == "names"))
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_can_be_read_in_both_schemes(browser: Browser, reports: Path, scheme: str) -> None:
    with Visit(browser, reports, color_scheme=scheme) as visiting:
        page = visiting.open("searches.html")
        for selector in OF_THE_PAGE:
            assert page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector
        page = visiting.open("corruptions.html")
        ink = page.locator(".heat td").first.evaluate("element => getComputedStyle(element).color")
        assert ink == page.locator("body").evaluate("element => getComputedStyle(element).color")
        assert visiting.was_quiet()


@pytest.mark.parametrize("name", ["names", "corruptions", "many models"])
def test_on_a_phone_nothing_is_beside_the_screen(browser: Browser, reports: Path, name: str) -> None:
    with Visit(browser, reports, viewport=PHONE) as visiting:
        page = visiting.open(f"{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        for value in page.locator(".cards .v").all()[:40]:
            box = value.bounding_box()
            assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
        assert visiting.was_quiet()


def test_what_has_the_focus_is_outlined(browser: Browser, reports: Path) -> None:
    with Visit(browser, reports) as visiting:
        page = visiting.open("searches.html")
        page.keyboard.press("Tab")
        style = "getComputedStyle(document.activeElement)"
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert page.evaluate(f"{style}.outlineStyle") == "solid" and page.evaluate(f"{style}.outlineWidth") == "3px"


@pytest.mark.slow
@pytest.mark.skipif("AXE_CORE" not in os.environ, reason="AXE_CORE does not name the file axe.min.js of npm's axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["names", "corruptions", "searches", "many models"])
def test_axe_finds_nothing(browser: Browser, reports: Path, name: str, scheme: str) -> None:
    script = Path(os.environ["AXE_CORE"]).read_text()
    for width in (390, 1280):
        size = {"width": width, "height": 900}
        with Visit(browser, reports, color_scheme=scheme, viewport=size, bypass_csp=True) as visiting:
            page = visiting.open(f"{name}.html")
            page.evaluate("document.querySelectorAll('details').forEach(element => element.open = true)")
            page.evaluate(script)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
            assert [(violation["id"], violation["impact"]) for violation in found] == []


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
