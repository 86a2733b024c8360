"""The static site: contents of its files."""

from __future__ import annotations

import json
import math
import posixpath
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from robustbench_eff.core.errors import MissingExtra, UsageError
from robustbench_eff.leaderboards.about import About
from robustbench_eff.leaderboards.entry import Check, Entry, Provenance
from robustbench_eff.leaderboards.published import entries, select
from robustbench_eff.leaderboards.site import boards, vendored_js
from robustbench_eff.leaderboards.site.models import short_names, shown_models
from robustbench_eff.leaderboards.site.write import site_files, write_site
from site_entries import BOLD, HOSTILE, SCRIPT, entry, result


def files_of(*entries: Entry) -> dict[str, str]:
    files = site_files(entries, pictures={})
    return {name: content.decode() for name, content in files if not name.endswith(".png")}


def test_the_same_entries_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_site(HOSTILE, tmp_path / name, own=("10", SCRIPT))
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "first", tmp_path / "second")
    )
    assert first == second


def test_texts_of_an_entry_are_never_markup() -> None:
    for name, text in files_of(*HOSTILE).items():
        if name.endswith(".html"):
            assert SCRIPT not in text, name
            assert BOLD not in text, name
            assert not re.search(r"<script(?! (defer )?src=)", text), name


def test_every_page_forbids_scripts_from_outside_the_folder() -> None:
    for name, text in files_of(*HOSTILE).items():
        if name.endswith(".html"):
            assert "default-src 'none'; script-src 'self';" in text, name
            assert not re.search(r"src=.?(https?:|//|data:)", text), name
            assert not re.search(r"<(?!a )[^>]*href=.?(https?:|//|data:)", text), name


def test_a_models_page_gives_the_origin_of_its_numbers() -> None:
    provenance = Provenance(
        source="timm:x", weights="ab12", preprocessing="224 crop", versions={"torch": "2"}, hardware={"gpu": "none"}
    )
    checks = (Check(benchmark="digits", check="more steps", finding="suspect", evidence="fell by 3 %"),)
    text = files_of(entry("m", provenance=provenance, checks=checks))["models/m.html"]
    for text_part in ("ab12", "224 crop", "fell by 3 %", "suspect", "few steps", "Protocol: all images.", "line 3"):
        assert text_part in text, text_part
    assert "90.00 <i>88.00–92.00</i>" in text
    assert "<td>robust_accuracy %↑ <span class=flag>few steps</span><td>40.00" in text
    assert "<th scope=row>fog<td>80.00 <i>78.00–82.00</i><td>70.00 <i>68.00–72.00</i><td><td><td>" in text


def test_a_number_with_an_invalid_severity_or_radius_is_only_listed() -> None:
    odd = [result(f"fog(severity={severity})", 0.5, metric="accuracy") for severity in ("2.0", "4/2", "9", "true")]
    odd += [result(f"pgd(eps={eps})", 0.5) for eps in ("1e999", "9" * 400, f"{'9' * 400}/255", "true", "-1")]
    odd += [result("security_curve(attack='pgd')", 0.5, metric=f"robust_accuracy@{at}") for at in ("foo", "", "1)")]
    files = files_of(Entry(model="m", measured=(result("none", 0.9), *odd)))
    assert all(item.perturbation.replace("'", "&#39;") in files["models/m.html"] for item in odd)


def test_a_title_is_never_markup() -> None:
    files = dict(site_files([entry("m")], title=f"</script></title>{SCRIPT}", pictures={}))
    for name, content in files.items():
        if name.endswith(".html"):
            assert SCRIPT not in content.decode() and content.decode().count("</title>") == 1, name


def test_own_models_are_the_first_on_the_first_page_and_in_the_search() -> None:
    files = own_site("b", entries=[entry("a", 0.99), entry("b", 0.5, about=About(name="B's own"))])
    names = next(text for name, text in files.items() if name.startswith("data/models-"))
    assert [row[:4] for row in taken(names)] == [["B's own", "b", "b", 1], ["a", "a", "a", 0]]
    (row,) = taken(next(text for name, text in files.items() if name.startswith("data/board-own-")))["rows"]
    assert row[:2] == ["B's own", "b"]
    assert files["index.html"].index("models/b.html") < files["index.html"].index("attacks.html")


def test_without_own_models_there_is_no_table_of_them() -> None:
    files = own_site(entries=[entry("a")])
    assert "own.html" not in files and "Own models" not in files["index.html"]


def test_own_models_stand_above_robustbenchs_and_share_no_column_with_them() -> None:
    clean, attack = result("none", 0.8, benchmark="cifar10"), result("autoattack(eps=8/255)", 0.5, benchmark="cifar10")
    pgd = result("pgd(eps=8/255)", 0.4, benchmark="cifar10")
    own = [Entry(model="ours", measured=(clean, attack)), Entry(model="pgd alone", measured=(clean, pgd))]
    clean_alone = Entry(model="clean alone", measured=(clean,))
    theirs = entries(select(models=("rb_cifar10_linf_wu*",)))
    files = own_site("ours", "pgd alone", "clean alone", entries=[*own, clean_alone, *theirs])
    board = taken(next(text for name, text in files.items() if name.startswith("data/board-robustbench-cifar10-linf")))
    assert {row[1] for row in board["rows"] if row[3]} == {"ours", "pgd alone"}
    numbers = {row[1]: {figure[0] for figure in row[-1]} for row in board["rows"]}
    kinds = {name: {board["columns"][place]["kind"] for place in places} for name, places in numbers.items()}
    assert kinds.pop("ours") == kinds.pop("pgd alone") == {"measured"}
    assert len(kinds) > 1 and all(of_model == {"published"} for of_model in kinds.values())


