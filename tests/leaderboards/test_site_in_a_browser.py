"""The static site: what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

from robustbench_eff.api.leaderboard import gathered
from robustbench_eff.leaderboards.entry import Check
from robustbench_eff.leaderboards.run_page import run_page
from robustbench_eff.leaderboards.site.write import write_site
from site_entries import AND, CLIMBING, HOSTILE, PNG, SCRIPT, entry

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def published_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that was published, and some measured models."""
    out = tmp_path_factory.mktemp("published") / "site"
    write_site([*HOSTILE, entry("mine", family="cnn", defense="trades"), *gathered((), published=True)], out)
    return out


class Visit:
    """A page, with what it asked for and complained of."""

    def __init__(self, browser: Browser, folder: Path, **options: object) -> None:
        self.folder, self.asked, self.complaints = folder, list[str](), list[str]()
        self.page: Page = browser.new_context(**options).new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("request", self._request)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def open(self, name: str) -> Page:
        self.page.goto(f"{self.folder.as_uri()}/{name}")
        return self.page

    def was_quiet(self) -> bool:
        """No complaint, and no request off the folder."""
        assert self.complaints == []
        assert [url for url in self.asked if not url.startswith(self.folder.as_uri())] == []
        return True

    def loaded(self) -> int:
        return sum((self.folder / url.removeprefix(f"{self.folder.as_uri()}/")).stat().st_size for url in self.asked)


@pytest.fixture
def visit(browser: Browser, published_site: Path) -> Iterator[Visit]:
    visiting = Visit(browser, published_site, color_scheme="light", viewport={"width": 1400, "height": 900})
    yield visiting
    visiting.page.context.close()


def models(page: Page) -> list[str]:
    return page.locator("#models tbody th a").all_inner_texts()


def test_all_that_was_published_is_small_enough_to_load(visit: Visit) -> None:
    page = visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    size = sum(path.stat().st_size for path in visit.folder.rglob("*") if path.is_file())
    assert visit.loaded() < 1_500_000
    assert size < 15_000_000
    assert visit.was_quiet()


def test_a_reader_sorts_filters_and_opens_a_model(visit: Visit) -> None:
    page = visit.open("index.html")
    head = page.get_by_role("columnheader").filter(has_text="clean, imagenet").first
    head.click()
    page.locator("#models th[aria-sort=descending]", has_text="clean, imagenet").wait_for()
    place = int(head.get_attribute("data-dt-column") or 0) + 1
    cells = page.locator(f"#models tbody td:nth-child({place})").all_inner_texts()
    numbers = [float(text.split()[0]) for text in cells]
    assert numbers == sorted(numbers, reverse=True)
    ranks = page.locator("#models tbody td:first-child").all_inner_texts()
    assert ranks[0].split("-")[0] == "1"
    page.get_by_label("Search").fill("effnet_b7 advprop")
    assert "effnet_b7_advprop" in models(page)
    assert len(models(page)) < 10
    page.get_by_label("Search").fill("")
    page.get_by_label("Numbers").select_option("measured")
    assert {"mine", SCRIPT, CLIMBING} <= set(models(page))
    assert page.locator("#models thead .kind").all_inner_texts().count("published") == 0
    page.locator("#defense").select_option("trades")
    page.locator("#models tbody").get_by_role("link", name="mine").click()
    assert page.get_by_role("heading", level=1).inner_text() == "mine"
    assert visit.was_quiet()


def test_every_set_of_columns_is_shown(visit: Visit) -> None:
    page = visit.open("index.html")
    for name in page.locator("#columns option").evaluate_all("found => found.map(option => option.value)"):
        page.get_by_label("Columns").select_option(name)
        title = page.locator(f"#columns option[value='{name}']").inner_text()
        page.locator("#models caption", has_text=title).wait_for()
        assert models(page), name
    page.get_by_label("Every protocol").check()
    page.get_by_label("Benchmark").select_option("imagenet")
    assert visit.was_quiet()


