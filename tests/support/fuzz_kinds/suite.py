"""Suites in YAML."""

from __future__ import annotations

from importlib.resources import files

from fuzzing import text_file
from robustbench_eff.core.outside_files import read_text
from robustbench_eff.registry.suite import Suite

_SHIPPED = [
    file.read_bytes() for file in (files("robustbench_eff") / "suites").iterdir() if file.name.endswith(".yaml")
]

KIND = text_file("suite.yaml", _SHIPPED, lambda path: Suite.parse(read_text(path), str(path)))
