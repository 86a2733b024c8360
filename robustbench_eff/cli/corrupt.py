"""`robust-eval corrupt`: corrupted images as files, and a sheet that shows corruptions of one photograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.preprocessing import Geometry, Mode, Size
from robustbench_eff.core.progress import ignore_progress
from robustbench_eff.core.result_file import refuse_to_overwrite
from robustbench_eff.registry.benchmarks import BENCHMARKS

from .common import (
    error_boundary,
    output_console,
    parse_geometry,
    parse_input_size,
    print_line,
    print_progress,
    resumable,
)
from .options import GeometryOption, InputSizeOption


def corrupt(
    out: Annotated[Path, typer.Option(help="Folder to write the images to, or PNG file of the sheet.")],
    data: Annotated[
        list[str] | None,
        typer.Option(help="Clean images: imagenet=PATH, cifar10=PATH, cifar100=PATH, or NAME=PATH of your own."),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Photograph: draw a sheet of its corruptions instead of writing a set.")
    ] = None,
    corruption: Annotated[
        list[str] | None,
        typer.Option(
            help="Corruption or set, such as 'fog(severity=3)' or imagenet_c_bar; by default common_corruptions, with "
            "the constants of the published set or for the size of your own images; a sheet has ImageNet-C's."
        ),
    ] = None,
    style: Annotated[
        Path | None, typer.Option(help="Picture: draw the --sheet photograph in its style, once per styliser.")
    ] = None,
    styliser: Annotated[
        list[str] | None,
        typer.Option(
            help="Styliser for --style, such as 'fourier(beta=0.05)'; by default all that need no weights file."
        ),
    ] = None,
    input_size: InputSizeOption = None,
    geometry: GeometryOption = None,
    limit: Annotated[int | None, typer.Option(help="Corrupt only the first N images.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> None:
    """Write corrupted images in the published layout (resumable), or draw a sheet of one photograph."""
    with error_boundary():
        paths = locations.from_options(data or [])
        _check_images(paths, sheet)
        _check_style(style, sheet, corruption, styliser)
        refuse_to_overwrite(out, [sheet, style, *paths.values()])
        corruptions = tuple(part for text in corruption or ("common_corruptions",) for part in spec.split(text))
        if sheet is not None:
            _check_sheet({"--input-size": input_size, "--geometry": geometry, "--limit": limit, "--seed": seed or None})
            stylisers = [part for text in styliser or () for part in spec.split(text)]
            _draw_sheet(out, sheet, corruptions, style, stylisers)
            return
        from robustbench_eff.generation.corrupted_files import CorruptionSettings, write_corrupted
        from robustbench_eff.system import devices

        devices.keep_freed_memory()
        name = _benchmark(next(iter(paths)))
        size = _geometry(parse_input_size(input_size), parse_geometry(geometry))
        settings = CorruptionSettings(corruptions=corruptions, limit=limit, seed=seed, geometry=size)
        with resumable(out):
            on_progress = ignore_progress if quiet else print_progress
            count = write_corrupted(name, out, paths, settings, on_progress)
        print_line(output_console(), f"{count.images} images written to {out}; {count.found} existed already.")


def _benchmark(name: str) -> str:
    """The benchmark that is made from these images; for the user's own images, their name."""
    made = f"{name.removesuffix('-c-generated')}-c-generated"
    return made if made in BENCHMARKS else name


def _geometry(size: Size | None, mode: str | None) -> Geometry | None:
    if size is None and mode is not None:
        raise UsageError("--geometry needs the size of the corrupted images.", "Add --input-size, such as 224.")
    return None if size is None else Geometry(size=size, mode=cast("Mode", mode or "crop"))


def _check_images(paths: Mapping[str, str], sheet: Path | None) -> None:
    if len(paths) > 1:
        raise UsageError(f"--data names several sets: {', '.join(paths)}.", "Give each of them its own command.")
    if sheet is None and not paths:
        raise UsageError("There are no images to corrupt.", "Pass --data imagenet=PATH, or --sheet PHOTO.")
    if sheet is not None and paths:
        raise UsageError("--sheet draws one photograph and cannot be combined with --data.", "Drop one of them.")


def _check_sheet(given: Mapping[str, object]) -> None:
    """Refuse the options that a sheet does not have; None stands for one that was not given."""
    unused = [option for option, value in given.items() if value is not None]
    if unused:
        raise UsageError(f"--sheet cannot be combined with {' and '.join(unused)}.", "A sheet shows one photograph.")


def _check_style(
    style: Path | None, sheet: Path | None, corruption: list[str] | None, styliser: list[str] | None
) -> None:
    if style is None and styliser:
        raise UsageError("--styliser needs a picture of the style.", "Add --style PICTURE.")
    if style is not None and (sheet is None or corruption):
        raise UsageError("--style needs --sheet PHOTO and cannot be combined with --corruption.")


def _draw_sheet(
    out: Path, photograph: Path, corruptions: Sequence[str], style: Path | None, stylisers: Sequence[str]
) -> None:
    from robustbench_eff.generation.sheets import sheet, style_sheet
    from robustbench_eff.reports.png_file import write_png

    if out.suffix.lower() != ".png":
        raise UsageError(f"The sheet must be a PNG file, got --out {out}.", "For example --out sheet.png.")
    drawn = sheet(photograph, corruptions) if style is None else style_sheet(photograph, style, stylisers)
    write_png(drawn, out)
    print_line(output_console(), str(out))
