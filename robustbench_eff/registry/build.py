"""From a text to a corruption, sequence, styliser or defense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError, did_you_mean

from .corruptions import CORRUPTIONS
from .defenses import DEFENSES
from .perturbation_sets import PERTURBATION_SETS
from .sequences import SEQUENCES
from .stylisers import STYLISERS
from .table import Row

if TYPE_CHECKING:
    from robustbench_eff.core.types import FrameGenerator, ImageCorruption
    from robustbench_eff.corruptions.stylise import Styliser
    from robustbench_eff.defenses.recipe import Recipe
from .build_attack import attack_text
from .perturbation_text import kind


def corruption(text: str, jpeg_quality: int | None = None) -> ImageCorruption:
    """The corruption that `text` describes, saved as JPEG files where a quality is given; SpecError as `attack`."""
    parsed = spec.parse(text)
    if parsed.name not in CORRUPTIONS:
        hint = (
            did_you_mean(parsed.name, [*CORRUPTIONS, *PERTURBATION_SETS])
            or f"Known: {', '.join([*CORRUPTIONS, *PERTURBATION_SETS])}."
        )
        raise SpecError(f"Unknown corruption {parsed.name!r}.", hint)
    from robustbench_eff.corruptions import Corruption, JpegSaved

    made = spec.build(Corruption, parsed, kernel=CORRUPTIONS[parsed.name].load())
    return made if jpeg_quality is None else JpegSaved(made, jpeg_quality)


def styliser(text: str) -> Styliser:
    """The styliser that `text` describes; SpecError for an unknown name or field."""
    made: Styliser = _built("styliser", STYLISERS, text)
    return made


def defense(text: str) -> Recipe:
    """The training recipe that `text` describes; SpecError for an unknown name or field."""
    made: Recipe = _built("defense", DEFENSES, text)
    return made


def defense_text(recipe: str | Recipe) -> str:
    """Return the canonical spec text of a recipe.

    Args:
        recipe: A spec text, or a recipe; the class of the latter need not be in the table of defenses.

    Raises:
        SpecError: The text has an unknown name or field.
    """
    if isinstance(recipe, str):
        return spec.text_of(spec.parse(recipe).name, defense(recipe))
    return spec.text_of(DEFENSES.name_of(recipe), recipe)


def sequence(text: str) -> FrameGenerator:
    """The sequence of frames that `text` describes; SpecError as `attack`."""
    from robustbench_eff.corruptions.sequence import FrameSequence

    parsed = spec.parse(text)
    return spec.build(FrameSequence, parsed, kernel=SEQUENCES[parsed.name].load())


def perturbation_text(text: str) -> str:
    """The canonical spec text of an attack, a corruption or a sequence."""
    match kind(text):
        case "attack":
            return attack_text(text)
        case "corruption":
            return spec.text_of(spec.parse(text).name, corruption(text))
        case "sequence":
            return spec.text_of(spec.parse(text).name, sequence(text))


def _built(kind: str, rows: Mapping[str, Row], text: str) -> Any:
    """What a row of a table gives with the fields of `text`."""
    parsed = spec.parse(text)
    if parsed.name not in rows:
        hint = did_you_mean(parsed.name, rows) or f"Known: {', '.join(rows)}."
        raise SpecError(f"Unknown {kind} {parsed.name!r}.", hint)
    return spec.build(rows[parsed.name].load(), parsed)
