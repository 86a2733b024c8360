"""Errors that a user can act on: each says what was expected, what came, and the next step."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


class RobustEvalError(Exception):
    """Base of every error that a user can cause."""

    exit_code = 1
    """Exit status of the command line."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Make an error.

        Args:
            message: What was expected and what came, as a sentence.
            hint: What to do next; empty if unknown.
        """
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message, and the hint on a line of its own."""
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling, so that errors of other processes arrive unchanged whatever their constructors take."""
        return _restore, (type(self), self.message, self.hint), self.__dict__


def _restore(kind: type[RobustEvalError], message: str, hint: str) -> RobustEvalError:
    error = kind.__new__(kind)
    RobustEvalError.__init__(error, message, hint)
    return error


class UsageError(RobustEvalError):
    """An option, a name or an argument that cannot be used as given."""

    exit_code = 2


class SpecError(UsageError):
    """A text such as `pgd(eps=4/255)` that does not describe a component."""


class DataError(UsageError):
    """Images or labels that cannot be read or do not fit the benchmark."""


class SizeError(DataError):
    """An image of another size than required, where resizing is not allowed."""


class ModelError(UsageError):
    """A model or a weights file that cannot be used as a classifier."""


class DownloadError(UsageError):
    """A file that cannot be downloaded, or is not the one that was asked for."""


class MissingExtra(UsageError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """Make an error.

        Args:
            package: Name of the missing package.
            extra: Extra of this package that installs it.
        """
        super().__init__(f"{package} is not installed.", f"Install it with: pip install 'robustbench-eff[{extra}]'")


class EntryError(UsageError):
    """A leaderboard entry that lacks required values or contains impossible ones."""


class EmptyTable(UsageError):
    """A leaderboard layout that no result matches."""


class StoreError(RobustEvalError):
    """A store that cannot be read or written."""


class StoreUnavailable(StoreError):
    """A store that cannot be written at the moment; no work was started."""

    exit_code = 2


class EvaluationError(RobustEvalError):
    """A failure during the evaluation of samples."""


class NotMet(RobustEvalError):
    """A number that does not reach what the user requires of it."""

    exit_code = 3


class TrainingError(RobustEvalError):
    """A training that failed and was stopped."""


class Interrupted(RobustEvalError):
    """A signal stopped the run; the store can be resumed."""

    def __init__(self, message: str, hint: str = "", number: int = 2) -> None:
        """Make an error.

        Args:
            message: What was expected and what came, as a sentence.
            hint: What to do next; empty if unknown.
            number: Number of the signal, 2 for Ctrl-C; the exit code is 128 more.
        """
        super().__init__(message, hint)
        self.exit_code = 128 + number


class RobustEvalWarning(UserWarning):
    """Something that a user should know but that changes no results."""


@dataclass(frozen=True, slots=True)
class Missing:
    """One input that a run needs and does not have."""

    what: str
    """What is missing, and why, such as `weights of alexnet (the download host cannot be reached)`."""
    where: str
    """Where it is available: a URL or a place."""
    how: str
    """How to pass it: an option or a command."""
    option: str = "--weights FILE"
    """Option that takes the file, for models; empty if a file alone is not enough."""

    def __str__(self) -> str:
        """Return three lines: what, where and how."""
        return f"{self.what}\n    where: {self.where}\n    how:   {self.how}"


class MissingInputs(UsageError):
    """All missing inputs of a run, listed at once before any work starts."""

    def __init__(self, missing: Sequence[Missing], command: str = "") -> None:
        """Make an error.

        Args:
            missing: The missing inputs, at least one.
            command: The same command with local files in place of what is missing; empty if there is none.
        """
        self.missing = tuple(missing)
        things = "thing is" if len(missing) == 1 else "things are"
        listed = "\n".join(f"  {number}. {item}" for number, item in enumerate(missing, 1))
        hint = f"With local files:\n  {command}" if command else ""
        super().__init__(f"{len(missing)} {things} missing; nothing was started:\n{listed}", hint)


def did_you_mean(word: str, known: Iterable[str], *, count: int = 3) -> str:
    """Return a question that offers the known names closest to a word, or the empty string if none is close.

    Args:
        word: Name that is not known.
        known: Names that are.
        count: Maximum number of names to offer.
    """
    near = closest(word, known, count=count)
    return "Did you mean " + " or ".join(map(repr, near)) + "?" if near else ""


def closest(word: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """Return the known names closest to a word, the closest first; empty if none is close.

    A name is close if one of the two begins with the other or is a part of it, as `blur` of `gaussian_blur`, or if few
    letters differ: one in four, at least one. Upper case and separators do not count.

    Args:
        word: Name that is not known.
        known: Names that are.
        count: Maximum number of names to return.
    """
    if len(word) > _LONGEST_NAME:
        return []
    letters = {name: _letters(name) for name in known if len(name) <= _LONGEST_NAME}
    plain = _letters(word)
    same = [name for name in letters if letters[name] == plain]
    close = same or [name for name in letters if _shares_a_part(word, name) or _is_close(plain, letters[name])]
    ranked = sorted(close, key=lambda name: difflib.SequenceMatcher(None, plain, letters[name]).ratio(), reverse=True)
    return ranked[:count]


def first_few(names: Sequence[str], count: int) -> str:
    """Return the first names, each in quotation marks, and how many more there are.

    Args:
        names: All names.
        count: Maximum number of names to show.
    """
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(map(repr, names[:count])) + more


def misspelled(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a word most likely is: other capitals or separators, a letter missing, or two swapped.

    Args:
        word: Name that is not known.
        known: Names that are.
    """
    plain = _letters(word)
    for name in known if len(word) <= _LONGEST_NAME else ():
        letters = _letters(name)
        rearranged = sorted(plain) == sorted(letters) or len(plain) < len(letters)
        if plain == letters or (rearranged and _edits(plain, letters) == 1):
            return name
    return None


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _shares_a_part(word: str, name: str) -> bool:
    """Whether one is a part of the other between separators."""
    parts, others = (re.findall(r"[^\W_]+", text.casefold()) for text in (word, name))
    shorter, longer = sorted((parts, others), key=len)
    return len(shorter) == 1 and len(shorter[0]) >= _SHORTEST_BEGINNING and shorter[0] in longer


