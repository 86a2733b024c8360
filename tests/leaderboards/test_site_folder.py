"""The static site: how its files are written into a folder, and which files are left alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from robustbench_eff.core.errors import UsageError
from robustbench_eff.leaderboards.file_names import file_names
from robustbench_eff.leaderboards.site.folder import MARK, put
from robustbench_eff.leaderboards.site.write import write_site
from site_entries import CLIMBING, HOSTILE, PNG, SCRIPT, entry


def test_names_of_models_stay_in_the_folder_and_apart() -> None:
    models = [CLIMBING, ".._.._x", "A/b", "a b", "A B", SCRIPT, "", ".hidden", "x" * 300, "con/../../etc/passwd"]
    models += ["a_b", "a_b-c8687a08aa5d", "a_b-C8687A08AA5D", "CON", "con.x", "nul", "Aux"]
    names = file_names(models)
    assert len({name.lower() for name in names.values()}) == len(models)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}", name) for name in names.values())
    assert not {name.lower().partition(".")[0] for name in names.values()} & {"con", "nul", "aux"}
    assert file_names(models[::-1]) == names


def test_ordinary_names_remain() -> None:
    models = ["resnet50.a1_in1k", "console", "ViT-B-16-SigLIP"]
    assert file_names(models) == {name: name for name in models}


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "a" / "site"
    write_site(HOSTILE, out, pictures={CLIMBING: [("digits, pgd", PNG)]})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["site"]
    assert (out / "models" / "_.._x.html").is_file()
    assert (out / "pictures" / "_.._x-1.png").read_bytes() == PNG


def test_only_files_of_an_earlier_site_are_removed(tmp_path: Path) -> None:
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
    with pytest.raises(UsageError, match="holds something that is not a site"):
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


def test_a_foreign_file_is_not_overwritten(tmp_path: Path) -> None:
    write_site([entry("old")], tmp_path)
    (tmp_path / "models" / "new.html").write_text("mine")
    with pytest.raises(UsageError, match=r"new\.html is in the way"):
        write_site([entry("new")], tmp_path)
    assert (tmp_path / "models" / "new.html").read_text() == "mine"


def test_a_list_of_files_outside_of_the_folder_is_an_error(tmp_path: Path) -> None:
    out, precious = tmp_path / "site", tmp_path / "precious"
    precious.write_text("mine")
    write_site([entry("old")], out)
    for name in ("../precious", str(precious)):
        (out / MARK).write_text(f"Written.\n\n{name}\n")
        with pytest.raises(UsageError, match="names files outside"):
            write_site([entry("new")], out)
    assert precious.read_text() == "mine"


def test_an_interrupted_site_still_shows_its_old_numbers_and_can_be_replaced(
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
