"""`robust-eval conflict`: images with the shape of one class and the texture of another."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.progress import ignore_progress
from robustbench_eff.core.result_file import refuse_to_overwrite
from robustbench_eff.registry.stylisers import DEFAULT_STYLISER

from .common import error_boundary, output_console, print_line, print_progress, resumable


def conflict(
    out: Annotated[Path, typer.Option(help="Folder to write the images and labels.csv to.")],
    data: Annotated[
        list[str] | None,
        typer.Option(help="Labelled images: NAME=PATH or NAME=hf:ID[@SPLIT]; the bundled digits by default."),
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Benchmark whose images to use, if --data names several or none.")
    ] = None,
    styliser: Annotated[
        str, typer.Option(help="Styliser that transfers the texture; see `robust-eval list stylisers`.")
    ] = DEFAULT_STYLISER,
    strength: Annotated[float, typer.Option(help="Strength of the texture, from 0 to 1.")] = 1.0,
    limit: Annotated[
        int | None, typer.Option(help="Take shapes from the first N images only; textures come from all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> None:
    """Write cue-conflict images made from a labelled set (resumable)."""
    with error_boundary():
        paths = locations.from_options(data or [])
        if benchmark is None and len(paths) > 1:
            raise UsageError(f"--data names several sets: {', '.join(paths)}.", "Choose one with --benchmark NAME.")
        refuse_to_overwrite(out, paths.values())
        from robustbench_eff.generation.conflict_plan import ConflictSettings
        from robustbench_eff.generation.cue_conflict import write_conflicts
        from robustbench_eff.system import devices

        devices.keep_freed_memory()
        with resumable(out):
            count = write_conflicts(
                benchmark or next(iter(paths), "digits"),
                out,
                paths,
                ConflictSettings(styliser=styliser, strength=strength, limit=limit, seed=seed),
                ignore_progress if quiet else print_progress,
            )
        print_line(output_console(), f"{count.images} images written to {out}; {count.found} existed already.")
        command = f"robust-eval --model MODEL --benchmark mine --data {shlex.quote(f'mine={out}')} --attack none"
        print_line(output_console(), f"To evaluate a model on them: {command}")
