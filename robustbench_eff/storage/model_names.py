"""Names that users give to models."""

from __future__ import annotations

from robustbench_eff.core.errors import UsageError

LONGEST = 200
"""Number of characters above which a name is refused."""


def check_model_name(name: str) -> None:
    """Raise an error for a name that tables could not show.

    Args:
        name: What a user calls a model.

    Raises:
        UsageError: It is empty, begins or ends with a space, is longer than `LONGEST`, or has a line break or another
            control character.
    """
    if not name or name != name.strip():
        raise UsageError(f"{name!r} is empty, or begins or ends with a space.", "Write a name of one or more words.")
    if len(name) > LONGEST:
        raise UsageError(f"The name {name[:40]!r}… has {len(name)} characters.", f"Use at most {LONGEST}.")
    if not name.isprintable():
        raise UsageError(f"The name {name!r} has a line break or another character that is not shown.", "Leave it out.")
