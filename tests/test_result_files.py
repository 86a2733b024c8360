"""What stood under the name of a result stays until the new content is complete; no writer leaves a part behind."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.core import result_file
from robustbench_eff.core.disk import atomic_write, replacing, reporting_os_errors
from robustbench_eff.core.errors import StoreError, UsageError
from robustbench_eff.core.result_file import refuse_to_overwrite, write_result
from robustbench_eff.defenses.training_state import Checkpoint, save
from robustbench_eff.reports import csv_file
from robustbench_eff.reports.png_file import write_png

STORE = str(Path(__file__).parent / "golden" / "store-format-4")
WEIGHTS = str(Path(__file__).parents[1] / "defenses" / "checkpoints" / "digits_standard.safetensors")
OLD = b"what stood here before"
LIMIT = 64
"""Bytes after which a file can grow no more: the rest of the content of each of these results does not fit."""


@contextmanager
def full_disk() -> Iterator[None]:
    """Let every write of this process fail in its middle, as on a full disk.

    Python would not notice that the compiled module of a first import ends there, and every later process would fail.
    """
    earlier, compiled = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, earlier[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
        sys.dont_write_bytecode = compiled


def parts(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.part")]


COMMANDS = {
    "build.md": ["leaderboard", "build", STORE, "--out"],
    "build.tex": ["leaderboard", "build", STORE, "--out"],
    "build.csv": ["leaderboard", "build", STORE, "--out"],
    "build.json": ["leaderboard", "build", STORE, "--out"],
    "build.html": ["leaderboard", "build", STORE, "--out"],
    "audit.md": ["leaderboard", "audit", STORE, "--out"],
    "audit.csv": ["leaderboard", "audit", STORE, "--out"],
    "report.html": ["report", STORE, "--out"],
    "classes.csv": ["score", STORE, "--by-class"],
    "confusion.csv": ["score", STORE, "--confusion"],
    "heat-map.png": ["score", STORE, "--heat-map"],
    "junit.xml": ["score", STORE, "--require", "value(accuracy) >= 0", "--junit"],
    "summary.md": ["score", STORE, "--summary"],
    "weights.safetensors": ["convert", "digits_standard", WEIGHTS, "--out"],
}
"""Commands that write one file, by the name of the file; its place follows."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    out.write_bytes(OLD)
    with full_disk():
        answer = CliRunner().invoke(app, [*COMMANDS[name], str(out)])
    assert answer.exit_code == 2, answer.output
    assert f"{name} cannot be written: File too large." in " ".join(answer.output.split())
    assert (out.read_bytes(), parts(tmp_path)) == (OLD, [])
    answer = CliRunner().invoke(app, [*COMMANDS[name], str(out)])
    assert answer.exit_code == 0, answer.output
    assert len(out.read_bytes()) > LIMIT, "the content would have fitted, and the test shown nothing"


