"""A plugin that cannot be used is named with its package; what does not need it goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli import app
from robustbench_eff.core.errors import RobustEvalWarning, UsageError
from robustbench_eff.core.stops import Stop
from robustbench_eff.registry import metrics, plugins
from robustbench_eff.registry.attacks import ATTACKS
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.registry.readers import READERS

RUN = ["--model", "digits_standard", "--benchmark", "digits", "--limit", "16", "--quiet", "--json"]
ATTACK = """
from dataclasses import dataclass
from robustbench_eff.core.threat import Threat
print("hello from the plugin")

@dataclass(frozen=True)
class Attack:
    eps: float = 0.1
    version, uses, stochastic, max_passes, threat = 1, "logits", False, 1, Threat("linf", 0.1)

    def __call__(self, oracle, images, labels, draws=None):
        return images

@dataclass(frozen=True)
class Refusing(Attack):
    def __post_init__(self):
        raise OSError("no licence")

@dataclass(frozen=True)
class Unreadable(Attack):
    @property
    def max_passes(self):
        raise ZeroDivisionError("division by zero")

class Plain:
    pass

NOTHING, INSTANCE = None, Attack()
"""
BROKEN = {
    "acme/missing": ("acme_nowhere:Attack", "it cannot be imported: ModuleNotFoundError: No module named"),
    "acme/no_attribute": ("acme_good:Gone", "AttributeError: module 'acme_good' has no attribute 'Gone'"),
    "acme/no_colon": ("acme_good", "cannot be imported"),
    "acme/syntax": ("acme_syntax:Attack", "it cannot be imported: SyntaxError"),
    "acme/newer": ("acme_newer:Attack", "ImportError: cannot import name 'Tomorrow' from 'robustbench_eff"),
    "acme/exits": ("acme_exits:Attack", "it cannot be imported: SystemExit: 3"),
    "acme/deep": ("acme_deep:Attack", "it cannot be imported: RecursionError"),
    "acme/interrupts": ("acme_interrupts:Attack", "it cannot be imported: Halt"),
    "acme/none": ("acme_good:NOTHING", "a class is expected, and it is None"),
    "acme/instance": ("acme_good:INSTANCE", "a class is expected, and it is an instance of Attack"),
    "acme/plain": ("acme_good:Plain", "it is the class Plain, and lacks __dataclass_fields__, version, uses"),
    "acme/refusing": ("acme_good:Refusing", "acme/refusing cannot be made: OSError: no licence"),
    "acme/unreadable": ("acme_good:Unreadable", "its max_passes cannot be read: ZeroDivisionError"),
}
MODULES = {
    "acme_good": ATTACK,
    "acme_syntax": "def",
    "acme_newer": "from robustbench_eff.core.types import Tomorrow",
    "acme_exits": "raise SystemExit(3)",
    "acme_deep": "def f(): f()\nf()",
    "acme_interrupts": "class Halt(KeyboardInterrupt): pass\nraise Halt",
}


def install(site: Path, package: str, points: str) -> None:
    """Put the metadata of a package with entry points into a folder."""
    (site / f"{package}-1.0.dist-info").mkdir(parents=True)
    (site / f"{package}-1.0.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    )
    (site / f"{package}-1.0.dist-info" / "entry_points.txt").write_text(points)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the packages `acme` and `other`, all of whose plugins are broken but acme/good."""
    site = tmp_path / "site"
    attacks = {name: path for name, (path, _) in BROKEN.items()} | {"acme/good": "acme_good:Attack"}
    lines = [f"{name} = {path}" for name, path in (attacks | {"acme/twice": "acme_good:Attack"}).items()]
    others = [f"[robustbench_eff.{kind}]\nacme/odd = acme_good:Plain" for kind in ("scores", "readers", "benchmarks")]
    install(site, "acme", "\n".join(["[robustbench_eff.attacks]", *lines, "unnamed = acme_good:Attack", *others]))
    install(site, "other", "[robustbench_eff.attacks]\nacme/twice = acme_good:Attack")
    for module, code in MODULES.items():
        (site / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(site)
    caches = (plugins.plugins, plugins._warn_once, metrics.score_functions, metrics.plugin_metrics)
    for cached in caches:
        cached.cache_clear()
    for module in MODULES:
        sys.modules.pop(module, None)
    yield site
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore:.*unnamed")
def test_an_attack_that_cannot_be_used_is_named_with_its_package(site: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_perturbation(name)
    path, words = BROKEN[name]
    assert words in caught.value.message
    if "cannot be made" not in words:
        assert f"The attack {name!r}, a plugin of acme 1.0 ({path}), cannot be used: " in caught.value.message
        assert caught.value.hint == "Update or uninstall it: pip uninstall acme"


@pytest.mark.filterwarnings("ignore:.*unnamed")
def test_a_name_that_two_packages_have_is_refused(site: Path) -> None:
    with pytest.raises(UsageError, match=r"2 packages have a plugin of this name: acme 1\.0 and other 1\.0"):
        parse_perturbation("acme/twice")


def test_a_name_without_a_vendor_is_left_out(site: Path) -> None:
    with pytest.warns(RobustEvalWarning, match=r"'unnamed', a plugin of acme 1.0 .* must be named vendor/name"):
        assert "unnamed" not in ATTACKS
    assert "acme/good" in ATTACKS


@pytest.mark.filterwarnings("ignore:.*unnamed")
def test_ctrl_c_while_a_plugin_is_imported_stops_the_command(site: Path) -> None:
    (site / "acme_good.py").write_text("from robustbench_eff.core.stops import Stop\nraise Stop(15)")
    with pytest.raises(Stop):
        ATTACKS["acme/good"].load()


def test_a_run_without_them_goes_on_and_what_they_print_is_not_in_the_result(site: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, [*RUN, "--attack", "acme/good", "--store", str(tmp_path / "store")])
    assert answer.exit_code == 0, answer.stderr
    perturbations = {score["perturbation"] for score in json.loads(answer.stdout)["scores"]}
    assert perturbations == {"none", "acme/good(eps=0.1)"}
    assert answer.stderr.count("The score 'acme/odd', a plugin of acme 1.0 (acme_good:Plain), cannot be used") == 1
    assert "hello from the plugin" in answer.stderr


def test_a_run_with_one_of_them_is_refused(site: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, [*RUN, "--attack", "acme/exits", "--store", str(tmp_path / "store")])
    assert answer.exit_code == 2
    assert "The attack 'acme/exits', a plugin of acme 1.0 (acme_exits:Attack), cannot be used" in answer.stderr


@pytest.mark.parametrize("table", ["attacks", "benchmarks", "models", "corruptions", "defenses", "stylisers"])
def test_tables_are_listed(site: Path, table: str) -> None:
    answer = CliRunner().invoke(app, ["list", table])
    assert answer.exit_code == 0, answer.stderr
    if table == "attacks":
        assert "acme/good" in answer.stdout
        assert "2 packages have a plugin of this name" in " ".join(answer.stdout.split())
    if table == "benchmarks":
        assert "The benchmark 'acme/odd', a plugin of acme 1.0" in answer.stderr


@pytest.mark.filterwarnings("ignore:.*unnamed")
def test_own_readers_are_tried_although_one_of_a_plugin_is_broken(site: Path) -> None:
    with pytest.warns(RobustEvalWarning, match="acme/odd.* an instance is expected, and it is the class Plain"):
        assert {name for name, _ in READERS.loaded()} == {*READERS.own}
