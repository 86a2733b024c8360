"""The text of a component, `pgd(eps=4/255, steps=50)`: parsed from literals and fractions, never evaluated."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from .errors import RobustEvalError, SpecError, did_you_mean, reason

Item = TypeVar("Item")
_USER_FILE = r"(?:[A-Za-z]:)?[^\s(),:='\"]+\.py:\w+"
"""`path/to/file.py:name`, relative, absolute or below `~`."""
MAX_LENGTH = 20_000
"""Characters of the longest text that is read."""
_SHOWN = 200
"""Characters of a text that a message quotes."""
_FORM = re.compile(rf"\s*(?P<name>{_USER_FILE}|[A-Za-z0-9_][\w./:-]*)\s*(?:\((?P<arguments>.*)\))?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spec:
    """A name and its keyword arguments, before they are checked against a component."""

    name: str
    """Name of a row in a table, such as `pgd`, or the place of a class in a user's file."""
    arguments: dict[str, Any]
    """Values by field name: numbers, strings, booleans, None and tuples of them."""


def parse(text: str) -> Spec:
    """Return the name and the arguments of a text; nothing in it is evaluated.

    Args:
        text: `name` or `name(key=value, ...)`, where a value is a literal, a fraction such as `4/255`, or a list of
            them. The name may be `path/to/file.py:name`, without spaces.

    Raises:
        SpecError: The text does not have that form, is longer than `MAX_LENGTH`, or states an argument twice.
    """
    if len(text) > MAX_LENGTH:
        raise SpecError(f"A text of {len(text):,} characters, {text[:_SHOWN]!r} ..., is longer than {MAX_LENGTH:,}.")
    form = _FORM.fullmatch(text)
    if form is None:
        hint = "Write name(key=value, ...), for example pgd(eps=4/255, steps=50)."
        if ".py" in text:
            hint += " The path of a file cannot contain spaces, quotes, brackets, commas or '='."
        raise SpecError(f"Cannot read {text!r}.", hint)
    try:
        call = ast.parse(f"_({form['arguments'] or ''})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(item.arg is None for item in call.keywords):
            raise SpecError(f"{text!r}: arguments are written as key=value.")
        names = [item.arg for item in call.keywords]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise SpecError(f"{text!r} states {repeated[0]!r} twice.", "Keep one of the two.")
        return Spec(form["name"], {str(item.arg): _value(item.value, text) for item in call.keywords})
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:  # ValueError: a null byte
        why = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise SpecError(f"Cannot read the arguments of {text!r}: {why}.") from error


def split(text: str) -> list[str]:
    """Return the texts of several components.

    Args:
        text: Texts separated by commas, such as `fgsm, pgd(eps=4/255, steps=10)`.
    """
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def build(kind: type[Item], spec: Spec, **given: Any) -> Item:
    """Return a component with the fields of a spec.

    Args:
        kind: Dataclass of the component.
        spec: Name, for messages, and fields.
        **given: Further fields, which a text cannot set.

    Raises:
        SpecError: The dataclass does not have a field, a value has the wrong type, or the dataclass refuses it.
    """
    with _refusals(spec.name):
        hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind) if field.name not in given]  # type: ignore[arg-type]
    arguments = {}
    for key, value in spec.arguments.items():
        if key not in known:
            hint = did_you_mean(key, known) or f"Fields: {', '.join(known)}."
            raise SpecError(f"{spec.name} does not have a field {key!r}.", hint)
        arguments[key] = _coerced(value, hints[key], f"{spec.name}({key}=...)")
    with _refusals(spec.name):
        return kind(**arguments, **given)


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn what a component raises while it is made into SpecError; it may be that of a plugin or of the user."""
    try:
        yield
    except RobustEvalError:
        raise
    except Exception as error:
        message = f"{name} cannot be made: {reason(error)}"
        raise SpecError(message, "Set ROBUST_EVAL_TRACEBACK=1 to see where.") from error


def required_fields(kind: Any) -> list[str]:
    """Return the fields of a dataclass that a text must give a value.

    Args:
        kind: The dataclass.
    """
    missing = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    return [item.name for item in fields if item.init and item.default is missing and item.default_factory is missing]


def text_of(name: str, item: Any) -> str:
    """Return the canonical text of a component: its first field, and every field that differs from its default.

    Fields with `repr=False` are left out.

    Args:
        name: Name of the component.
        item: The component, a dataclass instance.
    """
    fields = [field for field in dataclasses.fields(item) if field.repr]
    shown = [
        f"{field.name}={literal(getattr(item, field.name))}"
        for position, field in enumerate(fields)
        if position == 0 or getattr(item, field.name) != field.default
    ]
    return f"{name}({', '.join(shown)})" if shown else name


def literal(value: Any) -> str:
    """Return a value as text from which `parse` reads an equal value.

    Args:
        value: Number, string, boolean, None, or a list of them; a float k/255 is written so if that is shorter.
    """
    if isinstance(value, float):
        steps = round(value * 255) if 0 < value <= 1 else 0
        return min((f"{steps}/255", repr(value)), key=len) if steps and steps / 255 == value else repr(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return repr(value)


def number(text: str) -> float:
    """Return a number from its text.

    Args:
        text: A number or a fraction such as `4/255`.

    Raises:
        SpecError: The text is neither.
    """
    value = parse(f"number(value={text})").arguments["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecError(f"{text!r} is not a number.")
    return _as_float(value, repr(text))


def _value(node: ast.expr, text: str) -> Any:
    """The value of a literal, a fraction or a list of them; SpecError, which quotes the text, for anything else."""
    match node:
        case ast.Constant(value=float(value)) if math.isinf(value):
            raise SpecError(f"{text!r}: a number is too large.", "The largest is 1.8e308.")
        case ast.Constant(value=value) if isinstance(value, (bool, int, float, str, type(None))):
            return value
        case ast.Name(id=word):  # norm=l2 means norm='l2'; YAML's constants mean Python's
            return {"true": True, "false": False, "none": None, "null": None}.get(word, word)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if isinstance(inner := _value(operand, text), (int, float)):
            return -inner
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            numerator, denominator = _value(left, text), _value(right, text)
            if isinstance(numerator, (int, float)) and isinstance(denominator, (int, float)) and denominator:
                return numerator / denominator
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_value(item, text) for item in items)
        case _:
            pass
    raise SpecError(f"{text!r}: {ast.unparse(node)!r} is neither a literal nor a fraction such as 4/255.")


def _coerced(value: Any, kind: Any, where: str) -> Any:
    """The value as the type of a field; SpecError, which names the field as `where`, if it does not fit."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    for option in options:
        if get_origin(option) is Literal:
            if value in get_args(option):
                return value
        elif option is float and type(value) is int:
            return _as_float(value, where)
        elif get_origin(option) is tuple and type(value) is tuple:
            return tuple(_coerced(item, get_args(option)[0], where) for item in value)
        elif type(value) is option:
            return value
    raise SpecError(f"{where} must be {_alternatives(options)}, got {value!r}.")


def _as_float(value: int | float, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise SpecError(f"{where} is too large a number.", "The largest is 1.8e308.") from error


def _alternatives(options: Iterable[Any]) -> str:
    names = []
    for option in options:
        if get_origin(option) is Literal:
            names += [repr(choice) for choice in get_args(option)]
        else:
            names.append("none" if option is type(None) else getattr(option, "__name__", str(option)))
    return " or ".join(names)
