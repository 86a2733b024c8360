"""Every table as a terminal of 80 columns shows it, compared with a stored copy; wider ones say the same numbers.

python tests/golden/test_tables.py        # writes the copies again; read the difference before it is committed
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

from entry_stores import STORES, attacked, clean, first_of, write  # noqa: E402
from robustbench_eff.cli.main import app  # noqa: E402

WIDTHS = (80, 100, 120, 200)
NUMBER = re.compile(r"\[[^\]\n]*\d\]|(?<![\w.\[/])[-−+]?\d[\d.,]*\d|(?<![\w.\[/])\d(?![\w/])")
"""An interval, or a number outside of one."""
RICH = tuple(int(part) for part in version("rich").split(".")[:2])
STYLE = re.compile(r"\x1b\[[\d;]*m")
"""What switches colors and bold letters on a terminal, which `FORCE_COLOR` makes of any output."""


def compared(place: Path) -> Path:
    """Three models that differ, on two attacks."""
    parts = []
    for model, right, robust in (("standard", 46, 9), ("adversarially trained", 38, 27), ("smooth", 40, 30)):
        named, is_right = {"model": model, "model_digest": model}, first_of(50, right)
        parts += [
            clean(is_right, **named),
            attacked("fgsm(eps=8/255)", is_right, first_of(50, robust), 8 / 255, **named),
            attacked("pgd(eps=8/255)", is_right, first_of(50, robust - 5), 8 / 255, **named),
        ]
    return write(place, parts)


SCENES: dict[str, tuple[Callable[[Path], Path] | None, tuple[str, ...]]] = {
    **{
        f"score, {name}": ((lambda place, name=name: write(place, STORES[name])), ("score", "STORE")) for name in STORES
    },
    "compare two": (compared, ("compare", "standard", "smooth", "--store", "STORE")),
    "compare three": (compared, ("compare", "standard", "adversarially trained", "smooth", "--store", "STORE")),
    "store list": (compared, ("store", "list", "STORE")),
    "leaderboard build": (compared, ("leaderboard", "build", "STORE", "--no-published")),
    "leaderboard build, transposed": (compared, ("leaderboard", "build", "STORE", "--no-published", "--transpose")),
    "list models": (None, ("list", "models", "digits_s*")),
    "list robustbench": (None, ("list", "models", "robustbench:cifar10/corruptions/*")),
    "list attacks": (None, ("list", "attacks")),
    "list suites": (None, ("list", "suites")),
}
"""How a store is made, and the command that shows it."""


def shown(scene: str, place: Path, width: int) -> str:
    """What a command prints on a terminal of a width, without the place of the store."""
    make, words = SCENES[scene]
    if make is not None and not place.exists():
        make(place)
    words = tuple(str(place) if word == "STORE" else word for word in words)
    found = CliRunner().invoke(app, list(words), env={"COLUMNS": str(width), "FORCE_COLOR": "1"})
    assert found.exit_code == 0, found.output
    plain = STYLE.sub("", found.stdout).replace(str(place), "STORE")
    return "".join(f"{line.rstrip()}\n" for line in plain.splitlines())


def copy_of(scene: str) -> Path:
    return HERE / "tables" / f"{scene}.txt"


@pytest.mark.skipif(RICH < (14, 3), reason="earlier versions of Rich give some columns two more spaces")
@pytest.mark.parametrize("scene", SCENES)
def test_a_table_at_80_columns_is_the_stored_one(scene: str, tmp_path: Path) -> None:
    assert shown(scene, tmp_path / "store", 80) == copy_of(scene).read_text()


@pytest.mark.parametrize("scene", SCENES)
def test_no_width_cuts_a_number_or_exceeds_the_terminal(scene: str, tmp_path: Path) -> None:
    texts = {width: shown(scene, tmp_path / "store", width) for width in WIDTHS}
    numbers = set(NUMBER.findall(texts[200]))
    for width, text in texts.items():
        lost = [number for number in numbers if number not in text]
        assert [number for number in lost if "/" not in number] == [], f"{width} columns"
        broken = [line for line in text.splitlines() if len(line) > width and " " in line.strip()]
        assert broken == []


if __name__ == "__main__":
    for name in SCENES:
        with tempfile.TemporaryDirectory() as folder:
            copy_of(name).write_text(shown(name, Path(folder) / "store", 80))
