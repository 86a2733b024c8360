"""The text of a component, `pgd(eps=4/255, steps=50)`: parsed from literals and fractions, never evaluated."""

from __future__ import annotations

import ast
import dataclasses
import re
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from .errors import SpecError, did_you_mean

Item = TypeVar("Item")
_FORM = re.compile(r"\s*(?P<name>[A-Za-z0-9_][\w./:-]*)\s*(?:\((?P<arguments>.*)\))?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spec:
    """A name and its keyword arguments, before they are checked against a component."""

    name: str
    arguments: dict[str, Any]


def parse(text: str) -> Spec:
    """Read `name` or `name(key=value, ...)`; a value is a literal, a fraction `a/b`, or a list of them."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise SpecError(f"Cannot read {text!r}.", "Write name(key=value, ...), for example pgd(eps=4/255, steps=50).")
    try:
        call = ast.parse(f"_({form['arguments'] or ''})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(item.arg is None for item in call.keywords):
            raise SpecError(f"{text!r}: arguments are written as key=value.")
        return Spec(form["name"], {str(item.arg): _value(item.value, text) for item in call.keywords})
    except (SyntaxError, UnicodeError, OverflowError, RecursionError, MemoryError) as error:  # the last two of depth
        why = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise SpecError(f"Cannot read the arguments of {text!r}: {why}.") from error


def split(text: str) -> list[str]:
    """Split `fgsm, pgd(eps=4/255, steps=10)` at the commas between components."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def build(kind: type[Item], spec: Spec, **given: Any) -> Item:
    """The dataclass `kind` with the fields of `spec`; SpecError for an unknown field or a wrong type.

    Fields in `given` are no matter of the text.
    """
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind) if field.name not in given]  # type: ignore[arg-type]
    arguments = {}
    for key, value in spec.arguments.items():
        if key not in known:
            hint = did_you_mean(key, known) or f"Fields: {', '.join(known)}."
            raise SpecError(f"{spec.name} has no field {key!r}.", hint)
        arguments[key] = _coerced(value, hints[key], f"{spec.name}({key}=...)")
    return kind(**arguments, **given)


def text_of(name: str, item: Any) -> str:
    """The shortest text that builds `item` again: the first field, and every field that is not its default.

    Fields that `repr` leaves out are no matter of the text.
    """
    fields = [field for field in dataclasses.fields(item) if field.repr]
    shown = [
        f"{field.name}={literal(getattr(item, field.name))}"
        for position, field in enumerate(fields)
        if position == 0 or getattr(item, field.name) != field.default
    ]
    return f"{name}({', '.join(shown)})" if shown else name


def literal(value: Any) -> str:
    """A value as text that reads back equal; floats that are k/255 are written so when that is shorter."""
    if isinstance(value, float):
        steps = round(value * 255) if 0 < value <= 1 else 0
        return min((f"{steps}/255", repr(value)), key=len) if steps and steps / 255 == value else repr(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return repr(value)


def number(text: str) -> float:
    """A plain number or a fraction such as `4/255`."""
    value = parse(f"number(value={text})").arguments["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecError(f"{text!r} is not a number.")
    return float(value)


def _value(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=value) if isinstance(value, (bool, int, float, str, type(None))):
            return value
        case ast.Name(id=word):  # norm=l2 reads as norm='l2', and YAML's words as Python's
            return {"true": True, "false": False, "none": None, "null": None}.get(word, word)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if isinstance(inner := _value(operand, text), (int, float)):
            return -inner
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            above, below = _value(left, text), _value(right, text)
            if isinstance(above, (int, float)) and isinstance(below, (int, float)) and below:
                return above / below
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_value(item, text) for item in items)
        case _:
            pass
    raise SpecError(f"{text!r}: {ast.unparse(node)!r} is neither a literal nor a fraction such as 4/255.")


def _coerced(value: Any, kind: Any, where: str) -> Any:
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    for option in options:
        if get_origin(option) is Literal:
            if value in get_args(option):
                return value
        elif option is float and type(value) is int:
            return float(value)
        elif get_origin(option) is tuple and type(value) is tuple:
            return tuple(_coerced(item, get_args(option)[0], where) for item in value)
        elif type(value) is option:
            return value
    raise SpecError(f"{where} must be {_words(options)}, got {value!r}.")


def _words(options: Iterable[Any]) -> str:
    names = []
    for option in options:
        if get_origin(option) is Literal:
            names += [repr(choice) for choice in get_args(option)]
        else:
            names.append("none" if option is type(None) else getattr(option, "__name__", str(option)))
    return " or ".join(names)
