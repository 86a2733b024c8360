"""Sheets that show one photograph under corruptions, or in the style of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_files import read_bytes
from robustbench_eff.registry import build_styliser
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.perturbation_sets import constants_for
from robustbench_eff.registry.stylisers import WITHOUT_WEIGHTS

from .corrupted_files import generated_corruptions


def sheet(photograph: Path, corruptions: Sequence[str]) -> Image.Image:
    """Return a contact sheet of a photograph under corruptions at all severities.

    Args:
        photograph: An image file.
        corruptions: Spec texts of corruptions, whose severities are ignored, or names of sets of them; where a text
            leaves the constants open, those for the size of the sheet's photographs.

    Raises:
        UsageError: The file cannot be read, or the corruptions are none, cannot be generated, or have several sets of
            constants.
        DataError: The file is not an image.
        SpecError: A corruption is unknown.
    """
    from robustbench_eff.corruptions.contact_sheet import SIDE, contact_sheet

    generated = generated_corruptions(corruptions, constants_for(SIDE, SIDE))
    first, *others = sorted({corruption.configuration["constants"] for corruption in generated.values()})
    if others:
        raise UsageError(
            f"A sheet has one set of constants, got {' and '.join([first, *others])}.", "Draw a sheet for each."
        )
    kernels = {name: CORRUPTIONS[name].load() for name in (spec.parse(text).name for text in generated)}
    return contact_sheet(_picture(photograph), kernels, first)


def style_sheet(photograph: Path, style: Path, stylisers: Sequence[str] = ()) -> Image.Image:
    """Return a contact sheet of a photograph in the style of another image.

    Args:
        photograph: An image file.
        style: The image file whose style is transferred.
        stylisers: Spec texts of stylisers; empty for all that need no weights.

    Raises:
        UsageError: A file cannot be read.
        SpecError: A styliser is unknown.
        DataError: A file is not an image, or the weights of a styliser are missing.
    """
    from robustbench_eff.corruptions import contact_sheet as sheets

    built = {text: build_styliser.styliser(text) for text in stylisers or WITHOUT_WEIGHTS}
    return sheets.style_sheet(_picture(photograph), _picture(style), built)


def _picture(path: Path) -> Image.Image:
    return decode(read_bytes(path, UsageError), str(path))