def _is_close(word: str, name: str) -> bool:
    shorter, longer = sorted((word, name), key=len)
    if len(shorter) >= _SHORTEST_BEGINNING and longer.startswith(shorter):
        return True
    allowed = max(1, len(shorter) // 4)
    return len(longer) - len(shorter) <= allowed and _edits(word, name) <= allowed


def _edits(word: str, name: str) -> int:
    """Number of letters to insert, delete, replace or swap with their neighbour that make one word of the other."""
    before: list[int] = []
    last = list(range(len(name) + 1))
    for row, letter in enumerate(word, 1):
        current = [row]
        for column, other in enumerate(name, 1):
            edits = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and (letter, word[row - 2]) == (name[column - 2], other):
                edits = min(edits, before[column - 2] + 1)
            current.append(edits)
        before, last = last, current
    return last[-1]


_LONGEST_NAME = 200
"""Number of letters of the longest name that is compared: the work grows with the square."""
_SHORTEST_BEGINNING = 3
"""Number of letters from which on the beginning of a name stands for the name."""


def reason(error: BaseException) -> str:
    """Return the type and the message of an error in one line, of TorchScript's long ones the last.

    Args:
        error: Any exception.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    line = "" if not lines else lines[-1] if "Traceback" in str(error) else lines[0]
    name = type(error).__name__
    return f"{name}: {line.removeprefix(f'{name}: ')}"


def in_one_line(error: BaseException, length: int = 400) -> str:
    """Return the beginning of a message that may have many lines, in one.

    Args:
        error: Any exception.
        length: Number of letters to keep.
    """
    text = " ".join(str(error).split())
    return text if len(text) <= length else f"{text[:length]}…"
