"""Corruptions and frame sequences by their texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError, did_you_mean

from .corruptions import CORRUPTIONS
from .perturbation_sets import PERTURBATION_SETS, PUBLISHED_ONLY
from .sequences import SEQUENCES

if TYPE_CHECKING:
    from robustbench_eff.core.types import FrameGenerator, ImageCorruption


def parse_corruption(text: str) -> ImageCorruption:
    """Return the corruption that a text describes.

    Args:
        text: Name and fields, such as `fog(severity=3)`.

    Raises:
        SpecError: The name is not in the table, or a field is unknown or has a wrong value.
    """
    parsed = spec.parse(text)
    if parsed.arguments.get("constants") in PUBLISHED_ONLY:
        return _published_only(parsed)
    if parsed.name not in CORRUPTIONS:
        refuse_set(parsed)
        known = [*CORRUPTIONS, *PERTURBATION_SETS]
        hint = published_only(parsed) or did_you_mean(parsed.name, known) or f"Known: {', '.join(known)}."
        raise SpecError(f"Unknown corruption {parsed.name!r}.", hint)
    from robustbench_eff.corruptions import Corruption

    kernel = replace(CORRUPTIONS[parsed.name].load(), name=parsed.name)  # a plugin's kernel may have another name
    return spec.build(Corruption, parsed, kernel=kernel)


def parse_sequence(text: str) -> FrameGenerator:
    """Return the frame sequence that a text describes.

    Args:
        text: Name and fields, such as `tilt_sequence(difficulty=2)`.

    Raises:
        SpecError: The name is not in the table, or a field is unknown or has a wrong value.
    """
    from robustbench_eff.corruptions.sequence import FrameSequence

    parsed = spec.parse(text)
    kernel = replace(SEQUENCES.find(parsed.name).load(), name=parsed.name)
    return spec.build(FrameSequence, parsed, kernel=kernel)


def published_only(parsed: spec.Spec) -> str:
    """Return how to write a corruption that is only read from published files; empty for any other name.

    Args:
        parsed: Name and fields of a corruption.
    """
    possible = [constants for constants, of in PUBLISHED_ONLY.items() if parsed.name in of]
    if not possible:
        return ""
    first, *others = possible
    text = text_with_constants(spec.Spec(parsed.name, {"severity": 1} | parsed.arguments), first)
    or_others = f", or with the constants {', '.join(map(repr, others))}" if others else ""
    return f"It is read from published files; write {text}{or_others}."


def text_with_constants(parsed: spec.Spec, constants: str) -> str:
    """Return the text of a corruption or sequence with other constants.

    Args:
        parsed: Its name and fields.
        constants: Name of the constants.
    """
    arguments = parsed.arguments | {"constants": constants}
    return f"{parsed.name}({', '.join(f'{key}={spec.literal(value)}' for key, value in arguments.items())})"


def refuse_set(parsed: spec.Spec) -> None:
    """Refuse the name of a set where one perturbation is expected.

    Args:
        parsed: Name and fields.

    Raises:
        SpecError: The name is that of a set.
    """
    if parsed.name not in PERTURBATION_SETS:
        return
    members = PERTURBATION_SETS[parsed.name]
    stands_for = f"{parsed.name} stands for {len(members)} perturbations"
    if parsed.arguments:
        raise SpecError(f"{stands_for} and takes no fields.", f"Write {parsed.name}, or one of them: {members[0]}.")
    raise SpecError(f"{stands_for}, and one is expected here.", f"Write one of them, such as {members[0]}.")


def _published_only(parsed: spec.Spec) -> ImageCorruption:
    from robustbench_eff.benchmarks.layouts.passthrough import PublishedCorruption

    constants = parsed.arguments["constants"]
    known = PUBLISHED_ONLY[constants]
    if parsed.name not in known:
        hint = did_you_mean(parsed.name, known) or f"Known: {', '.join(known)}."
        raise SpecError(f"The set with the constants of {constants!r} does not have {parsed.name!r}.", hint)
    return spec.build(PublishedCorruption, parsed, name=parsed.name)
