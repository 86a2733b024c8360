"""`robust-eval conflict`: images with the shape of one class and the texture of another."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.progress import ignore_progress
from robustbench_eff.registry.stylisers import DEFAULT_STYLISER

from .common import error_boundary, output, print_progress, resumable


def conflict(
    out: Annotated[Path, typer.Option(help="Folder of the images and of labels.csv.")],
    data: Annotated[list[str] | None, typer.Option(help="NAME=PATH or NAME=hf:ID[@SPLIT]; else digits.")] = None,
    benchmark: Annotated[str | None, typer.Option(help="Whose images, where --data names several or none.")] = None,
    styliser: Annotated[
        str, typer.Option(help="What gives the texture; `robust-eval list stylisers`.")
    ] = DEFAULT_STYLISER,
    strength: Annotated[float, typer.Option(help="How much of it, from 0 to 1.")] = 1.0,
    limit: Annotated[int | None, typer.Option(help="Shapes of the first N images; textures of any.")] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write cue-conflict images made from a labelled set (resumable)."""
    with error_boundary():
        places = locations.from_options(data or [])
        if benchmark is None and len(places) > 1:
            raise UsageError(f"One set at a time, got {', '.join(places)}.", "Choose it with --benchmark NAME.")
        from robustbench_eff.generation.conflict_plan import ConflictSettings
        from robustbench_eff.generation.cue_conflict import write_conflicts
        from robustbench_eff.system import devices

        devices.keep_freed_memory()

        with resumable(out):
            done = write_conflicts(
                benchmark or next(iter(places), "digits"),
                out,
                places,
                ConflictSettings(styliser=styliser, strength=strength, limit=limit, seed=seed),
                ignore_progress if quiet else print_progress,
            )
        output().print(f"{done.images} images written to {out}, {done.found} were there.", highlight=False)
        command = f"robust-eval --model MODEL --benchmark mine --data {shlex.quote(f'mine={out}')} --attack none"
        output().print(f"To evaluate them: {command}", highlight=False, markup=False, soft_wrap=True)
