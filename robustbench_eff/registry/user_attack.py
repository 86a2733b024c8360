"""The user's own attack: loaded from a file or a module, and checked before anything is computed."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, cast, get_args

from robustbench_eff.core import spec
from robustbench_eff.core.code_origin import CodeOrigin
from robustbench_eff.core.errors import RobustEvalError, SpecError, UsageError
from robustbench_eff.core.types import Attack, AttackUses
from robustbench_eff.core.user_code import load_object

ATTRIBUTES = ("version", "threat", "uses", "stochastic", "max_passes")
"""Attributes that every attack has besides its fields."""


def load_attack(parsed: spec.Spec, origin: CodeOrigin) -> Attack:
    """Return an attack of the user's own class.

    Args:
        parsed: Name `path/to/file.py:CLASS` or `package.module:CLASS`, and values of the class's fields.
        origin: Who names the class.

    Raises:
        SpecError: The class is not a dataclass, a field is unknown, lacks a value or has a wrong one, or the class
            refuses the values.
        UsageError: The class cannot be loaded, a file names it and is not trusted, or it is not an attack; see
            `check_attack`.
    """
    kind = load_object(parsed.name, origin)
    if not inspect.isclass(kind) or not dataclasses.is_dataclass(kind):
        raise SpecError(
            f"{parsed.name} is not a dataclass.", "Write an attack as a class with @dataclass(frozen=True)."
        )
    required = spec.required_fields(kind)
    if lacking := [name for name in required if name not in parsed.arguments]:
        raise SpecError(
            f"{parsed.name} needs a value for {', '.join(lacking)}.",
            f"Write {parsed.name}({', '.join(f'{name}=...' for name in required)}), or give the field a default.",
        )
    try:
        attack = spec.build(kind, parsed)
    except RobustEvalError:
        raise
    except Exception as error:
        raise SpecError(f"{parsed.name} cannot be built: {type(error).__name__}: {error}") from error
    check_attack(parsed.name, attack)
    return cast(Attack, attack)


def check_attack(name: str, value: Any) -> None:
    """Check that an object is an attack: a frozen dataclass with the attributes of `Attack` that can be called.

    Args:
        name: The object as the user wrote it, for messages.
        value: Any object.

    Raises:
        SpecError: The threat model of the attack does not exist, such as a radius of 8 in units of [0, 1] pixels.
        UsageError: The object is a class, lacks an attribute, cannot be called, is not a frozen dataclass, or names an
            unknown use of the model.
    """
    if inspect.isclass(value):
        raise UsageError(f"{name} is a class; an attack is an instance of one.", "Pass an instance of the class.")
    if lacking := [attribute for attribute in ATTRIBUTES if not hasattr(value, attribute)]:
        raise UsageError(
            f"{name} is not an attack: it lacks {', '.join(lacking)}.",
            "See robustbench_eff.core.types.Attack, and test the class with robustbench_eff.testing.ATTACK_CHECKS.",
        )
    if not callable(value):
        raise UsageError(
            f"{name} is not an attack: it cannot be called.",
            "Define __call__(self, classifier, images, labels, draws=None).",
        )
    parameters = getattr(value, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        raise UsageError(f"{name} is not a frozen dataclass.", "Decorate the class with @dataclass(frozen=True).")
    uses = get_args(AttackUses)
    if value.uses not in uses:
        raise UsageError(f"uses of {name} must be one of {', '.join(map(repr, uses))}, got {value.uses!r}.")
