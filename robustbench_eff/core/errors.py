"""What can go wrong, in words a user can act on: what was expected, what came, the next step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


class RobustEvalError(Exception):
    """Base of every error a user can cause; `hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors of other processes come back as they were, whatever their constructors take."""
        return _restored, (type(self), self.message, self.hint), self.__dict__


def _restored(kind: type[RobustEvalError], message: str, hint: str) -> RobustEvalError:
    error = kind.__new__(kind)
    RobustEvalError.__init__(error, message, hint)
    return error


class UsageError(RobustEvalError):
    """An option, a name or an argument that cannot be used as given."""

    exit_code = 2


class SpecError(UsageError):
    """A text such as `pgd(eps=4/255)` that does not name a component or its fields."""


class DataError(UsageError):
    """Images or labels that cannot be read or do not fit the benchmark."""


class SizeError(DataError):
    """An image that must have a size as it is, and has another."""


class ModelError(UsageError):
    """A model or a weights file that cannot be used as a classifier."""


class MissingExtra(UsageError):
    """An optional backend that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed.", f"Install it with: pip install 'robustbench-eff[{extra}]'")


class EntryError(UsageError):
    """A file of a leaderboard that does not say what it must, or says what cannot be."""


class EmptyTable(UsageError):
    """Columns of a leaderboard that no result belongs into."""


class StoreError(RobustEvalError):
    """A store that cannot be read or written."""


class StoreUnavailable(StoreError):
    """A store that cannot be written now; nothing was started."""

    exit_code = 2


class EvaluationError(RobustEvalError):
    """Something that went wrong while samples were being evaluated."""


class TrainingError(RobustEvalError):
    """A training that went wrong and was stopped."""


class Interrupted(RobustEvalError):
    """The user stopped the run; the store can be resumed."""

    exit_code = 130


class RobustEvalWarning(UserWarning):
    """Something a user should know that changes no number."""


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing a plan needs and does not have: what, where it can be had, how to pass it."""

    what: str
    where: str
    how: str
    option: str = "--weights FILE"
    """The option that a file would be given with, where one is enough; only for models."""

    def __str__(self) -> str:
        return f"{self.what}\n    where: {self.where}\n    how:   {self.how}"


class MissingInputs(UsageError):
    """Everything that is missing, listed at once, before any work."""

    def __init__(self, missing: Sequence[Missing], command: str = "") -> None:
        self.missing = tuple(missing)
        things = "thing is" if len(missing) == 1 else "things are"
        listed = "\n".join(f"  {number}. {item}" for number, item in enumerate(missing, 1))
        hint = f"With local files:\n  {command}" if command else ""
        super().__init__(f"{len(missing)} {things} missing; nothing was started:\n{listed}", hint)


def did_you_mean(word: str, known: Iterable[str], *, count: int = 3) -> str:
    """A sentence that names the nearest known words, or the empty string when none is near."""
    near = difflib.get_close_matches(word, list(known), n=count, cutoff=0.5)
    return "Did you mean " + " or ".join(repr(name) for name in near) + "?" if near else ""
