"""Objects of the user by their place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from robustbench_eff.core.code_origin import BY_USER
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.user_code import load_object

SOURCE = "import helper_of_mine\nclass Mine:\n    value = helper_of_mine.VALUE\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "helper_of_mine.py").write_text("VALUE = 3\n")
    path = tmp_path / "my_code.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(autouse=True)
def python_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "helper_of_mine", raising=False)


def test_a_path_may_be_absolute_relative_or_in_the_home_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("HOME", str(file.parent))
    absolute = load_object(f"{file}:Mine", BY_USER)
    assert absolute.value == 3
    for place in ("./my_code.py:Mine", "my_code.py:Mine", "~/my_code.py:Mine"):
        assert load_object(place, BY_USER) is absolute


def test_a_module_is_found_in_the_working_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert load_object("helper_of_mine:VALUE", BY_USER) == 3
    assert load_object("torch.nn:Linear", BY_USER).__name__ == "Linear"


def test_a_file_is_executed_again_only_after_a_change(file: Path) -> None:
    first = load_object(f"{file}:Mine", BY_USER)
    assert load_object(f"{file}:Mine", BY_USER) is first
    file.write_text(SOURCE + "# changed\n")
    assert load_object(f"{file}:Mine", BY_USER) is not first


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("my_code.py:Mien", "my_code.py does not define 'Mien'.\nDid you mean 'Mine'"),
        ("absent.py:Mine", "absent.py cannot be imported: the file does not exist"),
        ("broken.py:Mine", "broken.py cannot be imported: SyntaxError"),
        ("no_such_module_of_mine:Mine", "cannot be imported: ModuleNotFoundError"),
        ("my_code.py", "does not name an object"),
        ("my_code.py:", "does not name an object"),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_a_reason(
    file: Path, monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    monkeypatch.chdir(file.parent)
    (file.parent / "broken.py").write_text("class (")
    with pytest.raises(UsageError, match=message):
        load_object(place, BY_USER)
