"""The order in which the classes of the user's own images are numbered, where the user says it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import DataError, UsageError, did_you_mean, first_few
from robustbench_eff.core.outside_files import parse_json, read_text

from .labelled_images import NUMBERED_FOLDERS, SORTED_FOLDERS, LabelledImages, plain_labels

ORDERS = ("sorted", "natural", "numeric")
"""Names of the orders: words by code point, as torchvision's ImageFolder and Keras; numbers within words by value and
capitals like small letters, as timm; the number itself as the index."""
_ORDER_FORMATS = (
    "Write one class name per line in the order of the outputs, or JSON: a list of names, an object from names to "
    "numbers from 0, or one from numbers to names."
)
"""Hint that describes the formats of a file for --class-order."""
_MAP_FORMATS = 'Write {"cat": [281, 282], "dog": 151}, or a CSV with a class and its outputs per row.'
"""Hint that describes the formats of a file for --class-map."""
_MAX_DIGITS = 9
"""Digits of the largest output."""
_SHOWN = 5
"""Number of names that a message lists."""


def in_class_order(opened: LabelledImages, order: str) -> LabelledImages:
    """Return the same images with their classes in an order that the user states.

    Source of `natural`: `natural_key` of timm 1.0, timm/data/readers; of `sorted`: `find_classes` of torchvision 0.26.

    Args:
        opened: The images. A source that names its classes may have classes without images, which keep their place.
        order: `sorted`, `natural`, `numeric`, or the path of a file with the class names in the order of the model's
            outputs: one per line; or JSON: a list of names, an object from names to numbers, or one from numbers to
            names, or to lists of names.

    Raises:
        UsageError: The order is unknown, or the file cannot be read or states a name twice.
        DataError: A label is not in the file, or is not a number.
    """
    labels = _as_texts(opened)
    if order == "numeric":
        return _numeric(opened, labels)
    present = sorted(set(opened.class_names) or set(labels))
    if order == "sorted":
        names = tuple(present)
    elif order == "natural":
        names = tuple(sorted(present, key=_natural))
    else:
        names = _names_of_file(order)
        _check_known(opened, labels, names, order, _ORDER_FORMATS)
    words = f"classes in {order} order" if order in ORDERS else f"classes in the order of {Path(order).name}"
    return _numbered(opened, labels, names, words)


def in_class_map(opened: LabelledImages, file: str) -> LabelledImages:
    """Return the same images with the outputs of a model that stand for each of their classes.

    Args:
        opened: The images.
        file: JSON object from class names to an output or a list of outputs; or a CSV with a class and an output per
            row, whose first row may be a heading.

    Raises:
        UsageError: The file cannot be read, or has another form.
        DataError: A label is not in the file.
    """
    outputs = _outputs_of_file(Path(file))
    labels = _as_texts(opened)
    _check_known(opened, labels, tuple(outputs), file, _MAP_FORMATS)
    return replace(_numbered(opened, labels, tuple(outputs), ""), outputs=tuple(outputs.values()))


def other_orders(opened: LabelledImages) -> str:
    """Return a note on the programs that number the same folders in another order; empty where all agree.

    Args:
        opened: The user's own images, in the order of their layout.
    """
    if opened.class_order not in (SORTED_FOLDERS, NUMBERED_FOLDERS):
        return ""
    if opened.class_names:
        number_of = {name: number for number, name in enumerate(opened.class_names)}
    else:
        number_of = {str(label): int(label) for label in opened.labels}
    notes = []
    for order, program, names in (
        ("sorted", "torchvision's ImageFolder", sorted(number_of)),
        ("natural", "timm", sorted(number_of, key=_natural)),
    ):
        if different := [(name, number) for number, name in enumerate(names) if number_of[name] != number]:
            name, number = different[0]
            notes.append(f"{program} gives {name!r} the number {number}, not {number_of[name]} (--class-order {order})")
    if not notes:
        return ""
    return f"{opened.class_order}. A model may have been trained with another order: {'; '.join(notes)}."


def _numbered(
    opened: LabelledImages, labels: Sequence[str | int], names: tuple[str, ...], words: str
) -> LabelledImages:
    """The images with all their labels, then all their textures, replaced, and with the classes in a stated order."""
    count = len(opened)
    textures = None if opened.textures is None else labels[count:]
    return replace(
        opened, labels=labels[:count], textures=textures, class_names=names, class_order=words, order_is_stated=True
    )


def _as_texts(opened: LabelledImages) -> list[str]:
    """Return all labels, then all textures, as texts: names as written, whole numbers without a decimal point."""
    written = [*opened.labels, *(opened.textures or ())]
    if opened.class_names:  # labels may be positions among the names
        return [label.strip() if isinstance(label, str) else opened.class_names[int(label)] for label in written]
    return [
        label.strip() if isinstance(label, str) and "." not in label else str(plain)
        for label, plain in zip(written, plain_labels(opened), strict=True)
    ]


def _numeric(opened: LabelledImages, labels: list[str]) -> LabelledImages:
    if names := [label for label in labels if not label.lstrip("+-").isdecimal()]:
        raise DataError(
            f"{opened.origin}: {names[0]!r} is not a number, so its classes have no numeric order.",
            "Pass --class-order sorted, natural, or a file with the names in the order of the model's outputs.",
        )
    return _numbered(opened, list(map(int, labels)), (), "labels as numbers")


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _names_of_file(order: str) -> tuple[str, ...]:
    path = Path(order)
    if not path.exists():
        known = f"It is one of {', '.join(ORDERS)}, or a file with one class name per line."
        raise UsageError(
            f"--class-order {order!r} is neither an order nor a file.", did_you_mean(order, ORDERS) or known
        )
    text = read_text(path, UsageError)
    names = (
        _listed(parse_json(text, str(path), UsageError), path)
        if _is_json(text)
        else [line.strip() for line in text.splitlines()]
    )
    while names and not names[-1]:
        names.pop()
    if not names or not all(names):
        raise UsageError(f"{path} has an empty line.", "Write one class name per line, in the order of the outputs.")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise UsageError(f"{path} names {twice[0]!r} twice.", "Every class needs a name of its own.")
    return tuple(names)


def _listed(content: Any, path: Path) -> list[str]:
    """The names of a list, of an object from names to numbers, or of one from numbers to names or lists of names."""
    if isinstance(content, dict) and isinstance(content.get("id2label"), dict):  # config.json of Hugging Face
        content = content["id2label"]
    if isinstance(content, dict) and all(str(key).isdecimal() and len(str(key)) <= _MAX_DIGITS for key in content):
        numbered = sorted((int(key), value) for key, value in content.items())
        if [number for number, _ in numbered] != list(range(len(numbered))):
            raise UsageError(
                f"{path} does not number its classes from 0 to {len(content) - 1}, each once.", _ORDER_FORMATS
            )
        return [str(value[0] if isinstance(value, list) and value else value) for _, value in numbered]
    if isinstance(content, dict):
        if sorted(content.values(), key=str) != sorted(range(len(content)), key=str):
            raise UsageError(
                f"{path} does not number its classes from 0 to {len(content) - 1}, each once.", _ORDER_FORMATS
            )
        content = sorted(content, key=content.__getitem__)
    if not isinstance(content, list):
        raise UsageError(f"{path} holds neither a list of names nor an object from names to numbers.")
    return [str(name) for name in content]


def _outputs_of_file(path: Path) -> Mapping[str, tuple[int, ...]]:
    if not path.exists():
        raise UsageError(f"--class-map {path} does not exist.", 'It is a JSON object, such as {"cat": [281, 282]}.')
    text = read_text(path, UsageError)
    rows = list(_rows_of_json(text, path) if _is_json(text) else _rows_of_csv(text, path))
    outputs: dict[str, tuple[int, ...]] = {}
    for name, output in rows:
        digits = str(output).strip()
        if isinstance(output, bool) or not digits.isdecimal() or len(digits) > _MAX_DIGITS:
            shown = repr(output)[:100]
            raise UsageError(f"{path}: {str(name)[:100]!r} has the output {shown}.", "Outputs are numbers from 0.")
        outputs[str(name).strip()] = (*outputs.get(str(name).strip(), ()), int(output))
    used = [output for group in outputs.values() for output in group]
    if shared := sorted(output for output, count in Counter(used).items() if count > 1):
        raise UsageError(f"{path} gives output {shared[0]} to two classes.", "An output can stand for one class only.")
    if len(outputs) < 2:
        raise UsageError(
            f"{path} does not give outputs to two classes or more.",
            _MAP_FORMATS,
        )
    return outputs


def _rows_of_json(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield a class and an output at a time."""
    content = parse_json(text, str(path), UsageError)
    if not isinstance(content, dict):
        raise UsageError(
            f"{path} is a list.", 'Write an object from classes to outputs: {"cat": [281, 282], "dog": 151}.'
        )
    for name, value in content.items():
        for output in value if isinstance(value, list) else [value]:
            yield name, output


