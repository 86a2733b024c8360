"""The table on the site's front page in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, Route, expect

from browser_visits import Visit, choose_columns, models
from site_entries import AND, CLIMBING, SCRIPT


def model(page: Page, name: str) -> Locator:
    return page.locator("#models tbody").get_by_role("link", name=name, exact=True)


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
    expect(models(page).nth(9)).to_have_count(0)
    expect(model(page, "effnet_b7_advprop")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("Numbers").select_option("measured")
    kinds = page.locator("#models thead .kind")
    expect(kinds.filter(has_text="published")).to_have_count(0)
    expect(kinds.filter(has_text="measured")).not_to_have_count(0)
    for name in ("mine", SCRIPT, CLIMBING):
        expect(model(page, name)).to_be_visible()
    page.locator("#defense").select_option("trades")
    model(page, "mine").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("mine")
    assert visit.was_quiet()


def test_every_set_of_columns_is_shown(visit: Visit) -> None:
    page = visit.open("index.html")
    for title in page.locator("#columns option").all_inner_texts():
        choose_columns(page, title)
        expect(models(page), title).not_to_have_count(0)
    page.get_by_label("Every protocol").check()
    page.get_by_label("Benchmark").select_option("imagenet")
    numbers = page.locator("#models thead th:has(.kind)")
    expect(numbers.filter(has_not_text="clean, imagenet")).to_have_count(0)
    expect(models(page)).not_to_have_count(0)
    assert visit.was_quiet()


def test_hostile_names_are_text(visit: Visit) -> None:
    page = visit.open("index.html")
    choose_columns(page, "Clean and robust")
    page.get_by_label("Every protocol").check()
    page.get_by_label("Search").fill("alert")
    model(page, SCRIPT).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SCRIPT)
    page.go_back()
    models(page).first.wait_for()
    page.get_by_label("Search").fill(CLIMBING)
    model(page, CLIMBING).click()
    expect(page).to_have_url(re.compile(f"^{re.escape(visit.folder.as_uri())}/models/"))
    expect(page.locator("text='suspect'")).to_have_count(1)
    assert visit.was_quiet()


def test_searched_texts_are_not_markup(visit: Visit) -> None:
    page = visit.open("index.html")
    choose_columns(page, "Clean and robust")
    for words in ("AT&T", "R&D <img src=stolen.png", "onerror=alert(1)"):
        page.get_by_label("Search").fill(words)
        expect(models(page), words).to_have_text([AND])
    page.get_by_label("Search").fill("amp;")
    page.get_by_text("No model matches.").wait_for()
    expect(models(page)).to_have_count(0)
    assert visit.was_quiet()


def test_a_filter_does_not_change_names(visit: Visit) -> None:
    page = visit.open("index.html")
    models(page).first.wait_for()
    page.locator("#defense").select_option("two  spaces")
    expect(models(page)).to_have_text([AND])


def test_columns_of_one_label_are_alternatives_only_within_one_kind(visit: Visit) -> None:
    page = visit.open("index.html")
    models(page).first.wait_for()
    kinds = ("published", "published", "claimed")
    columns = [{"label": "clean", "kind": kind, "count": 1, "place": place} for place, kind in enumerate(kinds)]
    places = page.evaluate("columns => chosen({ columns, rows: Array(100) }).map(({ place }) => place)", columns)
    assert places == [0, 2]


def test_a_slow_table_does_not_replace_a_later_choice(visit: Visit) -> None:
    page, held = visit.page, list[Route]()
    page.route("**/data/board-attacks-*.js", lambda route: held.append(route))
    visit.open("index.html")
    models(page).first.wait_for()
    with page.expect_request("**/data/board-attacks-*.js"):
        page.get_by_label("Columns").select_option(label="Attacks")
    slow = page.get_by_label("Columns").input_value()
    choose_columns(page, "Defenses")
    held[0].continue_()
    page.wait_for_function("name => whole(name)", arg=slow)
    assert page.locator("#models caption").inner_text() == "Defenses"


def test_the_whole_table_is_printed(visit: Visit) -> None:
    page = visit.open("index.html")
    models(page).first.wait_for()
    page.emulate_media(media="print")
    expect(page.locator("#board .scroll")).to_have_css("max-height", "none")


def test_going_back_restores_the_selected_columns(visit: Visit) -> None:
    page = visit.open("index.html")
    choose_columns(page, "Clean and robust")
    page.get_by_label("Numbers").select_option("measured")
    page.locator("#models tbody").get_by_role("link", name="mine").click()
    page.wait_for_url("**/models/mine.html")
    page.go_back()
    caption = page.locator("#models caption")
    caption.wait_for()
    assert page.locator("#columns option:checked").inner_text() == caption.inner_text()
    assert visit.was_quiet()
