"""Beginnings of flags that reports recognise; a flag is a sentence that a reader must know before trusting a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

MASKING_SUSPECTED = "masking suspected: "
"""Followed by the name of the check for gradient masking that puts the number in doubt."""
UNRELIABLE = "potentially unreliable: "
"""Followed by who says that the attack may overestimate the robustness of this model."""
UNRELIABLE_AUTOATTACK = f"{UNRELIABLE}RobustBench warns that AutoAttack may overestimate the robustness of this model"
"""Flag of a number that RobustBench marks as unreliable."""
AT_CHANCE = "not above chance: "
"""Followed by the counts, for a clean accuracy that guessing could give."""
CAUSES_OF_CHANCE = (
    "Usual causes: mean and std of another network, or in units of 0 to 255 (--mean, --std); images of another size "
    "than in training (--input-size, --geometry); classes in another order, or labels from 1 (--class-order)."
)
"""What to check where a clean accuracy is not above chance."""
FAILED = "failed: "
"""Followed by the reason why there is no number."""
PARTIAL = ("incomplete: ", "drawn at random: ")
"""Followed by how many samples of how many a number stands on, where not all are evaluated."""
NOT_FINITE = " is not a finite number"
"""Preceded by what was left out: the value of a score, or an end of its interval."""
NAMES_LISTED = 6
"""Most bearers of a flag that a line names."""
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def suspects_masking(flags: Iterable[str]) -> bool:
    """Return whether a number may be too high because of masked gradients.

    Args:
        flags: Flags of the number.
    """
    return any(flag.startswith(MASKING_SUSPECTED) for flag in flags)


def is_doubted(flags: Iterable[str]) -> bool:
    """Return whether a number may be too high, because of masked gradients or because its source says so.

    Args:
        flags: Flags of the number.
    """
    return any(flag.startswith((MASKING_SUSPECTED, UNRELIABLE)) for flag in flags)


def mark_of(flags: Iterable[str]) -> str:
    """Return what stands behind a number with these flags: † if it may be too high, * for any other flag, or both.

    Args:
        flags: Flags of the number; none give an empty text.
    """
    return "".join(dict.fromkeys("†" if is_doubted([flag]) else "*" for flag in flags))


def flag_lines(bearers: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    """Return one line for every flag in a table: its mark, which numbers have it, and the flag.

    Flags that differ in their counts alone share a line, such as `* fog 1, 2: incomplete: 40 to 60 of 100.`

    Args:
        bearers: The flags of every number, by the name of its row and of its column. A row that is a single number has
            an empty column.
    """
    alike: dict[str, list[tuple[tuple[str, str], str]]] = {}
    for name, flags in bearers.items():
        for flag in flags:
            alike.setdefault(_without_counts(flag), []).append((name, flag))
    lines = []
    for found in alike.values():
        names, flags = list(dict.fromkeys(name for name, _ in found)), [flag for _, flag in found]
        lines.append(f"{mark_of(flags)} {_named(names, bearers)}: {_merged(flags).rstrip('.')}.")
    return lines


def flags_over(flags: Sequence[Iterable[str]], what: str = "cells") -> tuple[str, ...]:
    """Return the flags of a number that is computed from several others: each once, with how many of them have it.

    Flags that differ in their counts alone are one, such as `not_finite: 1 to 3 (in 2 of 75 cells)`.

    Args:
        flags: The flags of each of the others.
        what: What the others are.
    """
    alike: dict[str, dict[int, list[str]]] = {}
    for index, of_one in enumerate(flags):
        for flag in of_one:
            alike.setdefault(_without_counts(flag), {}).setdefault(index, []).append(flag)
    return tuple(
        _merged([flag for of_one in found.values() for flag in of_one])
        + ("" if len(found) == len(flags) else f" (in {len(found)} of {len(flags)} {what})")
        for found in alike.values()
    )


def _without_counts(flag: str) -> str:
    """The flag with a placeholder for every number after its first colon."""
    head, colon, counts = flag.partition(": ")
    return head + colon + _NUMBER.sub("#", counts)


def _named(names: Sequence[tuple[str, str]], bearers: Iterable[tuple[str, str]]) -> str:
    """The numbers that share a flag: all, whole rows by their name, others with their columns."""
    columns: dict[str, list[str]] = {}
    for row, column in bearers:
        columns.setdefault(row, []).append(column)
    if len(names) == sum(map(len, columns.values())):
        return "All"
    found: dict[str, list[str]] = {}
    for row, column in names:
        found.setdefault(row, []).append(column)
    texts = [row if of == columns[row] else f"{row} {', '.join(of)}" for row, of in found.items()]
    more = f" and {len(texts) - NAMES_LISTED} more" if len(texts) > NAMES_LISTED else ""
    return ", ".join(texts[:NAMES_LISTED]) + more


def _merged(flags: Sequence[str]) -> str:
    """Flags that differ in their counts alone as one: where counts differ, the smallest and the largest."""
    head, colon, counts = flags[0].partition(": ")
    of_all = zip(*(_NUMBER.findall(flag.partition(": ")[2]) for flag in flags), strict=True)
    spans = iter([sorted(set(found), key=lambda number: float(number.replace(",", ""))) for found in of_all])

    def spanned(_: re.Match[str]) -> str:
        span = next(spans)
        return span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}"

    return head + colon + _NUMBER.sub(spanned, counts)
