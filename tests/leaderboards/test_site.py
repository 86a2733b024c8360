"""The static site: what its files say, and what a browser makes of them."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from robustbench_eff.api.leaderboard import gathered
from robustbench_eff.cli.serving import server
from robustbench_eff.errors import MissingExtra, UsageError
from robustbench_eff.leaderboards.entry import Check, Entry, Kind, Provenance, Result
from robustbench_eff.leaderboards.names import file_names
from robustbench_eff.leaderboards.site import libraries
from robustbench_eff.leaderboards.site.plots import plots
from robustbench_eff.leaderboards.site.write import MARK, site_files, write_site

SCRIPT = "<script>alert(1)</script>"
CLIMBING = "../../x"
BOLD = "<b onmouseover=alert(1)>"
PNG = b"\x89PNG\r\n\x1a\n"
CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def result(perturbation: str, value: float, **other: object) -> Result:
    metric = "accuracy" if perturbation == "none" or "severity" in perturbation else "robust_accuracy"
    said = {"benchmark": "digits", "metric": metric, "protocol": "all images", "n": 360} | other
    return Result(perturbation=perturbation, value=value, low=value - 0.02, high=value + 0.02, **said)


def entry(model: str, clean: float = 0.9, kind: Kind = "measured", **other: object) -> Entry:
    results = (
        result("none", clean, source="a table, line 3"),
        result("pgd(eps=4/255, steps=50)", clean - 0.3),
        result("pgd(eps=8/255, steps=50)", clean - 0.5, flags=("few steps",)),
        result("fog(severity=1)", clean - 0.1),
        result("fog(severity=2)", clean - 0.2),
        result("none", clean - 0.4, benchmark="cue-conflict", metric="shape_bias of cat"),
        result("none", clean - 0.2, benchmark="cue-conflict", metric="shape_bias of dog"),
    )
    return Entry(model=model, **{kind: results}, **other)


HOSTILE = (
    entry(SCRIPT, 0.95, family=BOLD, defense=SCRIPT),
    entry(CLIMBING, 0.8, checks=(Check(benchmark=SCRIPT, check="more steps", finding="suspect", evidence=BOLD),)),
    Entry(model="labels", claimed=(result("none", 0.7, benchmark=BOLD, protocol=SCRIPT, source=BOLD),)),
)


def files_of(*entries: Entry) -> dict[str, str]:
    found = site_files(entries, pictures={})
    return {name: content.decode() for name, content in found if not name.endswith(".png")}


def test_the_same_entries_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_site(HOSTILE, tmp_path / name)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "first", tmp_path / "second")
    )
    assert first == second


def test_names_of_models_stay_in_the_folder_and_apart() -> None:
    models = [CLIMBING, ".._.._x", "A/b", "a b", SCRIPT, "", ".hidden", "x" * 300, "con/../../etc/passwd"]
    names = file_names(models)
    assert len({name.lower() for name in names.values()}) == len(models)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}", name) for name in names.values())
    assert file_names(models[::-1]) == names


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "a" / "site"
    write_site(HOSTILE, out, pictures={CLIMBING: [("digits, pgd", PNG)]})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["site"]
    assert (out / "models" / "_.._x.html").is_file()
    assert (out / "pictures" / "_.._x-1.png").read_bytes() == PNG


def test_what_an_entry_says_is_never_markup() -> None:
    for name, text in files_of(*HOSTILE).items():
        if name.endswith(".html"):
            assert SCRIPT not in text, name
            assert BOLD not in text, name
            assert not re.search(r"<script(?! (defer )?src=)", text), name


def test_every_page_forbids_scripts_that_do_not_lie_in_the_folder() -> None:
    for name, text in files_of(*HOSTILE).items():
        if name.endswith(".html"):
            assert "default-src 'none'; script-src 'self';" in text, name
            assert not re.search(r"(src|href)=.?(https?:|//|data:)", text), name


def test_a_models_page_says_where_its_numbers_come_from() -> None:
    provenance = Provenance(
        source="timm:x", weights="ab12", preprocessing="224 crop", versions={"torch": "2"}, hardware={"gpu": "none"}
    )
    checks = (Check(benchmark="digits", check="more steps", finding="suspect", evidence="fell by 3 %"),)
    text = files_of(entry("m", provenance=provenance, checks=checks))["models/m.html"]
    for said in ("ab12", "224 crop", "fell by 3 %", "suspect", "few steps", "Protocol: all images.", "line 3"):
        assert said in text, said
    assert "90.00 <i>88.00–92.00</i>" in text
    assert "<th scope=row>fog<td>80.00 <i>78.00–82.00</i><td>70.00 <i>68.00–72.00</i><td><td><td>" in text


def test_published_and_measured_numbers_are_different_views() -> None:
    both = [entry("one"), entry("two", kind="published")]
    for plot in plots(both):
        assert [list(view.models) for view in plot.views if "measured" in view.label] == [["one"]] * (
            len(plot.views) // 2
        )


def test_a_security_curve_begins_at_clean_accuracy() -> None:
    curves = next(plot for plot in plots([entry("m")]) if plot.name == "curves")
    assert curves.views[0].label.startswith("digits, pgd(steps=50)")
    assert [row[1:3] for row in curves.views[0].models["m"]] == [
        [0.0, 0.9],
        [round(4 / 255, 4), 0.6],
        [round(8 / 255, 4), 0.4],
    ]


def test_one_radius_is_no_curve() -> None:
    one = Entry(model="m", measured=(result("none", 0.9), result("pgd(eps=4/255)", 0.5)))
    assert [plot.name for plot in plots([one])] == ["scatter"]


def test_corruptions_that_draw_stand_beside_those_that_do_not() -> None:
    drawn = result("snow(severity=1)", 0.5, protocol="all images · seed 0")
    (view,) = next(plot for plot in plots([Entry(model="m", measured=(result("fog(severity=1)", 0.6), drawn))])).views
    assert [row[0] for row in view.models["m"]] == ["fog", "snow"]


def test_an_earlier_site_goes_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_site([entry("old")], out)
    write_site([entry("new")], out)
    assert [path.name for path in (out / "models").iterdir()] == ["new.html"]
    (out / MARK).unlink()
    with pytest.raises(UsageError, match="holds something that is no site"):
        write_site([entry("new")], out)


def test_a_missing_library_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"great_tables is not installed"):
        libraries.table_library()
    libraries.plot_library.cache_clear()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingExtra, match=r"robustbench-eff\[site\]"):
        libraries.plot_library()


def test_the_command_writes_a_site_without_torch(tmp_path: Path) -> None:
    (tmp_path / "entries").mkdir()
    (tmp_path / "entries" / "m.json").write_text(entry("m").text())
    words = ["leaderboard", "site", str(tmp_path / "entries"), "--no-published", "--out", str(tmp_path / "site")]
    script = (
        f"import sys; from robustbench_eff import cli; sys.argv = ['robust-eval', *{words!r}]\n"
        "try: cli.main()\nexcept SystemExit as stop: assert not stop.code\n"
        "assert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "models" / "m.html").is_file()


def test_a_site_is_served_on_this_machine_until_ctrl_c(tmp_path: Path) -> None:
    write_site([entry("m")], tmp_path / "site")
    script = "from robustbench_eff import cli; cli.main()"
    words = ["leaderboard", "serve", str(tmp_path / "site"), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", script, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A background job of a shell ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    assert address.startswith("http://127.0.0.1:")
    assert b"<h1>" in urllib.request.urlopen(address, timeout=10).read()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}../entries", timeout=10)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert (process.returncode, complaint) == (0, "")


def test_a_port_that_is_taken_and_a_folder_without_pages_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no index\.html"):
        server(tmp_path, 0)
    (tmp_path / "index.html").write_text("")
    with server(tmp_path, 0) as first, pytest.raises(UsageError, match="Choose another --port"):
        server(tmp_path, first.server_port)


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


def milliseconds(page: Page, action: str) -> float:
    """From the action to the table laid out, as a reader waits for it."""
    return page.evaluate(
        f"() => {{ const start = performance.now(); {action}; document.body.offsetHeight;"
        " return performance.now() - start; }"
    )


def test_all_that_was_published_is_seen_in_no_time(visit: Visit) -> None:
    taken = []
    for _ in range(3):
        visit.asked.clear()
        page = visit.open("index.html")
        page.locator("#models tbody tr").first.wait_for()
        taken.append(page.evaluate("performance.now()"))
    size = sum(path.stat().st_size for path in visit.folder.rglob("*") if path.is_file())
    assert visit.loaded() < 1_500_000
    assert size < 15_000_000
    assert min(taken) < 1500
    assert visit.was_quiet()


def test_sorting_and_filtering_take_no_time(visit: Visit) -> None:
    page = visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    choose = "const field = document.getElementById('{}'); field.value = '{}'; field.dispatchEvent(new Event('{}'))"
    actions = {
        "sort": "table.order([6, 'desc']).draw()",
        "search": choose.format("search", "resnet", "input"),
        "family": choose.format("family", "vit", "change"),
        "kind": "document.getElementById('kind').value = 'published'; draw(taken['board-paper'])",
    }
    taken = {name: min(milliseconds(page, action) for _ in range(3)) for name, action in actions.items()}
    assert max(taken.values()) < 200


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
        title = page.locator(f"#columns option[value={name}]").inner_text()
        page.locator("#models caption", has_text=title).wait_for()
        assert models(page), name
    page.get_by_label("Every protocol").check()
    page.get_by_label("Benchmark").select_option("imagenet")
    assert visit.was_quiet()


def test_hostile_names_are_text(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_label("Columns").select_option("default")
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


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.open("index.html")
    page.locator("#models tbody tr").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.locator("#models thead th").nth(1).focus()
    page.keyboard.press("Enter")
    page.locator("#models thead th[aria-sort=ascending]", has_text="Model").wait_for()


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


def test_data_are_scripts_that_a_page_can_read() -> None:
    for name, text in files_of(*HOSTILE).items():
        if name.startswith("data/"):
            said = re.fullmatch(r'take\("([\w-]+)",(.*)\);\n', text, re.DOTALL)
            assert said is not None, name
            assert f"data/{said[1]}.js" == name
            json.loads(said[2])
