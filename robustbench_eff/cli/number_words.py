"""Options that take several numbers, written as several words: `--mean 0.485 0.456 0.406` becomes one value."""

from __future__ import annotations

import re
from collections.abc import Sequence

OPTIONS = ("--mean", "--std")
_NUMBER = re.compile(r"[(\[]?[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(/\d+\.?\d*)?[)\]]?,?|[()\[\],]", re.IGNORECASE)
"""A number or a fraction, with what may stand around it in a list."""


def numbers_joined(arguments: Sequence[str]) -> list[str]:
    """Return the words of a command in which the numbers that follow an option are one word.

    Words are joined only if each of them is a number, so that a name or a path that follows stays what it is.

    Args:
        arguments: Words of the command.
    """
    joined: list[str] = []
    ahead = list(arguments)
    while ahead:
        word = ahead.pop(0)
        joined.append(word)
        if word == "--":
            return [*joined, *ahead]
        option, equals, value = word.partition("=")
        if option not in OPTIONS:
            continue
        numbers = [value] if equals else []
        if equals and not _NUMBER.fullmatch(value):
            continue
        while ahead and _NUMBER.fullmatch(ahead[0]):
            numbers.append(ahead.pop(0))
        if equals:
            joined[-1] = f"{option}={' '.join(numbers)}"
        elif numbers:
            joined.append(" ".join(numbers))
    return joined
