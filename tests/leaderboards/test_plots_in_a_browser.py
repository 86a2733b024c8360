"""The plots of the site in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from browser_visits import Visit, wait_for_plot
from site_entries import AND, CLIMBING, SCRIPT


def test_a_plot_is_drawn_when_its_tab_is_opened(visit: Visit) -> None:
    page = visit.open("plots.html")
    for tab in page.get_by_role("tab").all():
        tab.click()
        panel = page.locator(f"#{tab.get_attribute('aria-controls')}")
        panel.locator("svg").wait_for()
        expect(panel.locator("svg path, svg rect, svg line").nth(5)).to_be_attached()
        view = panel.locator(".view option").filter(has_text="measured: all images").first.get_attribute("value")
        panel.locator(".view").select_option(view)
        panel.locator("summary").click()
        panel.locator("table, .models").filter(has_text="mine").first.wait_for()
    expect(page.get_by_role("tab")).to_have_count(4)
    page.get_by_role("tab").first.click()
    wait_for_plot(page, "scatter")
    point = page.locator("#scatter svg .mark-symbol.role-mark path").first
    point.hover()
    page.locator("#vg-tooltip-element.visible", has_text="model").wait_for()
    point.click()
    page.wait_for_url("**/models/*.html")
    assert visit.was_quiet()


def test_every_model_is_in_the_plots_in_its_place(visit: Visit) -> None:
    page = visit.open("plots.html#plot=corruptions")
    panel = page.locator("#corruptions")
    wait_for_plot(page, "corruptions")
    panel.locator(".view").select_option(label="Accuracy under corruption, Digits (measured: all images), 6 models")
    offered = panel.locator(".models option")
    expect(offered).to_have_count(6)
    named = offered.evaluate_all("options => options.map(option => option.value)")
    assert named == sorted([SCRIPT, CLIMBING, AND, "__proto__", "10", "mine"])
    panel.locator(".models").select_option("__proto__")
    panel.locator(".drawing svg text", has_text="50.0%").wait_for()
    assert visit.was_quiet()


def test_a_link_to_a_plot_opens_it_on_the_same_page(visit: Visit) -> None:
    page = visit.open("plots.html#plot=curves")
    page.locator("#curves svg").wait_for()
    page.evaluate("location.hash = '#plot=corruptions'")
    page.locator("#corruptions svg").wait_for()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Corruptions by severity")


def test_points_are_labelled_and_the_front_is_drawn(visit: Visit) -> None:
    page = visit.open("plots.html")
    wait_for_plot(page, "scatter")
    labels = page.locator("#scatter svg .mark-text.role-mark text:not([opacity='0'])")
    shown = labels.all_text_contents()
    assert "mine" in shown
    boxes = labels.evaluate_all(
        "texts => texts.map((text) => text.getBoundingClientRect())"
        ".map(({ left, right, top, bottom }) => [left, right, top, bottom])"
    )
    for number, (left, right, top, bottom) in enumerate(boxes):
        for other_left, other_right, other_top, other_bottom in boxes[:number]:
            wide, high = (
                min(right, other_right) - max(left, other_left),
                min(bottom, other_bottom) - max(top, other_top),
            )
            assert wide <= 1 or high <= 4, shown
    view = page.locator("#scatter .view option", has_text="AutoAttack, L∞, ε = 8/255, CIFAR-10").first
    page.locator("#scatter .view").select_option(view.get_attribute("value"))
    wait_for_plot(page, "scatter")
    page.locator("#scatter svg .mark-line path").first.wait_for()
    expect(labels.get_by_text("Amini2024MeanSparse_S-WRN-94-16", exact=True)).to_have_count(1)
    assert visit.was_quiet()
