"""`robust-eval corrupt`: corrupted images as files, and a sheet of what corruptions do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core import spec
from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.progress import ignore_progress

from .common import error_boundary, output, print_progress, resumable


def corrupt(
    out: Annotated[Path, typer.Option(help="Folder of the images, or PNG file of the sheet.")],
    data: Annotated[list[str] | None, typer.Option(help="imagenet=PATH, cifar10=PATH or cifar100=PATH.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="A photograph: draw all corruptions of it instead.")] = None,
    corruption: Annotated[
        list[str] | None,
        typer.Option(help="E.g. 'fog(severity=3)' or imagenet_c_bar; by default imagenet_c or cifar10_c."),
    ] = None,
    style: Annotated[
        Path | None, typer.Option(help="A picture: draw the --sheet photograph in its style, by every styliser.")
    ] = None,
    styliser: Annotated[
        list[str] | None, typer.Option(help="With --style, e.g. 'fourier(beta=0.05)'; all without weights by default.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="The first N images.")] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write corrupted images in the published layout (resumable), or a sheet of one photograph."""
    with error_boundary():
        places = locations.from_options(data or [])
        of = next(iter(places), "imagenet").removesuffix("-c-generated")
        if len(places) > 1:
            raise UsageError(f"One clean set at a time, got {', '.join(places)}.", "Give each a command.")
        default = "cifar10_c" if of in ("cifar10", "cifar100") else "imagenet_c"
        texts = tuple(part for text in corruption or (default,) for part in spec.split(text))
        if sheet is None and not data:
            raise UsageError("There is nothing to corrupt.", "Pass --data imagenet=PATH, or --sheet PHOTO.")
        if sheet is not None and data:
            raise UsageError("--sheet takes one photograph; it does not go with --data.")
        if style is None and styliser:
            raise UsageError("--styliser needs the picture whose style is given.", "Add --style PICTURE.")
        if style is not None and (sheet is None or corruption):
            raise UsageError("--style goes with --sheet PHOTO, and not with --corruption.")
        from robustbench_eff.generation import corrupted_files as job
        from robustbench_eff.system import devices

        if sheet is not None:
            if out.suffix.lower() != ".png":
                raise UsageError(f"The sheet is a PNG file, got --out {out}.", "For example --out sheet.png.")
            stylisers = [part for text in styliser or () for part in spec.split(text)]
            drawn = job.sheet(sheet, texts) if style is None else job.style_sheet(sheet, style, stylisers)
            with reporting_os_errors(out):
                drawn.save(out)
            output().print(f"{out}", highlight=False)
            return

        devices.keep_freed_memory()

        with resumable(out):
            done = job.write_corrupted(
                f"{of}-c-generated",
                out,
                places,
                job.CorruptionSettings(corruptions=texts, limit=limit, seed=seed),
                ignore_progress if quiet else print_progress,
            )
        output().print(f"{done.images} images written to {out}, {done.found} were there.", highlight=False)
