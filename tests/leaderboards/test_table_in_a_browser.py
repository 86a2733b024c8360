"""The tables of the site in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser_visits import Visit, models, open_table
from site_entries import AND, CLIMBING, SCRIPT


def model(page: Page, name: str) -> Locator:
    return page.locator("#models tbody").get_by_role("link", name=name, exact=True)


def column(page: Page, head: Locator) -> list[str]:
    """Texts of the cells below a heading."""
    place = head.evaluate("element => element.cellIndex") + 1
    return page.locator(f"#models tbody td:nth-child({place})").all_inner_texts()


def test_a_reader_sorts_filters_and_opens_a_model(visit: Visit) -> None:
    page = open_table(visit, "imagenet")
    head = page.get_by_role("columnheader").filter(has_text="ImageNet-A").first
    head.click()
    page.locator("#models th[aria-sort=descending]", has_text="ImageNet-A").wait_for()
    numbers = [float(text.split()[0]) for text in column(page, head)]
    assert len(numbers) == 25 and numbers == sorted(numbers, reverse=True)
    ranks = page.locator("#models tbody td:first-child").all_inner_texts()
    assert ranks[0].split("-")[0] == "1"
    page.get_by_label("Search").fill("effnet_b7 advprop")
    expect(models(page).nth(9)).to_have_count(0)
    expect(model(page, "effnet_b7_advprop")).to_be_visible()
    open_table(visit, "defenses")
    page.get_by_label("Numbers").select_option("measured")
    kinds = page.locator("#models thead .kind")
    expect(kinds.filter(has_text="published")).to_have_count(0)
    expect(kinds.filter(has_text="measured")).not_to_have_count(0)
    for name in ("mine", SCRIPT, CLIMBING):
        expect(model(page, name)).to_be_visible()
    page.locator("#defense").select_option("trades")
    model(page, "mine").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("mine own")
    assert visit.was_quiet()


def test_every_table_leads_to_every_other(visit: Visit) -> None:
    page = open_table(visit, "attacks")
    names = page.locator(".tables a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(names) > 10 and "attacks.html" not in names
    for name in names:
        page.get_by_text("Other tables").click()
        page.locator(f".tables a[href='{name}']").click()
        page.wait_for_url(f"**/{name}")
        expect(models(page), name).not_to_have_count(0)
    assert visit.was_quiet()


def test_every_heading_says_attack_radius_and_data_set(visit: Visit) -> None:
    page = open_table(visit, "attacks")
    page.get_by_label("Every protocol").check()
    heads = page.locator("#models thead th:has(.kind)").all_inner_texts()
    assert len(heads) > 20
    for head in heads:
        assert "ε" in head or "lean accuracy" in head or "Accuracy" in head or "attack not named" in head, head
    page.get_by_label("Benchmark").select_option("cifar10")
    for head in page.locator("#models thead th:has(.kind)").all_inner_texts():
        assert "CIFAR-10" in head, head
    assert visit.was_quiet()


@pytest.mark.parametrize("order", [0, 1])
def test_own_models_are_first_in_every_order(visit: Visit, order: int) -> None:
    page = open_table(visit, "attacks")
    own = page.locator("#models tbody tr:has(.model .kind)")
    expect(own).to_have_count(6)
    for head in page.locator("#models thead th:has(.dt-column-order)").all()[:4]:
        for _ in range(1 + order):
            head.click()
        expect(page.locator("#models tbody tr:nth-child(-n + 6):has(.model .kind)")).to_have_count(6)


def test_what_nobody_attacked_is_not_in_the_table_of_attacks(visit: Visit) -> None:
    page = open_table(visit, "attacks")
    page.get_by_label("Every protocol").check()
    heads = " | ".join(page.locator("#models thead th:has(.kind)").all_inner_texts())
    assert "ImageNet" in heads and "ImageNet-A" not in heads
    page.get_by_label("Search").fill("effnet_b0")
    expect(models(page).get_by_text("effnet_b0_noisystudent")).to_have_count(0)


def test_one_click_leads_to_a_familys_numbers_on_imagenet_and_its_variants(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_role("link", name="resnet", exact=True).click()
    models(page).first.wait_for()
    heads = " | ".join(page.locator("#models thead th:has(.kind)").all_inner_texts())
    for wanted in (
        "ImageNet %",
        "ImageNet-C",
        "ImageNet-A",
        "ImageNet-R",
        "ImageNet-Sketch",
        "ImageNet-V2",
        "AutoAttack",
    ):
        assert wanted in heads, wanted
    assert page.evaluate("filtered(taken[byId('board').dataset.name]).every(row => row.family === 'resnet')")


def test_papers_are_columns(visit: Visit) -> None:
    page = open_table(visit, "robustbench-cifar10-linf")
    page.get_by_label("Search").fill("Wu2020Do")
    expect(models(page)).to_have_text("Wu2020Do")
    heads = page.locator("#models thead th.fact").all_inner_texts()
    names = ["Defense", "Architecture", "Extra data", "Authors", "Venue", "Paper"]
    assert [head.split("\n")[0].strip() for head in heads] == names
    line = page.locator("#models tbody td.fact").all_inner_texts()
    assert line == ["adversarial_training", "WideResNet-34-15", "yes", "Wu 2020", "arXiv, Oct 2020", "arXiv:2010.01279"]
    assert page.locator("#models tbody .fact a").get_attribute("href") == "https://arxiv.org/abs/2010.01279"
    open_table(visit, "imagenet")
    expect(page.locator("#models thead th.fact", has_text="Licence")).to_have_count(1)


def test_a_table_leads_to_its_plot_and_a_point_to_its_model(visit: Visit) -> None:
    page = open_table(visit, "robustbench-imagenet-linf")
    page.get_by_role("link", name="Plot against clean accuracy").click()
    page.locator("#scatter svg").wait_for()
    expect(page.locator("#scatter .view option:checked")).to_contain_text("AutoAttack, L∞, ε = 4/255, ImageNet")
    page.locator("#scatter svg .mark-symbol.role-mark path").first.click()
    page.wait_for_url("**/models/*.html")
    assert (visit.folder / "models" / Path(page.url).name).is_file()


def test_hostile_names_are_text(visit: Visit) -> None:
    page = open_table(visit, "own")
    page.get_by_label("Every protocol").check()
    page.get_by_label("Search").fill("alert")
    model(page, SCRIPT).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{SCRIPT} own")
    page.go_back()
    models(page).first.wait_for()
    page.get_by_label("Search").fill(CLIMBING)
    model(page, CLIMBING).click()
    expect(page).to_have_url(re.compile(f"^{re.escape(visit.folder.as_uri())}/models/"))
    expect(page.locator("text='suspect'")).to_have_count(1)
    assert visit.was_quiet()


def test_searched_texts_are_not_markup(visit: Visit) -> None:
    page = open_table(visit, "own")
    for words in ("AT&T", "R&D <img src=stolen.png", "onerror=alert(1)"):
        page.get_by_label("Search").fill(words)
        expect(models(page), words).to_have_text([AND])
    page.get_by_label("Search").fill("amp;")
    page.get_by_text("No model matches.", exact=True).wait_for()
    expect(models(page)).to_have_count(0)
    assert visit.was_quiet()


def test_a_filter_does_not_change_names(visit: Visit) -> None:
    page = open_table(visit, "attacks")
    page.locator("#defense").select_option("two  spaces")
    expect(models(page)).to_have_text([AND])


def test_of_columns_that_differ_in_protocol_the_fullest_is_shown(visit: Visit) -> None:
    page = open_table(visit, "attacks")
    kinds = ("published", "published", "claimed", "measured", "measured", "published")
    columns = [{"label": "clean", "kind": kind, "place": place} for place, kind in enumerate(kinds)]
    numbers = ([0, 1, 3], [1, 2, 4], [3])
    places = page.evaluate(
        "([columns, numbers]) => chosen({ columns }, numbers.map((places) => ({ figures: new Set(places) })))"
        ".map(({ place }) => place)",
        [columns, numbers],
    )
    assert places == [1, 2, 3, 4]


def test_the_whole_table_is_printed(visit: Visit) -> None:
    page = open_table(visit, "attacks")
    page.emulate_media(media="print")
    expect(page.locator("#board .scroll")).to_have_css("max-height", "none")


def test_going_back_restores_what_was_chosen(visit: Visit) -> None:
    page = open_table(visit, "attacks")
    page.get_by_label("Numbers").select_option("measured")
    page.locator("#models tbody").get_by_role("link", name="mine").click()
    page.wait_for_url("**/models/mine.html")
    page.go_back()
    models(page).first.wait_for()
    expect(page.get_by_label("Numbers")).to_have_value("measured")
    expect(page.locator("#models thead .kind").filter(has_text="published")).to_have_count(0)
    assert visit.was_quiet()
