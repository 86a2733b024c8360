"""`robust-eval figures`: the figures of a paper from stored outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.core.errors import UsageError, did_you_mean

from .common import error_boundary, error_console, output_console, print_line


def figures(
    stores: Annotated[list[str], typer.Argument(help="Folders or URLs of outcomes.")],
    out: Annotated[Path, typer.Option(help="Folder to write the figures to; files of the same names are replaced.")],
    width: Annotated[
        str, typer.Option(help="Width of the figures: column (3.25 in), two-columns (6.75 in) or page (4.77 in).")
    ] = "column",
    format: Annotated[
        list[str] | None, typer.Option(help="pdf, svg or png; may be repeated; by default pdf and svg.")
    ] = None,
) -> None:
    """Draw security curves, clean against robust accuracy, corruptions and shape bias, wherever a store has numbers."""
    with error_boundary():
        from robustbench_eff.core.disk import atomic_write, reporting_os_errors
        from robustbench_eff.core.result_file import refuse_to_overwrite
        from robustbench_eff.leaderboards.file_names import file_names
        from robustbench_eff.reports.figure_style import FORMATS, WIDTHS, content, styled
        from robustbench_eff.reports.figures import figures as drawn_figures
        from robustbench_eff.scores.compute import store_scores
        from robustbench_eff.scores.masking_checks import store_verdicts
        from robustbench_eff.scores.overview import flags_below
        from robustbench_eff.storage.store import Store

        if width not in WIDTHS:
            hint = did_you_mean(width, WIDTHS)
            raise UsageError(f"--width must be one of {', '.join(WIDTHS)}, got {width!r}.", hint)
        extensions = tuple(dict.fromkeys(format or FORMATS[:2]))
        if unknown := [name for name in extensions if name not in FORMATS]:
            raise UsageError(f"--format must be one of {', '.join(FORMATS)}, got {unknown[0]!r}.")
        refuse_to_overwrite(out, stores)
        scores = []
        for place in stores:
            store = Store.existing(place)
            scores += store_scores(store, verdicts=store_verdicts(store))
        drawn = drawn_figures(scores, width)
        if not drawn:
            hint = "Evaluate two models under an attack, a model at two radii, under corruptions, or on cue conflict."
            raise UsageError("There are not enough numbers for any figure.", hint)
        names = file_names([item.name for item in drawn])
        with styled(), reporting_os_errors(out):
            for item in drawn:
                for extension in extensions:
                    path = out / f"{names[item.name]}.{extension}"
                    atomic_write(path, content(item.figure, extension))
                    print_line(output_console(), str(path))
        for line in flags_below([score for item in drawn for score in item.scores]):
            print_line(error_console(), line)
