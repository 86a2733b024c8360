"""Where the user keeps each benchmark: `--data NAME=PATH`, an environment variable, or a config file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from robustbench_eff.core.errors import UsageError

from .benchmark import Benchmark

CONFIG = "robust-eval.yaml"


def variable(name: str) -> str:
    """The environment variable of a benchmark."""
    return "ROBUST_EVAL_DATA_" + "".join(letter if letter.isalnum() else "_" for letter in name.upper())


def from_options(options: Iterable[str]) -> dict[str, str]:
    """`NAME=PATH` texts as a mapping; UsageError for another form."""
    found = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not (equals and name and path):
            raise UsageError(f"--data takes NAME=PATH, got {option!r}.", "For example --data imagenet=/data/val.")
        found[name] = path
    return found


def location(name: str, options: Mapping[str, str]) -> str | None:
    """Path or hub id of a benchmark; the option wins over the variable, the variable over the config file."""
    found = options.get(name) or os.environ.get(variable(name)) or from_config().get(name)
    return found if found is None or found.startswith("hf:") else str(Path(found).expanduser())


def place(benchmark: Benchmark, options: Mapping[str, str]) -> str | None:
    """Where a benchmark's images are: its own, or those of the benchmark that it is made from."""
    own, base = location(benchmark.name, options), benchmark.made_from
    return own if own is not None or base is None else location(base, options)


def from_config() -> dict[str, str]:
    """The `data:` mapping of `robust-eval.yaml` here, or of the user's config folder; {} without one."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "robustbench_eff" / "config.yaml"
    for path in (Path(CONFIG), home):
        if path.is_file():
            try:
                data = (yaml.safe_load(path.read_text()) or {}).get("data", {})
            except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
                raise UsageError(f"{path} is not a YAML mapping: {error}") from error
            if not isinstance(data, dict):
                raise UsageError(f"{path}: data must map benchmark names to paths.")
            return {str(key): str(value) for key, value in data.items()}
    return {}
