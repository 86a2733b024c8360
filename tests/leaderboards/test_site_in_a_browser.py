"""The static site as a whole in a browser."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser_visits import Visit, models, open_table, wait_for_plot


def test_a_site_of_all_published_results_is_small(visit: Visit) -> None:
    visit.open("index.html")
    visit.page.get_by_role("link", name="mine").first.wait_for()
    size = sum(path.stat().st_size for path in visit.folder.rglob("*") if path.is_file())
    assert visit.loaded() < 400_000
    assert size < 15_000_000
    assert visit.was_quiet()


def test_the_table_of_a_threat_model_is_light(visit: Visit) -> None:
    open_table(visit, "robustbench-cifar10-linf")
    assert visit.loaded() < 300_000


def test_the_site_can_be_used_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit.open("index.html")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_id("content")
    press_until(page, "Tab", "a[href='defenses.html']")
    page.keyboard.press("Enter")
    models(page).first.wait_for()
    press_until(page, "Tab", "#defense")
    page.keyboard.press("End")
    press_until(page, "ArrowUp", "#defense:has([value=trades]:checked)")  # typed letters have to come within a second
    expect(models(page)).to_have_text(["mine", "digits_trades"])
    press_until(page, "Tab", "#models thead th:nth-child(2) *, #models thead th:nth-child(2)")
    page.keyboard.press("Enter")
    page.locator("#models thead th[aria-sort=ascending]", has_text="Model").wait_for()
    press_until(page, "Tab", "#models tbody tr:nth-child(2) a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/digits_trades.html")
    visit.open("plots.html")
    wait_for_plot(page, "scatter")
    press_until(page, "Tab", "[role=tab]")
    page.keyboard.press("ArrowRight")
    page.locator("#curves svg").wait_for()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Security curves")
    page.keyboard.press("ArrowLeft")
    wait_for_plot(page, "scatter")
    press_until(page, "Tab", "#scatter summary")
    page.keyboard.press("Enter")
    page.locator("#scatter .values a").first.wait_for()
    press_until(page, "Tab", "#scatter .values a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/*.html")
    assert visit.was_quiet()


@pytest.mark.parametrize("name", ["index.html", "robustbench-imagenet-linf.html", "plots.html", "models/mine.html"])
def test_a_page_opens_at_its_top(visit: Visit, name: str) -> None:
    page = visit.open(name)
    page.locator("h1, svg").last.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("scrollY") == 0


def test_the_first_search_finds_own_models_first(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_role("searchbox").fill("trades")
    found = page.locator("#found a")
    expect(found.first).to_have_text("mine")
    page.get_by_role("searchbox").fill("meansparse S-WRN-94")
    expect(found).to_have_text(["Amini2024MeanSparse_S-WRN-94-16"])
    page.get_by_role("searchbox").fill("rb_cifar10_linf_wu2020do")
    found.get_by_text("Wu2020Do", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Wu2020Do")
    assert visit.was_quiet()


def test_a_search_without_a_match_leads_to_all_models(visit: Visit) -> None:
    page = open_table(visit, "robustbench-cifar10-l2")
    page.get_by_label("Search").fill("mine")
    page.get_by_role("link", name="Search all").click()
    expect(page.locator("#found a").first).to_have_text("mine")
    page.get_by_role("searchbox").fill("no such model <b>")
    expect(page.locator("#count")).to_have_text("No model matches.")


def test_what_is_chosen_can_be_kept_as_an_address(visit: Visit) -> None:
    page = open_table(visit, "imagenet")
    page.locator("#family").select_option("efficientnet")
    page.get_by_label("Search").fill("advprop")
    shown = models(page).all_inner_texts()
    address = page.url
    visit.open("plots.html")
    page.goto(address)
    expect(models(page)).to_have_text(shown)
    page.goto(address.partition("#")[0] + "#family=no-such-family&every=1")
    expect(page.locator("#family")).to_have_value("")


def press_until(page: Page, key: str, selector: str) -> None:
    """Press a key until the focused element matches the selector."""
    for _ in range(100):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never reaches {selector}.")


def test_the_theme_follows_the_system_until_it_is_chosen(visit: Visit) -> None:
    page = visit.open("index.html")
    body = page.locator("body")
    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(body).to_have_css("background-color", "rgb(21, 24, 28)")
    visit.open("plots.html")
    expect(body).to_have_css("background-color", "rgb(21, 24, 28)")
    wait_for_plot(page, "scatter")
    assert visit.was_quiet()


def test_data_are_scripts_that_a_page_can_read(visit: Visit) -> None:
    page = visit.open("plots.html")
    for file in (visit.folder / "data").iterdir():
        match = re.fullmatch(r'take\("([\w-]+)",(.*)\);\n', file.read_text(), re.DOTALL)
        assert match is not None and f"{match[1]}.js" == file.name
        taken = page.evaluate("async (name) => JSON.stringify(await data(name))", match[1])
        assert json.loads(taken) == json.loads(match[2])
    assert visit.was_quiet()


def test_a_failure_to_load_is_shown_and_tried_again(visit: Visit) -> None:
    page = visit.page
    for files in ("**/data/board-attacks-*.js", "**/data/models-*.js", "**/data/plot-*.js"):
        page.route(files, lambda route: route.abort())
    visit.open("attacks.html")
    page.get_by_role("alert").filter(has_text="cannot be loaded").wait_for()
    expect(page.locator("#models")).to_have_count(0)
    visit.open("index.html")
    page.get_by_role("searchbox").fill("mine")
    page.get_by_role("status").filter(has_text="cannot be loaded").wait_for()
    page.unroute("**/data/models-*.js")
    page.get_by_role("searchbox").fill("min")
    expect(page.locator("#found a").first).to_have_text("mine")
    visit.open("plots.html#plot=curves")
    page.locator("#curves .status", has_text="cannot be loaded").wait_for()
    page.unroute("**/data/plot-*.js")
    page.locator("#tab-curves").click()
    page.locator("#curves svg").wait_for()


def test_the_page_works_without_local_storage(visit: Visit) -> None:
    refused = "{ get() { throw new DOMException('no', 'SecurityError'); } }"
    visit.page.add_init_script(f"Object.defineProperty(window, 'localStorage', {refused})")
    page = open_table(visit, "defenses")
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert visit.was_quiet()


PAGES = (
    *("index.html", "own.html", "robustbench-cifar10-linf.html", "imagenet.html#family=efficientnet", "attacks.html"),
    *("plots.html", "plots.html#plot=curves", "plots.html#plot=corruptions", "plots.html#plot=shape-bias"),
    *("models/mine.html", "models/rb_cifar10_linf_wu2020do.html"),
)


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_nothing_is_beside_the_screen(browser: Browser, published_site: Path, name: str) -> None:
    with Visit(browser, published_site, viewport={"width": 390, "height": 844}) as visiting:
        page = complete(visiting, name)
        assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.slow
@pytest.mark.skipif("AXE_CORE" not in os.environ, reason="AXE_CORE does not name the file axe.min.js of npm's axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser: Browser, published_site: Path, name: str, scheme: str) -> None:
    script = Path(os.environ["AXE_CORE"]).read_text()
    for width in (390, 1280):
        size = {"width": width, "height": 900}
        with Visit(browser, published_site, color_scheme=scheme, viewport=size, bypass_csp=True) as visiting:
            page = complete(visiting, name)
            page.evaluate("document.querySelectorAll('details').forEach(element => element.open = true)")
            page.evaluate(script)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
            assert [(violation["id"], violation["impact"]) for violation in found] == []


def complete(visit: Visit, name: str) -> Page:
    """Open a page and wait until all of it is there."""
    page = visit.open(name)
    if name.startswith("plots"):
        page.locator(".drawing svg").first.wait_for()
    elif name.startswith("index"):
        page.get_by_role("searchbox").fill("resnet")
        page.locator("#found a").first.wait_for()
    elif "/" not in name:
        models(page).first.wait_for()
    return page
