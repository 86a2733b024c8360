"""Every metric that the package computes has a reference here."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from metric_sets import PUBLISHED_ONLY
from robustbench_eff.core.metric import METRICS


def modules() -> Iterator[ModuleType]:
    """The other files of this folder; those that pytest has imported already are not imported again."""
    imported = {getattr(module, "__file__", None): module for module in list(sys.modules.values())}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if str(path) in imported:
            yield imported[str(path)]
        else:
            spec = importlib.util.spec_from_file_location(f"references_{path.stem}", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            yield module


def held(module: ModuleType) -> set[str]:
    """The metrics by which a test of the module is parametrised: the first of its arguments, named `metric`."""
    names: set[str] = set()
    for item in vars(module).values():
        for mark in getattr(item, "pytestmark", ()) if callable(item) else ():
            arguments = mark.args[0] if mark.name == "parametrize" else ""
            if arguments == "metric":
                names |= set(mark.args[1])
            elif not isinstance(arguments, str) and arguments[0] == "metric":
                names |= {row[0] for row in mark.args[1]}
    return names


@cache
def held_by_all() -> set[str]:
    return set().union(*map(held, modules()))


def test_every_computed_metric_has_a_reference() -> None:
    found = held_by_all()
    computed = METRICS.keys() - PUBLISHED_ONLY
    assert computed - found == set(), "add a reference beside this file, parametrised by the name of the metric"
    assert found <= computed, "a reference of a metric that the package does not compute"
    assert METRICS.keys() >= PUBLISHED_ONLY


def test_a_metric_without_a_reference_is_found() -> None:
    with_a_new_one = {*METRICS, "brittleness"} - PUBLISHED_ONLY
    assert with_a_new_one - held_by_all() == {"brittleness"}
