"""Files from outside: what is read, and what is refused in one sentence."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from robustbench_eff.core.errors import DataError, StoreError
from robustbench_eff.core.outside_files import (
    MAX_DEPTH,
    check_file,
    parse_json,
    parse_yaml,
    read_bytes,
    read_json,
    read_text,
)


def test_what_never_ends_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    places = (("pipe", "a named pipe"), ("socket", "a socket"), ("/dev/zero", "a device"), (".", "a folder"))
    for place, kind in places:
        with pytest.raises(DataError, match=f"is {kind}, not a file"):
            read_bytes(tmp_path / place)


def test_missing_files_and_names_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        check_file(tmp_path / "absent", StoreError)
    with pytest.raises(DataError, match="null"):
        check_file(Path("a\0b"))


def test_a_limit_holds_where_the_size_is_not_known_before(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(11))
    with pytest.raises(DataError, match="at most"):
        read_bytes(tmp_path / "large", limit=10)
    with pytest.raises(DataError, match="at most"):
        check_file(tmp_path / "large", limit=10)
    with pytest.raises(DataError, match="at most"):
        read_bytes(Path("/proc/self/smaps"), limit=10)  # its stated size is 0


def test_text_is_utf_8_with_or_without_a_mark(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbf\xce\xb5")
    assert read_text(tmp_path / "text") == "ε"
    (tmp_path / "text").write_bytes(b"\xff")
    with pytest.raises(DataError, match="not text in UTF-8"):
        read_text(tmp_path / "text")


def test_json(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('{"a": [1, 2]}')
    assert read_json(tmp_path / "file.json") == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "within one another"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "within one another"),
        ('{"eps": 4, "eps": 8}', "'eps' twice"),
        ("1" * 5000, "not JSON"),
    ],
)
def test_json_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_json(text, "file.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 2026-02-30", "day"),
        ("[" * 1000, "YAML|within"),
        ("[" * 100_000, "within"),
        ("a: 1\nb: 2\na: 3", "'a' is stated twice"),
        ("a: !!python/object/apply:os.system [true]", "not YAML"),
        ("a: &a [" + "x, " * 99 + "x]\nb: &b [" + "*a, " * 99 + "*a]\nc: [" + "*b, " * 99 + "*b]", "values"),
        ("a: &a [*a]", "within one another"),
        ("? [1]\n: 2", "not YAML"),
    ],
)
def test_yaml_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_yaml(text, "suite.yaml")


def test_yaml_with_an_alias_is_read() -> None:
    assert parse_yaml("a: &a [1]\nb: *a", "suite.yaml") == {"a": [1], "b": [1]}
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, x: 2}", "suite.yaml") == {"a": {"x": 1}, "b": {"x": 2}}