def _rows_of_csv(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield a class and an output at a time; a row may have several outputs, and the first may be a heading."""
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(text.splitlines(), delimiter=separator)
    try:
        yield from _rows(rows, path)
    except csv.Error as error:
        raise UsageError(f"{path} cannot be read as CSV: {error}.", "Check its quotation marks.") from error


def _rows(rows: Any, path: Path) -> Iterator[tuple[str, Any]]:
    for row in rows:
        name, *outputs = [cell.strip() for cell in row] or [""]
        if rows.line_num == 1 and outputs and re.fullmatch(r"[A-Za-z_ ]+", outputs[0]):
            continue
        if not any(row):
            continue
        if not name or not any(outputs):
            raise UsageError(f"{path}, line {rows.line_num}: a class and its outputs are needed, got {str(row)[:200]}.")
        for output in filter(None, outputs):
            yield name, output


def _check_known(
    opened: LabelledImages, labels: Iterable[str], names: tuple[str, ...], file: str, formats: str
) -> None:
    if unknown := sorted(set(labels) - set(names)):
        shown = f"It names {', '.join(map(repr, names[:_SHOWN]))}, ..."
        hint = did_you_mean(unknown[0], names) or shown if set(labels) & set(names) else f"{shown} {formats}"
        raise DataError(
            f"{opened.origin} has classes that {file} does not name: {first_few(unknown, _SHOWN)}.",
            hint,
        )


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))
