"""Where the images of each benchmark are: `--data NAME=PATH`, an environment variable, or a config file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_files import parse_yaml, read_text

from .benchmark import Benchmark

CONFIG = "robust-eval.yaml"


def variable(name: str) -> str:
    """Return the environment variable with the location of a benchmark.

    Letters and digits stay, in upper case. The slash of a plugin's `vendor/name` becomes two underscores, so that it
    differs from `vendor-name`; every other character becomes one.

    Args:
        name: Name of the benchmark.
    """
    letters = (letter if letter.isalnum() else "_" for letter in name.upper().replace("/", "__"))
    return "ROBUST_EVAL_DATA_" + "".join(letters)


def from_options(options: Iterable[str]) -> dict[str, str]:
    """Return the location of each benchmark that `--data` names.

    Args:
        options: Texts of the form `NAME=PATH`.

    Raises:
        UsageError: A text has another form.
    """
    locations = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not (equals and name and path):
            raise UsageError(f"--data takes NAME=PATH, got {option!r}.", "For example --data imagenet=/data/val.")
        locations[name] = path
    return locations


def location(name: str, options: Mapping[str, str]) -> str | None:
    """Return the path or hub id of a benchmark, or None where the user gave none.

    An option wins over the environment variable, and the variable over the config file.

    Args:
        name: Name of the benchmark.
        options: Locations by name, from `--data`.

    Raises:
        UsageError: The config file cannot be read.
    """
    configured = options.get(name) or os.environ.get(variable(name)) or from_config().get(name)
    return configured if configured is None or configured.startswith("hf:") else str(Path(configured).expanduser())


def place(benchmark: Benchmark, options: Mapping[str, str]) -> str | None:
    """Return the location of a benchmark's images: its own, or that of the benchmark that it is made from.

    Args:
        benchmark: The benchmark.
        options: Locations by name, from `--data`.

    Raises:
        UsageError: The config file cannot be read.
    """
    own, base = location(benchmark.name, options), benchmark.made_from
    return own if own is not None or base is None else location(base, options)


def from_config() -> dict[str, str]:
    """Return the `data:` mapping of the config file; empty where no file exists.

    The file is `robust-eval.yaml` in the working directory, or else `robustbench_eff/config.yaml` in the user's
    config folder.

    Raises:
        UsageError: The file is not YAML, or `data` is not a mapping.
    """
    for path in _config_files():
        if _is_file(path):
            content = parse_yaml(read_text(path, UsageError), str(path), UsageError)
            if not isinstance(content, dict | None):
                raise UsageError(f"{path} is not a YAML mapping.")
            data = (content or {}).get("data", {})
            if not isinstance(data, dict) or not all(isinstance(place, str) and place for place in data.values()):
                raise UsageError(f"{path}: data must map benchmark names to paths.")
            return {str(key): place for key, place in data.items()}
    return {}


def _config_files() -> Iterator[Path]:
    yield Path(CONFIG)
    with suppress(RuntimeError):  # a user without a home folder has no file there
        yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "robustbench_eff" / "config.yaml"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError as error:
        hint = "Set XDG_CONFIG_HOME or HOME to a folder of yours."
        raise UsageError(f"{path} cannot be read: {error.strerror}.", hint) from error
