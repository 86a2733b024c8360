"""The static site: what its files say, and how they get into a folder."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from robustbench_eff.cli.serving import server
from robustbench_eff.errors import MissingExtra, UsageError
from robustbench_eff.leaderboards.entry import Check, Entry, Provenance
from robustbench_eff.leaderboards.names import file_names
from robustbench_eff.leaderboards.site import boards, libraries
from robustbench_eff.leaderboards.site import plots as plots_module
from robustbench_eff.leaderboards.site.folder import MARK, put
from robustbench_eff.leaderboards.site.plots import plots
from robustbench_eff.leaderboards.site.write import site_files, write_site
from site_entries import BOLD, CLIMBING, HOSTILE, PNG, SCRIPT, entry, result


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
    models = [CLIMBING, ".._.._x", "A/b", "a b", "A B", SCRIPT, "", ".hidden", "x" * 300, "con/../../etc/passwd"]
    models += ["a_b", "a_b-c8687a08aa5d", "a_b-C8687A08AA5D", "CON", "con.x", "nul", "Aux"]
    names = file_names(models)
    assert len({name.lower() for name in names.values()}) == len(models)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}", name) for name in names.values())
    assert not {name.lower().partition(".")[0] for name in names.values()} & {"con", "nul", "aux"}
    assert file_names(models[::-1]) == names


def test_names_that_are_well_are_kept() -> None:
    models = ["resnet50.a1_in1k", "console", "ViT-B-16-SigLIP"]
    assert file_names(models) == {name: name for name in models}


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
    assert "<td>robust_accuracy %↑ <span class=flag>few steps</span><td>40.00" in text
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
    points = [row[1:3] for row in curves.views[0].models["m"]]
    assert points == [[0.0, 0.9], [round(4 / 255, 6), 0.6], [round(8 / 255, 6), 0.4]]


def test_one_radius_is_no_curve() -> None:
    one = Entry(model="m", measured=(result("none", 0.9), result("pgd(eps=4/255)", 0.5)))
    assert [plot.name for plot in plots([one])] == ["scatter"]


def test_corruptions_that_draw_stand_beside_those_that_do_not() -> None:
    seeds = [result("snow(severity=1)", 0.5, protocol=f"all images · seed {seed}") for seed in (0, 1)]
    (plot,) = plots([Entry(model="m", measured=(result("fog(severity=1)", 0.6), *seeds))])
    assert [[row[0] for row in view.models["m"]] for view in plot.views] == [["fog", "snow"]] * 2
    assert [view.label for view in plot.views] == [f"digits (measured: all images · seed {seed})" for seed in (0, 1)]


def test_the_best_is_the_one_with_the_highest_mean() -> None:
    def of(model: str, *values: float) -> Entry:
        results = (result(f"fog(severity={place})", value) for place, value in enumerate(values, start=1))
        return Entry(model=model, measured=tuple(results))

    (plot,) = plots([of("strong at the end", 0.3, 0.6), of("best", 0.9, 0.5), of("strong at first", 0.8, 0.1)])
    assert list(plot.views[0].models) == ["best", "strong at first", "strong at the end"]


def test_plots_round_to_the_same_percent_as_tables() -> None:
    (plot,) = plots([Entry(model="m", measured=tuple(result(f"fog(severity={k})", 0.60445) for k in (1, 2)))])
    assert f"{plot.views[0].models['m'][0][2]:.1%}" == f"{0.60445:.1%}" == "60.4%"


def test_the_scatter_calls_every_metric_by_its_name() -> None:
    mean = result("imagenet_c", 0.5, metric="mean_accuracy", benchmark="digits-c")
    scatter, *_ = plots([Entry(model="m", measured=(result("none", 0.9), result("pgd(eps=4/255)", 0.4), mean))])
    assert {view.label.partition(" ")[0]: view.measure for view in scatter.views} == {
        "digits,": "robust accuracy",
        "digits-c,": "mean accuracy under corruption",
    }


def test_a_number_that_cannot_be_placed_is_listed_and_takes_nothing_down() -> None:
    odd = [result(f"fog(severity={severity})", 0.5, metric="accuracy") for severity in ("2.0", "4/2", "9", "true")]
    odd += [result(f"pgd(eps={eps})", 0.5) for eps in ("1e999", "9" * 400, f"{'9' * 400}/255", "true", "-1")]
    odd += [result("security_curve(attack='pgd')", 0.5, metric=f"robust_accuracy@{at}") for at in ("foo", "", "1)")]
    files = files_of(Entry(model="m", measured=(result("none", 0.9), *odd)))
    assert all(one.perturbation.replace("'", "&#39;") in files["models/m.html"] for one in odd)


def test_what_an_earlier_site_left_goes_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_site([entry("old")], out, pictures={"old": [("digits, pgd", PNG)]})
    foreign = {".git/HEAD": "ref", "CNAME": "a.host", "models/note.txt": "mine", "data/mine.js": "1"}
    for name, text in foreign.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text)
    write_site([entry("new")], out)
    assert {name: (out / name).read_text() for name in foreign} == foreign
    assert sorted(path.name for path in (out / "models").iterdir()) == ["new.html", "note.txt"]
    assert not (out / "pictures").exists()
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {*foreign, MARK}
    assert written == set((out / MARK).read_text().partition("\n\n")[2].split())


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(UsageError, match="holds something that is no site"):
        write_site([entry("new")], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["models", "data", "index.html", MARK])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    out, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    write_site([entry("old")], out)
    (out / name).rename(elsewhere)
    (out / name).symlink_to(elsewhere)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(UsageError, match=f"{name} is a link"):
        write_site([entry("new")], out)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_file_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    write_site([entry("old")], tmp_path)
    (tmp_path / "models" / "new.html").write_text("mine")
    with pytest.raises(UsageError, match=r"new\.html is in the way"):
        write_site([entry("new")], tmp_path)
    assert (tmp_path / "models" / "new.html").read_text() == "mine"


def test_a_mark_names_no_file_outside_of_the_folder(tmp_path: Path) -> None:
    out, precious = tmp_path / "site", tmp_path / "precious"
    precious.write_text("mine")
    write_site([entry("old")], out)
    for name in ("../precious", str(precious)):
        (out / MARK).write_text(f"Written.\n\n{name}\n")
        with pytest.raises(UsageError, match="names files outside"):
            write_site([entry("new")], out)
    assert precious.read_text() == "mine"


def test_an_interrupted_site_leads_to_its_old_numbers_and_is_replaced_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put({"index.html": b"old", "data/a-1.js": b"1"}, tmp_path)
    replace = Path.replace

    def stopped(path: Path, target: Path) -> Path:
        if target.name == "index.html":
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        put({"index.html": b"new", "data/a-2.js": b"2"}, tmp_path)
    assert (tmp_path / "index.html").read_bytes() == b"old"
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["a-1.js", "a-2.js"]
    monkeypatch.undo()
    put({"index.html": b"newest"}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", MARK]


def test_data_with_other_numbers_have_another_name_and_pages_ask_for_their_own() -> None:
    first, second = files_of(entry("m", 0.9)), files_of(entry("m", 0.8))
    data = [name for name in first if name.startswith("data/")]
    assert data and not set(data) & set(second)
    for name in data:
        asked = name.removeprefix("data/").removesuffix(".js")
        assert any(asked in text for other, text in first.items() if other != name), name


def test_numbers_on_the_heat_map_can_be_read() -> None:
    drawing = json.loads((Path(plots_module.__file__).parent / "drawings" / "corruptions.json").read_text())
    ink = drawing["layer"][1]["encoding"]["color"]
    limit = float(ink["condition"]["test"].removeprefix("datum.accuracy > "))
    for accuracy in np.linspace(0, 1, 1001):
        text = to_rgb(ink["condition"]["value"] if accuracy > limit else ink["value"])
        assert contrast(text, colormaps["viridis"](accuracy)[:3]) >= 4.5, accuracy


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """As WCAG 2 defines it, of two colours in sRGB."""
    bright = sorted(
        np.dot([0.2126, 0.7152, 0.0722], [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour])
        for colour in (first, second)
    )
    return float((bright[1] + 0.05) / (bright[0] + 0.05))


def test_a_broken_set_of_columns_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "presets", lambda: ["atacks"])
    with pytest.raises(UsageError, match="Unknown columns 'atacks'"):
        boards.boards([entry("m")])


def test_licences_are_of_what_is_bundled() -> None:
    files = files_of(entry("m"))
    said = files["static/LICENSES.txt"]
    for name, script, version in (
        ("jquery", "jquery.js", r"jQuery v([\d.]+)"),
        ("datatables.net", "datatables.js", r"DataTables ([\d.]+)"),
    ):
        found = re.search(version, files[f"library/{script}"])
        assert found is not None and f"{name} {found[1]} (MIT)" in said
    assert f"vega {vl_convert.get_vega_version()} (BSD-3-Clause)" in said
    assert f"vega-embed {vl_convert.get_vega_embed_version()} (BSD-3-Clause)" in said
    assert f"vega-lite {vl_convert.get_vegalite_versions()[-1]}." in said
    assert "static/LICENSES.txt" in files["library/vega.js"][:200]


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
