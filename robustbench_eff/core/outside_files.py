"""Files from outside of the package: read up to a limit, parsed without repeated keys, and refused in one sentence.

A file that somebody else wrote may be a named pipe that never ends, a device, larger than memory, or nested a million
deep. Readers of JSON, YAML and whole files go through this module; readers that a library opens by path call
`check_file` first.
"""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from .errors import DataError, RobustEvalError, reason

MAX_TEXT_BYTES = 64 * 2**20
"""Largest JSON, YAML or CSV file that is read, in bytes."""
PART_BYTES = 2**24
"""Bytes that are read at a time."""
MAX_YAML_BYTES = 4 * 2**20
"""Largest YAML text that is parsed, in bytes: the parser takes about a second per megabyte."""
MAX_DEPTH = 100
"""Lists and mappings within one another that a JSON or YAML file may have."""
MAX_YAML_VALUES = 100_000
"""Values of a YAML file once every alias is written out."""


def check_file(path: Path, error: type[RobustEvalError] = DataError, *, limit: int | None = None) -> None:
    """Check that a path is a file that ends: not a folder, a named pipe, a socket or a device.

    Args:
        path: The file.
        error: Class of the error to raise.
        limit: Largest size in bytes; None for any.

    Raises:
        RobustEvalError: Of the class `error`, if it does not exist, is no regular file, or is larger.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as failure:  # ValueError: a null byte in the name
        raise error(f"{path} cannot be read: {_cause(failure)}.", "Check the path.") from failure
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{path} is {_kind(status.st_mode)}, not a file.", "Write its content to a file, and pass that.")
    if limit is not None and status.st_size > limit:
        raise _too_large(str(path), status.st_size, limit, error)


def read_bytes(path: Path, error: type[RobustEvalError] = DataError, *, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        error: Class of the error to raise.
        limit: Largest size in bytes.

    Raises:
        RobustEvalError: Of the class `error`, if it cannot be read, is no regular file, or is larger.
    """
    check_file(path, error)
    content = bytearray()
    try:
        with path.open("rb") as file:  # in parts: a reader sets aside as much memory as it is asked to read
            while len(content) <= limit and (part := file.read(PART_BYTES)):
                content += part
    except OSError as failure:
        raise error(f"{path} cannot be read: {_cause(failure)}.") from failure
    if len(content) > limit:  # sizes in /proc are 0, and a file may grow while it is read
        raise _too_large(str(path), len(content), limit, error)
    return bytes(content)


def read_text(path: Path, error: type[RobustEvalError] = DataError, *, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a text in UTF-8, without the mark that some editors write at its beginning.

    Args:
        path: The file.
        error: Class of the error to raise.
        limit: Largest size in bytes.

    Raises:
        RobustEvalError: Of the class `error`, if it cannot be read, is larger, or is not text in UTF-8.
    """
    return as_text(read_bytes(path, error, limit=limit), str(path), error)


def as_text(content: bytes, name: str, error: type[RobustEvalError] = DataError) -> str:
    """Return bytes in UTF-8 as text.

    Args:
        content: The bytes.
        name: Name of the file, for messages.
        error: Class of the error to raise.

    Raises:
        RobustEvalError: Of the class `error`, if it is not text in UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise error(f"{name} is not text in UTF-8: {reason(failure)}.", "Save it as UTF-8.") from failure


def read_json(path: Path, error: type[RobustEvalError] = DataError) -> Any:
    """Return the value that a JSON file holds.

    Args:
        path: The file.
        error: Class of the error to raise.

    Raises:
        RobustEvalError: Of the class `error`, if it cannot be read, is larger than `MAX_TEXT_BYTES`, or is not JSON.
    """
    return parse_json(read_bytes(path, error), str(path), error)


def parse_json(content: bytes | str, name: str, error: type[RobustEvalError] = DataError, hint: str = "") -> Any:
    """Return the value that a JSON text describes.

    Args:
        content: The text.
        name: Name of the file, for messages.
        error: Class of the error to raise.
        hint: What to do next, for messages.

    Raises:
        RobustEvalError: Of the class `error`, if it is not JSON, is nested deeper than `MAX_DEPTH`, or has an object
            that states a key twice.
    """
    text = as_text(content, name, error) if isinstance(content, bytes) else content

    def without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise error(f"{name} states {repeated!r} twice.", hint or "Keep one of the two.")
        return fields

    try:
        value = json.loads(text, object_pairs_hook=without_repetition)
    except RecursionError as failure:
        raise _too_deep(name, error, hint) from failure
    except ValueError as failure:
        raise error(f"{name} is not JSON: {reason(failure)}.", hint) from failure
    _check_size_of(value, name, error, hint, most=None)
    return value


def parse_yaml(text: str, name: str, error: type[RobustEvalError] = DataError, hint: str = "") -> Any:
    """Return the value that a YAML text describes; no tag of it makes an object of Python.

    Args:
        text: The text.
        name: Name of the file, for messages.
        error: Class of the error to raise.
        hint: What to do next, for messages.

    Raises:
        RobustEvalError: Of the class `error`, if it is not YAML, is longer than `MAX_YAML_BYTES`, is nested deeper than
            `MAX_DEPTH`, states a key twice, or its aliases stand for more than `MAX_YAML_VALUES` values.
    """
    if (size := len(text.encode(errors="surrogatepass"))) > MAX_YAML_BYTES:
        raise _too_large(name, size, MAX_YAML_BYTES, error)
    try:
        value = yaml.load(text, Loader=_Loader)
    except RecursionError as failure:
        raise _too_deep(name, error, hint) from failure
    except yaml.YAMLError as failure:
        raise error(f"{name} is not YAML: {failure}", hint) from failure
    except (ValueError, OverflowError) as failure:  # such as the date 2026-02-30
        raise error(f"{name} cannot be read: {reason(failure)}.", hint) from failure
    _check_size_of(value, name, error, hint, most=MAX_YAML_VALUES)
    return value


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain values, which also refuses a key that is stated twice; PyYAML takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping of plain values.

        Args:
            node: The mapping in the text.
            deep: Whether its values are made at once.

        Raises:
            yaml.YAMLError: A key is stated twice, or is not a plain value.
        """
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        for key, count in Counter(keys).items():
            if count > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is stated twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _check_size_of(value: Any, name: str, error: type[RobustEvalError], hint: str, most: int | None) -> None:
    """Raise the error if a value is nested too deep, or holds more than `most` values."""
    level, depth, count = [value], 0, 0
    while containers := [inner for inner in level if isinstance(inner, dict | list)]:
        depth += 1
        level = [inner for outer in containers for inner in (outer.values() if isinstance(outer, dict) else outer)]
        count += len(level)
        if depth > MAX_DEPTH:
            raise _too_deep(name, error, hint)
        if most is not None and count > most:
            raise error(f"{name} holds more than {most:,} values once its aliases are written out.", hint)


def _too_deep(name: str, error: type[RobustEvalError], hint: str) -> RobustEvalError:
    return error(f"{name} has more than {MAX_DEPTH} lists or mappings within one another.", hint)


def _too_large(name: str, size: int, limit: int, error: type[RobustEvalError]) -> RobustEvalError:
    return error(f"{name} has {size / 2**20:,.0f} MiB or more; at most {limit / 2**20:,.0f} MiB are read.")


def _cause(failure: OSError | ValueError) -> str:
    return getattr(failure, "strerror", None) or str(failure)


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
    return next((kind for test, kind in kinds if test(mode)), "a device")