def test_models_that_share_a_name_are_told_apart() -> None:
    both = [entry(model, about=About(name="Wu2020Do")) for model in ("one", "two")]
    files = own_site(entries=both)
    names = taken(next(text for name, text in files.items() if name.startswith("data/models-")))
    assert [row[0] for row in names] == ["Wu2020Do (one)", "Wu2020Do (two)"]
    assert "<h1>Wu2020Do (two)</h1>" in files["models/two.html"]


def test_a_models_page_has_its_ranks() -> None:
    files = own_site(entries=[entry("strong", 0.9), entry("weak", 0.5)])
    assert '1 of 2 in <a href="../attacks.html">Attacks</a>' in files["models/strong.html"]
    assert '2 of 2 in <a href="../attacks.html">Attacks</a>' in files["models/weak.html"]


def test_a_name_of_a_threat_model_ends_in_it_only_where_it_has_to() -> None:
    names = [f"Wu2020Do (cifar10, {threat})" for threat in ("Linf", "L2")]
    one, two = (shown_models([entry(name, about=About(name=name))], ())[name] for name in names)
    assert short_names([one]) == {names[0]: "Wu2020Do"}
    assert short_names([one, two]) == {name: name for name in names}


def test_an_own_model_without_a_clean_number_and_infinite_distances_are_shown() -> None:
    distance = result("fmn", 1.0, metric="median_distance", unit="number").model_copy(
        update={"value": math.inf, "low": 0.1, "high": math.inf, "searched_to": 0.5}
    )
    attacked = Entry(model="x" * 60, measured=(result("pgd(eps=4/255)", 0.4), distance))
    files = own_site("x" * 60, entries=[attacked])
    assert "x" * 60 in files["own.html"] or "x" * 60 in files["index.html"]
    assert "0.5" in files[f"models/{'x' * 60}.html"]
    only_corruptions = Entry(
        model="m", measured=(result("imagenet_c", 0.4, metric="mean_accuracy", benchmark="digits-c"),)
    )
    assert "models/m.html" in own_site("m", entries=[only_corruptions])["index.html"]


def test_pages_lead_to_pages_of_the_site() -> None:
    files = own_site("m", "10", entries=[entry("m", family="resnet"), *HOSTILE])
    for name, text in files.items():
        for target in re.findall(r'href="([^"#:]+)', text) if name.endswith(".html") else ():
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) in files, (name, target)
        if name.startswith("data/plot-"):
            assert {f"models/{model[1]}.html" for model in taken(text)["models"]} <= files.keys()
        if name.startswith("data/board-"):
            assert {f"models/{row[2]}.html" for row in taken(text)["rows"]} <= files.keys()


def own_site(*own: str, entries: Sequence[Entry]) -> dict[str, str]:
    files = site_files(entries, pictures={}, own=own)
    return {name: content.decode() for name, content in files if not name.endswith(".png")}


def taken(script: str) -> Any:
    """What a file in data/ hands to a page."""
    return json.loads(script.partition(",")[2].removesuffix(");\n"))


def test_data_files_are_named_by_content_and_pages_request_their_own() -> None:
    first, second = files_of(entry("m", 0.9)), files_of(entry("m", 0.8))
    data = [name for name in first if name.startswith(("data/board-", "data/plot-"))]
    assert data and not set(data) & set(second)
    for name in data:
        requested = name.removeprefix("data/").removesuffix(".js")
        assert any(requested in text for other, text in first.items() if other != name), name


def test_an_invalid_layout_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "presets", lambda: ["atacks"])
    with pytest.raises(UsageError, match="Unknown columns 'atacks'"):
        boards.boards(shown_models([entry("m")], ()))


def test_licences_match_the_bundled_versions() -> None:
    files = files_of(entry("m"))
    licenses = files["static/LICENSES.txt"]
    for name, script, version in (
        ("jquery", "jquery.js", r"jQuery v([\d.]+)"),
        ("datatables.net", "datatables.js", r"DataTables ([\d.]+)"),
    ):
        match = re.search(version, files[f"library/{script}"])
        assert match is not None and f"{name} {match[1]} (MIT)" in licenses
    assert f"vega {vl_convert.get_vega_version()} (BSD-3-Clause)" in licenses
    assert f"vega-embed {vl_convert.get_vega_embed_version()} (BSD-3-Clause)" in licenses
    assert f"vega-lite {vl_convert.get_vegalite_versions()[-1]}." in licenses
    assert "static/LICENSES.txt" in files["library/vega.js"][:200]


def test_a_missing_library_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendored_js, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"great_tables is not installed"):
        vendored_js.table_library()
    vendored_js.plot_library.cache_clear()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingExtra, match=r"robustbench-eff\[site\]"):
        vendored_js.plot_library()