WRITERS: dict[str, Callable[[Path], None]] = {
    "rows.csv": lambda path: csv_file.write([{"a": number} for number in range(LIMIT)], ["a"], path),
    "sheet.png": lambda path: write_png(Image.effect_noise((20, 20), 9), path),
    "state.pt": lambda path: save(
        path, Checkpoint(step=1, module={"a": torch.ones(99)}, optimizer={}, rates={}, average=None, history=[])
    ),
    "entry.json": lambda path: atomic_write(path, b"x" * 99),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_replaces_a_file_or_leaves_it(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    out.write_bytes(OLD)
    with full_disk(), pytest.raises((UsageError, StoreError, OSError), match=r"[Ff]ile too large"):
        WRITERS[name](out)
    assert (out.read_bytes(), parts(tmp_path)) == (OLD, [])
    WRITERS[name](out)
    assert len(out.read_bytes()) > LIMIT and not parts(tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_called_so(code: int) -> None:
    with (
        pytest.raises(UsageError, match=r"a\.csv cannot be written: .*\nFree some space"),
        reporting_os_errors(Path("a.csv")),
    ):
        raise OSError(code, os.strerror(code))


def test_an_interruption_leaves_the_earlier_file(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    out.write_bytes(OLD)
    with pytest.raises(KeyboardInterrupt), replacing(out) as file:
        file.write(b"half of the new")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["table.md"] and out.read_bytes() == OLD


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link, chain = tmp_path / "there" / "table.md", tmp_path / "link.md", tmp_path / "chain.md"
    link.symlink_to("there/table.md")
    chain.symlink_to(link)
    for content in (b"into nothing", b"into a file"):
        write_result(chain, content)
        assert link.is_symlink() and chain.is_symlink() and target.read_bytes() == content
    assert not list((tmp_path / "there").glob(".*"))
    link.unlink()
    link.symlink_to("link.md")
    with pytest.raises(UsageError, match="Too many levels of symbolic links"):
        write_result(link, b"")


def test_permissions_stay_and_a_new_file_has_the_usual_ones(tmp_path: Path) -> None:
    secret, shared, new = tmp_path / "secret", tmp_path / "shared", tmp_path / "new"
    for path, mode in ((secret, 0o600), (shared, 0o664)):
        path.touch()
        path.chmod(mode)
    earlier = os.umask(0o027)
    try:
        for path in (secret, shared, new):
            write_result(path, b"x")
    finally:
        os.umask(earlier)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (secret, shared, new)] == [0o600, 0o664, 0o640]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator gives files away")
def test_the_owner_stays(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    out.touch()
    os.chown(out, 12345, 54321)
    write_result(out, b"x")
    assert (out.stat().st_uid, out.stat().st_gid, out.read_bytes()) == (12345, 54321, b"x")


@pytest.mark.parametrize("content", [b"short", b"longer than what stood here before"])
def test_a_folder_that_takes_no_new_file_keeps_its_writable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    out = tmp_path / "table.md"
    out.write_bytes(OLD)
    identity = out.stat().st_ino
    monkeypatch.setattr(result_file, "_replace", refused)
    write_result(out, content)
    assert (out.read_bytes(), out.stat().st_ino) == (content, identity)
    with full_disk(), pytest.raises(UsageError, match="cannot be written: File too large"):
        write_result(out, content * LIMIT)
    assert out.read_bytes() == content, "nothing is touched before its space is reserved"
    with pytest.raises(UsageError, match=r"new\.md cannot be written: Permission denied"):
        write_result(tmp_path / "new.md", content)


def test_a_file_without_permission_to_write_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "table.md"
    out.write_bytes(OLD)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the administrator may write everything
    with pytest.raises(UsageError, match=r"table\.md cannot be written: Permission denied"):
        write_result(out, b"x")
    assert out.read_bytes() == OLD


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "cannot be written: Is a directory"),
        ("no/table.md", r"no is not a folder.\nCreate the folder first."),
        ("file/table.md", "cannot be written: Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_places_that_cannot_be_written(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=sentence):
        write_result(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_longest_name_is_written(tmp_path: Path) -> None:
    out = tmp_path / ("é" * 126 + ".md")
    write_result(out, b"x")
    assert out.read_bytes() == b"x"


def test_a_pipe_takes_the_content_and_stays(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_result(pipe, b"table")
    reader.join(20)
    assert read == [b"table"] and stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("stdout", ["file", "pipe"])
def test_stdout_gets_the_content_behind_what_was_printed(tmp_path: Path, stdout: str) -> None:
    script = "from pathlib import Path; from robustbench_eff.core.result_file import write_result as write\n"
    script += "print('before'); write(Path('/dev/stdout'), b'table\\n'); print('after')"
    if stdout == "pipe":
        said = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout
    else:
        with (tmp_path / "log").open("wb") as file:
            subprocess.run([sys.executable, "-c", script], stdout=file, check=True)
        said = (tmp_path / "log").read_bytes()
    assert said == b"before\ntable\nafter\n"


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    folder, file, link = tmp_path / "entries", tmp_path / "entries" / "m.json", tmp_path / "link"
    folder.mkdir()
    file.touch()
    link.symlink_to(file)
    for out in (file, link, folder, folder / "new.json"):
        with pytest.raises(UsageError, match="is among the files that this command uses"):
            refuse_to_overwrite(out, [None, "s3://bucket/store", folder, file])
    refuse_to_overwrite(folder / "table.md", [folder, file, None])
    refuse_to_overwrite(None, [folder])


@pytest.mark.parametrize(
    "words",
    [
        "leaderboard build IN.json --out IN.json",
        "leaderboard audit IN.json --out IN.json",
        "leaderboard build FOLDER --out FOLDER/table.json",
        "report STORE --out STORE/store.json",
        "score STORE --trials IN.csv --by-class IN.csv",
        "score STORE --by-class IN.csv --confusion IN.csv",
        "compare a b --store STORE --flips x.png --pictures x.png",
        "corrupt --sheet IN.png --out IN.png",
        "corrupt --sheet IN.png --style STYLE.png --out STYLE.png",
        "corrupt --data mine=FOLDER --out FOLDER",
        "conflict --data mine=FOLDER --out FOLDER",
        "convert digits_standard IN.safetensors --out IN.safetensors",
    ],
)
def test_a_command_does_not_write_over_what_it_reads(tmp_path: Path, words: str) -> None:
    names = {name: str(tmp_path / name) for name in ("IN", "STYLE", "FOLDER")} | {"STORE": STORE}
    (tmp_path / "FOLDER").mkdir()
    for name in ("IN.json", "IN.csv", "IN.png", "STYLE.png", "IN.safetensors"):
        (tmp_path / name).write_bytes(OLD)
    for name, place in names.items():
        words = words.replace(name, place)
    answer = CliRunner().invoke(app, words.split())
    assert answer.exit_code == 2
    assert "is among the files that this command uses. Write to another place." in " ".join(answer.output.split())
    assert all(path.read_bytes() == OLD for path in tmp_path.iterdir() if path.is_file())
