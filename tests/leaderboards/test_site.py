"""The static site: contents of its files."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import vl_convert

from robustbench_eff.core.errors import MissingExtra, UsageError
from robustbench_eff.leaderboards.entry import Check, Entry, Provenance
from robustbench_eff.leaderboards.site import boards, vendored_js
from robustbench_eff.leaderboards.site.write import site_files, write_site
from site_entries import BOLD, HOSTILE, SCRIPT, entry, result


def files_of(*entries: Entry) -> dict[str, str]:
    files = site_files(entries, pictures={})
    return {name: content.decode() for name, content in files if not name.endswith(".png")}


def test_the_same_entries_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_site(HOSTILE, tmp_path / name)
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
            assert not re.search(r"(src|href)=.?(https?:|//|data:)", text), name


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


def test_data_files_are_named_by_content_and_pages_request_their_own() -> None:
    first, second = files_of(entry("m", 0.9)), files_of(entry("m", 0.8))
    data = [name for name in first if name.startswith("data/")]
    assert data and not set(data) & set(second)
    for name in data:
        requested = name.removeprefix("data/").removesuffix(".js")
        assert any(requested in text for other, text in first.items() if other != name), name


def test_an_invalid_layout_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "presets", lambda: ["atacks"])
    with pytest.raises(UsageError, match="Unknown columns 'atacks'"):
        boards.boards([entry("m")])


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