def test_hostile_names_are_text(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_label("Columns").select_option(label="Clean and robust")
    page.get_by_label("Every protocol").check()
    page.get_by_label("Search").fill("alert")
    page.locator("#models tbody").get_by_role("link", name=SCRIPT).click()
    assert page.get_by_role("heading", level=1).inner_text() == SCRIPT
    page.go_back()
    page.get_by_label("Search").fill(CLIMBING)
    page.locator("#models tbody").get_by_role("link", name=CLIMBING).click()
    assert page.url.startswith(f"{visit.folder.as_uri()}/models/")
    assert page.locator("text='suspect'").count() == 1
    assert visit.was_quiet()


def test_what_is_searched_is_text(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_label("Columns").select_option(label="Clean and robust")
    for words in ("AT&T", "R&D <img src=stolen.png", "onerror=alert(1)"):
        page.get_by_label("Search").fill(words)
        assert models(page) == [AND], words
    page.get_by_label("Search").fill("amp;")
    assert models(page) == []
    assert visit.was_quiet()


def test_a_filter_takes_names_as_they_are(visit: Visit) -> None:
    page = visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    page.locator("#defense").select_option("two  spaces")
    assert models(page) == [AND]


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    page.keyboard.press("Tab")
    assert focused(page, "textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert focused(page, "id") == "content"
    tab_to(page, "#defense")
    page.keyboard.type("trades")
    assert models(page) == ["digits_trades", "mine"]
    tab_to(page, "#models thead th:nth-child(2) *, #models thead th:nth-child(2)")
    page.keyboard.press("Enter")
    page.locator("#models thead th[aria-sort=ascending]", has_text="Model").wait_for()
    tab_to(page, "#models tbody a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/digits_trades.html")
    visit.open("plots.html")
    page.locator("#scatter svg").wait_for()
    tab_to(page, "[role=tab]")
    page.keyboard.press("ArrowRight")
    page.locator("#curves svg").wait_for()
    assert page.get_by_role("tab", selected=True).inner_text() == "Security curves"
    page.keyboard.press("ArrowLeft")
    tab_to(page, "#scatter summary")
    page.keyboard.press("Enter")
    tab_to(page, "#scatter .values a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/*.html")
    assert visit.was_quiet()


def focused(page: Page, what: str) -> str:
    return page.evaluate(f"document.activeElement.{what}")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until it has the focus."""
    for _ in range(100):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {selector}.")


def test_the_theme_is_the_systems_until_it_is_chosen_and_then_stays(visit: Visit) -> None:
    page = visit.open("index.html")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Dark", exact=True).click()
    assert page.evaluate(paper) == "rgb(21, 24, 28)"
    visit.open("plots.html")
    assert page.evaluate(paper) == "rgb(21, 24, 28)"
    assert visit.was_quiet()


def test_plots_are_drawn_when_they_are_asked_for(visit: Visit) -> None:
    page = visit.open("plots.html")
    for tab in page.get_by_role("tab").all():
        tab.click()
        panel = page.locator(f"#{tab.get_attribute('aria-controls')}")
        panel.locator("svg").wait_for()
        assert panel.locator("svg path, svg rect, svg line").count() > 5
        view = panel.locator(".view option").filter(has_text="measured: all images").first.get_attribute("value")
        panel.locator(".view").select_option(view)
        panel.locator("summary").click()
        panel.locator("table, .models").filter(has_text="mine").first.wait_for()
    assert page.get_by_role("tab").count() == 4
    page.get_by_role("tab").first.click()
    point = page.locator("#scatter svg .mark-symbol.role-mark path").first
    point.hover()
    page.locator("#vg-tooltip-element.visible", has_text="model").wait_for()
    point.click()
    page.wait_for_url("**/models/*.html")
    assert visit.was_quiet()


def test_data_are_scripts_that_a_page_can_read(visit: Visit) -> None:
    page = visit.open("plots.html")
    for file in (visit.folder / "data").iterdir():
        said = re.fullmatch(r'take\("([\w-]+)",(.*)\);\n', file.read_text(), re.DOTALL)
        assert said is not None and f"{said[1]}.js" == file.name
        taken = page.evaluate("async (name) => JSON.stringify(await data(name))", said[1])
        assert json.loads(taken) == json.loads(said[2])
    assert visit.was_quiet()


def test_every_model_is_in_the_plots_in_its_place(visit: Visit) -> None:
    page = visit.open("plots.html#corruptions")
    panel = page.locator("#corruptions")
    panel.locator("svg").wait_for()
    panel.locator(".view").select_option(label="digits (measured: all images), 6 models")
    named = panel.locator(".models option").evaluate_all("found => found.map(option => option.value)")
    assert named == sorted([SCRIPT, CLIMBING, AND, "__proto__", "10", "mine"])
    panel.locator(".models").select_option("__proto__")
    page.locator("#corruptions .drawing svg text", has_text="50.0%").wait_for()
    assert visit.was_quiet()


def test_a_link_to_a_plot_opens_it_on_the_same_page(visit: Visit) -> None:
    page = visit.open("plots.html#curves")
    page.locator("#curves svg").wait_for()
    page.evaluate("location.hash = '#corruptions'")
    page.locator("#corruptions svg").wait_for()
    assert page.get_by_role("tab", selected=True).inner_text() == "Corruptions by severity"


def test_columns_of_one_label_are_alike_only_if_they_are_of_one_kind(visit: Visit) -> None:
    page = visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    kinds = ("published", "published", "claimed")
    columns = [{"label": "clean", "kind": kind, "count": 1, "place": place} for place, kind in enumerate(kinds)]
    found = page.evaluate("columns => chosen({ columns, rows: Array(100) }).map(({ place }) => place)", columns)
    assert found == [0, 2]


def test_a_slow_table_does_not_come_over_a_later_choice(visit: Visit) -> None:
    page, held = visit.page, list[Route]()
    page.route("**/data/board-attacks-*.js", lambda route: held.append(route))
    visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    page.get_by_label("Columns").select_option(label="Attacks")
    page.get_by_label("Columns").select_option(label="Defenses")
    page.locator("#models caption", has_text="Defenses").wait_for()
    held[0].continue_()
    page.wait_for_function("Object.keys(taken).some((name) => name.startsWith('board-attacks'))")
    page.wait_for_timeout(100)
    assert page.locator("#models caption").inner_text() == "Defenses"


def test_what_cannot_be_loaded_is_said_and_tried_again(visit: Visit) -> None:
    page = visit.page
    for files in ("**/data/board-attacks-*.js", "**/data/plot-*.js"):
        page.route(files, lambda route: route.abort())
    visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    page.locator("#columns").select_option(label="Attacks")
    page.get_by_role("alert").filter(has_text="cannot be loaded").wait_for()
    assert page.locator("#models").count() == 0
    page.locator("#family").dispatch_event("change")
    page.unroute("**/data/board-attacks-*.js")
    page.locator("#columns").dispatch_event("change")
    page.locator("#models caption", has_text="Attacks").wait_for()
    visit.open("plots.html#curves")
    page.locator("#curves .status", has_text="cannot be loaded").wait_for()
    page.unroute("**/data/plot-*.js")
    page.locator("#tab-curves").click()
    page.locator("#curves svg").wait_for()


def test_a_browser_that_keeps_nothing_shows_the_page(visit: Visit) -> None:
    refused = "{ get() { throw new DOMException('no', 'SecurityError'); } }"
    visit.page.add_init_script(f"Object.defineProperty(window, 'localStorage', {refused})")
    page = visit.open("index.html")
    page.get_by_role("button", name="Dark", exact=True).click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert visit.was_quiet()


def test_paper_has_the_whole_table(visit: Visit) -> None:
    page = visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    page.emulate_media(media="print")
    assert page.locator("#board .scroll").evaluate("element => getComputedStyle(element).maxHeight") == "none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_can_be_read_in_both_schemes(browser: Browser, tmp_path: Path, scheme: str) -> None:
    suspect = Check(benchmark="digits", check="more steps", finding="suspect", evidence="5 of 10")
    entries = [entry(name, checks=(suspect,)) for name in ("first", "second")]
    (tmp_path / "report.html").write_text(run_page(entries, [], {"first": [("pgd", PNG)]}, "title"))
    page = Visit(browser, tmp_path, color_scheme=scheme).open("report.html")
    for selector in ("body", ".suspect", ".dim", "figcaption", "td small", "table + p", "figure svg text"):
        assert page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector
    for selector in ("#patch_3 path", "#xtick_1 use", "#legend_1 text"):
        assert page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector
    assert page.locator("#legend_1 > [id^=patch]").count() == 0
    page.context.close()


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
