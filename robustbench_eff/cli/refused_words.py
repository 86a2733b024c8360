"""Arguments that cannot be meant: an empty one, or an option where the value of another should be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from robustbench_eff.core.errors import UsageError


def refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse an empty argument: an empty path would be the current folder, an empty list all.

    Args:
        arguments: All arguments of a command.

    Raises:
        UsageError: One is empty.
    """
    for before, argument in pairwise(["", *arguments]):
        option, equals, value = argument.partition("=")
        if not argument.strip():
            where = f"The text after {before}" if before.startswith("-") else "An argument"
            raise UsageError(f"{where} is empty.", "Leave it out, or give it a value.")
        if option.startswith("--") and equals and not value.strip():
            raise UsageError(f"The text after {option} is empty.", "Leave it out, or give it a value.")


def refuse_options_as_values(arguments: Sequence[str], group: Any) -> None:
    """Refuse `--out --json`, which would write a file named `--json`.

    Args:
        arguments: All arguments of a command.
        group: The group of commands that gets them, as click describes it.

    Raises:
        UsageError: An option that takes a value is followed by another option.
    """
    command = group
    for argument in arguments:
        command = getattr(command, "commands", {}).get(argument, command)
    takes_value = {name: not getattr(option, "is_flag", False) for option in command.params for name in option.opts}
    for option, value in pairwise(arguments):
        if takes_value.get(option) and option.startswith("--") and value.startswith("--") and value in takes_value:
            raise UsageError(f"{option} has no value: {value}, which follows it, is an option.", "Give it a value.")
