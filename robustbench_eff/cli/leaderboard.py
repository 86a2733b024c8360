"""`robust-eval leaderboard`: entries, tables and sites of measured and published results, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from robustbench_eff.core.errors import EmptyTable, UsageError, did_you_mean

from .common import error_boundary, error_console, output_console, print_line

if TYPE_CHECKING:
    from robustbench_eff.leaderboards.table import Table

leaderboard_app = typer.Typer(help="Build tables and sites of measured and published results.", no_args_is_help=True)

SOURCES = "Stores of outcomes (folders or URLs), entry files, or folders of entry files."
SourcesOption: TypeAlias = Annotated[list[str] | None, typer.Argument(help=SOURCES)]
EntriesFolderOption: TypeAlias = Annotated[Path, typer.Option(help="Folder to write one entry file per model to.")]
Format = TypeVar("Format")


@leaderboard_app.command()
def build(
    sources: SourcesOption = None,
    columns: Annotated[
        str, typer.Option(help="Columns of the table: default, attacks, corruptions, shifts, paper, …, or a YAML file.")
    ] = "default",
    family: Annotated[
        list[str] | None, typer.Option(help="Keep architectures that match this glob; may be repeated.")
    ] = None,
    defense: Annotated[list[str] | None, typer.Option(help="Keep defenses that match this glob.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Keep models that match this glob.")] = None,
    benchmark: Annotated[list[str] | None, typer.Option(help="Keep benchmarks that match this glob.")] = None,
    published: Annotated[
        bool | None,
        typer.Option(help="Include the results shipped with the package; by default only if no source is given."),
    ] = None,
    out: Annotated[
        list[Path] | None, typer.Option(help="File to write: .md, .tex, .csv, .json or .html; may be repeated.")
    ] = None,
    transpose: Annotated[
        bool, typer.Option(help="Write a column for every model, and a line for every number.")
    ] = False,
    width: Annotated[
        str, typer.Option(help="Place of a .tex table: page, column (3.25 in), or two-columns (6.75 in, as table*).")
    ] = "page",
) -> None:
    """Build a table of measured, published and claimed results, with an interval for every number that has one."""
    with error_boundary():
        from robustbench_eff.core.result_file import refuse_to_overwrite
        from robustbench_eff.leaderboards.build_table import build_table
        from robustbench_eff.leaderboards.columns import layout
        from robustbench_eff.leaderboards.table_formats import FORMATS
        from robustbench_eff.publishing.collect import collect_entries
        from robustbench_eff.publishing.incomplete_means import columns_with_results, incomplete_means

        _check_width(width, out or [])
        for path in out or ():
            _writer_for(FORMATS, path)
            refuse_to_overwrite(path, [*(sources or ()), columns])
        wanted = layout(columns)
        entries = collect_entries(
            sources or (),
            published=not sources if published is None else published,
            families=tuple(family or ()),
            defenses=tuple(defense or ()),
            models=tuple(model or ()),
            benchmarks=tuple(benchmark or ()),
        )
        remarks = incomplete_means(entries, wanted)
        try:
            table = build_table(entries, wanted)
        except EmptyTable as error:
            others = columns_with_results(entries)
            hint = f"Columns with results: {', '.join(others)}." if others else error.hint
            raise EmptyTable(" ".join([error.message, *remarks]), hint) from error
        _show_table(table, out or [], transposed=transpose, width=width)
        for remark in remarks:
            print_line(error_console(), remark)


def _check_width(width: str, out: list[Path]) -> None:
    from robustbench_eff.leaderboards.latex_layout import LAYOUTS

    if width not in LAYOUTS:
        raise UsageError(f"--width must be one of {', '.join(LAYOUTS)}, got {width!r}.", did_you_mean(width, LAYOUTS))
    if width != "page" and not any(path.suffix.lower() == ".tex" for path in out):
        raise UsageError("--width is that of a .tex file, and none is written.", "Add --out table.tex.")


def _show_table(table: Table, out: list[Path], *, transposed: bool, width: str) -> None:
    """Write a table to files, or print it if there are none."""
    from robustbench_eff.core.result_file import write_result
    from robustbench_eff.leaderboards import terminal
    from robustbench_eff.leaderboards.latex import latex
    from robustbench_eff.leaderboards.latex_layout import LAYOUTS
    from robustbench_eff.leaderboards.table_formats import FORMATS, TRANSPOSED

    writers = dict(TRANSPOSED if transposed else FORMATS)
    writers["tex"] = partial(latex, transposed=transposed, layout=LAYOUTS[width])
    for path in out:
        write_result(path, _writer_for(writers, path)(table).encode())
        print_line(error_console(), f"{len(table.rows)} models written to {path}.")
    if not out:
        terminal.show(table, output_console(), transposed=transposed)


@leaderboard_app.command()
def entry(
    stores: Annotated[list[str], typer.Argument(help="Stores of outcomes, as folders or URLs.")],
    out: EntriesFolderOption,
) -> None:
    """Write the results of stores as entries: one JSON file per model."""
    with error_boundary():
        from robustbench_eff.publishing.collect import write_entries
        from robustbench_eff.publishing.measured_entries import measured_entries

        for path in write_entries(measured_entries(stores), out, [f"{store}/store.json" for store in stores]):
            print_line(output_console(), str(path))


@leaderboard_app.command()
def site(
    out: Annotated[
        Path,
        typer.Option(help="Folder of the site: new, empty, or with an earlier site, whose files are replaced."),
    ],
    sources: SourcesOption = None,
    published: Annotated[bool, typer.Option(help="Include the results shipped with the package.")] = True,
    title: Annotated[str, typer.Option(help="Title of the site.")] = "Robustness of image classifiers",
) -> None:
    """Write a site of tables, plots and a page per model, which a browser shows without a server."""
    with error_boundary():
        from robustbench_eff.core.disk import reporting_os_errors
        from robustbench_eff.leaderboards.site.write import write_site
        from robustbench_eff.publishing.collect import own_entries, samples, with_shipped

        given = own_entries(sources or ())
        entries = with_shipped(given, published=published)
        own = {entry.model for entry in given if entry.results()}
        with reporting_os_errors(out):
            written = write_site(entries, out, title=title, pictures=samples(sources or ()), own=own)
        size = f"{written.files} files, {written.size / 1e6:.1f} MB"
        print_line(error_console(), f"{size}, written to {out}. Open {out / 'index.html'}.")


@leaderboard_app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="Folder that `robust-eval leaderboard site` wrote.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at, such as ::1; 0.0.0.0 lets other machines reach it.")
    ] = "127.0.0.1",
) -> None:
    """Serve a site to a browser on this machine, until Ctrl-C."""
    with error_boundary():
        from .serve_site import serve_until_stopped, server

        with server(folder, port, host) as running:
            serve_until_stopped(running)


@leaderboard_app.command()
def schema() -> None:
    """Print the JSON Schema of an entry."""
    with error_boundary():
        import json

        from robustbench_eff.leaderboards.entry import Entry

        print(json.dumps(Entry.model_json_schema(), indent=1))


@leaderboard_app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Entry files, or folders of them.")],
    store: Annotated[
        list[str] | None, typer.Option(help="Store of outcomes to compute the numbers from again; may be repeated.")
    ] = None,
) -> None:
    """Check the ranges, counts, intervals and checksums of entries; with --store also compute their numbers again."""
    with error_boundary():
        from robustbench_eff.publishing.collect import validate_entries

        issues = validate_entries(files, store or ())
        for path, issue in issues:
            print_line(output_console(), f"{path}: {issue.where}: {issue.what}.")
        if not issues:
            output_console().print("All entries are valid.")
    if issues:
        raise typer.Exit(1)


@leaderboard_app.command()
def audit(
    sources: Annotated[list[str], typer.Argument(help=SOURCES)],
    out: Annotated[Path | None, typer.Option(help="File to write: .md, .csv or .json.")] = None,
) -> None:
    """Subtract published from measured results of the same models, with the interval of each difference."""
    with error_boundary():
        from robustbench_eff.core.result_file import refuse_to_overwrite, write_result
        from robustbench_eff.leaderboards.audit import FORMATS, markdown
        from robustbench_eff.leaderboards.audit import audit as differences_of
        from robustbench_eff.publishing.collect import collect_entries

        write = markdown if out is None else _writer_for(FORMATS, out)
        refuse_to_overwrite(out, sources)
        differences = differences_of(collect_entries(sources, published=True))
        if out is not None:
            write_result(out, write(differences).encode())
        elif differences:
            print_line(output_console(), write(differences))
        if not differences:
            print_line(error_console(), "None of the measured results has a published counterpart.")


@leaderboard_app.command(name="import")
def import_(
    form: Annotated[
        str,
        typer.Argument(
            help="Format of the files: robustbench (model_info/DATASET/THREAT/ID.json) or timm (results-….csv)."
        ),
    ],
    files: Annotated[list[Path], typer.Argument(help="Files in that format.")],
    out: EntriesFolderOption,
) -> None:
    """Read the published and claimed results of other projects as entries."""
    with error_boundary():
        from robustbench_eff.leaderboards.import_export import CONTRADICTIONS, READERS
        from robustbench_eff.publishing.collect import write_entries
        from robustbench_eff.publishing.import_files import import_files

        imported = import_files(_format_named(READERS, form), files)
        contradictions = CONTRADICTIONS[form](files) if form in CONTRADICTIONS else []
        for remark in (*contradictions, *imported.remarks):
            print_line(error_console(), remark)
        written = write_entries(imported.entries, out, files)
        files_read = "1 file" if imported.files == 1 else f"{imported.files} files"
        entries = "1 entry" if len(written) == 1 else f"{len(written)} entries"
        print_line(output_console(), f"{files_read} read, {entries} written to {out}.")


@leaderboard_app.command()
def export(
    form: Annotated[
        str, typer.Argument(help="Format to write: robustbench, or model-index for Hugging Face model cards.")
    ],
    sources: Annotated[list[str], typer.Argument(help=SOURCES)],
    out: Annotated[Path, typer.Option(help="Folder to write the files to.")],
) -> None:
    """Write measured results in the formats of other projects."""
    with error_boundary():
        from robustbench_eff.core.disk import atomic_write, reporting_os_errors
        from robustbench_eff.core.result_file import refuse_to_overwrite
        from robustbench_eff.leaderboards.import_export import WRITERS
        from robustbench_eff.publishing.collect import collect_entries

        files_of = _format_named(WRITERS, form)
        written: set[Path] = set()
        for entry in collect_entries(sources, published=False):
            for path, text in files_of(entry):
                if path in written:
                    raise UsageError(
                        f"{entry.model} and another model would both be written to {path}.",
                        "Export them to different folders.",
                    )
                refuse_to_overwrite(out / path, sources)
                with reporting_os_errors(out / path):
                    atomic_write(out / path, text.encode())
                written.add(path)
        if not written:
            hint = "RobustBench accepts results of AutoAttack only." if form == "robustbench" else ""
            raise UsageError(f"None of the measured results fit the format {form}.", hint)
        print_line(output_console(), f"{len(written)} files written to {out}.")


def _format_named(formats: Mapping[str, Format], name: str) -> Format:
    if name not in formats:
        raise UsageError(f"Unknown format {name!r}.", did_you_mean(name, formats) or f"Formats: {', '.join(formats)}.")
    return formats[name]


def _writer_for(formats: Mapping[str, Format], path: Path) -> Format:
    """The writer for the extension of a file name."""
    extension = path.suffix.removeprefix(".")
    if extension not in formats:
        extensions = ", ".join(f".{name}" for name in formats)
        raise UsageError(f"{path} does not have the extension of a known format.", f"Extensions: {extensions}.")
    return formats[extension]
