"""The static site as a whole in a browser."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, expect

from browser_visits import Visit, models, wait_for_plot


def test_a_site_of_all_published_results_is_small(visit: Visit) -> None:
    page = visit.open("index.html")
    models(page).first.wait_for()
    size = sum(path.stat().st_size for path in visit.folder.rglob("*") if path.is_file())
    assert visit.loaded() < 1_500_000
    assert size < 15_000_000
    assert visit.was_quiet()


def test_the_site_can_be_used_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit.open("index.html")
    models(page).first.wait_for()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_id("content")
    press_until(page, "Tab", "#defense")
    page.keyboard.press("End")
    press_until(page, "ArrowUp", "#defense:has([value=trades]:checked)")  # typed letters have to come within a second
    expect(models(page)).to_have_text(["digits_trades", "mine"])
    press_until(page, "Tab", "#models thead th:nth-child(2) *, #models thead th:nth-child(2)")
    page.keyboard.press("Enter")
    page.locator("#models thead th[aria-sort=ascending]", has_text="Model").wait_for()
    press_until(page, "Tab", "#models tbody a")
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
    for files in ("**/data/board-attacks-*.js", "**/data/plot-*.js"):
        page.route(files, lambda route: route.abort())
    visit.open("index.html")
    models(page).first.wait_for()
    page.locator("#columns").select_option(label="Attacks")
    page.get_by_role("alert").filter(has_text="cannot be loaded").wait_for()
    expect(page.locator("#models")).to_have_count(0)
    page.locator("#family").dispatch_event("change")
    page.unroute("**/data/board-attacks-*.js")
    page.locator("#columns").dispatch_event("change")
    expect(page.locator("#models caption")).to_have_text("Attacks")
    visit.open("plots.html#curves")
    page.locator("#curves .status", has_text="cannot be loaded").wait_for()
    page.unroute("**/data/plot-*.js")
    page.locator("#tab-curves").click()
    page.locator("#curves svg").wait_for()


def test_the_page_works_without_local_storage(visit: Visit) -> None:
    refused = "{ get() { throw new DOMException('no', 'SecurityError'); } }"
    visit.page.add_init_script(f"Object.defineProperty(window, 'localStorage', {refused})")
    page = visit.open("index.html")
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    models(page).first.wait_for()
    assert visit.was_quiet()
