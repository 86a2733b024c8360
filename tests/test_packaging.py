"""The list of packages in pyproject.toml is what is on the disk."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import robustbench_eff

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WINGS = ("attacks", "corruptions", "defenses", "leaderboards")


def test_every_package_on_disk_is_listed() -> None:
    own = {path.parent.relative_to(ROOT) for path in (ROOT / "robustbench_eff").rglob("__init__.py")}
    wings = {
        "robustbench_eff" / path.parent.relative_to(ROOT) for w in WINGS for path in (ROOT / w).rglob("__init__.py")
    }
    assert {".".join(path.parts) for path in own | wings} == set(PROJECT["tool"]["setuptools"]["packages"])


def test_versions_agree() -> None:
    assert PROJECT["project"]["version"] == robustbench_eff.__version__


def test_every_data_file_is_packaged() -> None:
    globs = PROJECT["tool"]["setuptools"]["package-data"]
    folders = {"robustbench_eff": "robustbench_eff"}
    folders |= {f"robustbench_eff.{wing}": wing for wing in ("defenses", "leaderboards")}
    folders["robustbench_eff.leaderboards.site"] = "leaderboards/site"
    for part in ("report", "view"):
        folders[f"robustbench_eff.publishing.{part}"] = f"robustbench_eff/publishing/{part}"
    for package, folder in folders.items():
        patterns = globs[package]
        for path in (ROOT / folder).rglob("*"):
            plain = path.relative_to(ROOT / folder)
            nearest = max((name for name in folders.values() if path.is_relative_to(ROOT / name)), key=len)
            if path.is_file() and path.suffix not in (".py", ".pyc") and nearest == folder:
                assert any(plain.match(pattern) for pattern in patterns), plain


def test_data_files_are_installed() -> None:
    assert (files("robustbench_eff") / "facts" / "aliases.json").is_file()
    assert (files("robustbench_eff") / "suites" / "quick.yaml").is_file()
    weights = files("robustbench_eff.defenses") / "checkpoints" / "digits_standard.safetensors"
    assert len(weights.read_bytes()) <= 300_000


def test_public_names_resolve() -> None:
    for name in robustbench_eff.__all__:
        assert getattr(robustbench_eff, name) is not None


def test_every_dependency_of_the_tests_is_pinned() -> None:
    project = PROJECT["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["dev"]}
    pins = {pin.split("==")[0] for pin in PROJECT["tool"]["uv"]["constraint-dependencies"]}
    assert {_normalized(name) for name in wanted} - pins == set()


def _normalized(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ]", requirement)[0].lower().replace("_", "-")
