"""`robust-eval leaderboard`: entries, tables, pages; nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from robustbench_eff.core.errors import UsageError, did_you_mean

from .common import error_boundary, errors, output

leaderboard_app = typer.Typer(help="Tables and pages of measured and published results.", no_args_is_help=True)

SOURCES = "Stores of outcomes (folders or URLs), files of entries, or folders of them."
Sources = Annotated[list[str] | None, typer.Argument(help=SOURCES)]
Globs = list[str] | None
Form = TypeVar("Form")


@leaderboard_app.command()
def build(
    sources: Sources = None,
    columns: Annotated[
        str, typer.Option(help="default, attacks, shifts, defenses, paper, …, or a YAML file.")
    ] = "default",
    family: Annotated[Globs, typer.Option(help="Glob of architectures; repeat for several.")] = None,
    defense: Annotated[Globs, typer.Option(help="Glob of defenses.")] = None,
    model: Annotated[Globs, typer.Option(help="Glob of models.")] = None,
    benchmark: Annotated[Globs, typer.Option(help="Glob of benchmarks.")] = None,
    published: Annotated[
        bool | None, typer.Option(help="What comes with the package too: the default without sources.")
    ] = None,
    out: Annotated[
        list[Path] | None, typer.Option(help="Write there: .md, .tex, .csv, .json or .html; repeat for several.")
    ] = None,
) -> None:
    """A table of what was measured, published and claimed, every number with its interval where there is one."""
    with error_boundary():
        from robustbench_eff.core.disk import reporting_os_errors
        from robustbench_eff.leaderboards.build_table import build_table
        from robustbench_eff.leaderboards.columns import layout
        from robustbench_eff.leaderboards.table_formats import FORMATS
        from robustbench_eff.publishing.collect import collect_entries

        for path in out or ():
            if path.suffix.removeprefix(".") not in FORMATS:
                raise UsageError(f"{path} has no format.", f"Endings: {', '.join(f'.{name}' for name in FORMATS)}.")
        wanted = layout(columns)
        filters = {"families": family, "defenses": defense, "models": model, "benchmarks": benchmark}
        globs = {name: tuple(given or ()) for name, given in filters.items()}
        entries = collect_entries(sources or (), published=not sources if published is None else published, **globs)
        table = build_table(entries, wanted)
        for path in out or ():
            with reporting_os_errors(path):
                path.write_text(FORMATS[path.suffix.removeprefix(".")](table), encoding="utf-8")
            errors().print(
                f"{len(table.rows)} models written to {path}.", markup=False, highlight=False, soft_wrap=True
            )
        if not out:
            from robustbench_eff.leaderboards import terminal

            terminal.show(table, output())


@leaderboard_app.command()
def entry(
    stores: Annotated[list[str], typer.Argument(help="Stores of outcomes, folders or URLs.")],
    out: Annotated[Path, typer.Option(help="Folder for a file of every model.")],
) -> None:
    """Write what stores hold as entries: one JSON file for every model."""
    with error_boundary():
        from robustbench_eff.publishing.collect import write_entries
        from robustbench_eff.publishing.measured_entries import measured_entries

        for path in write_entries(measured_entries(stores), out):
            output().print(str(path), markup=False, highlight=False, soft_wrap=True)


@leaderboard_app.command()
def site(
    out: Annotated[
        Path, typer.Option(help="Folder of the site: new, empty, or with an earlier site, whose files are replaced.")
    ],
    sources: Sources = None,
    published: Annotated[bool, typer.Option(help="What comes with the package too.")] = True,
) -> None:
    """Write pages to read in a browser: tables, plots, a page of every model; no server is needed."""
    with error_boundary():
        from robustbench_eff.core.disk import reporting_os_errors
        from robustbench_eff.leaderboards.site.write import write_site
        from robustbench_eff.publishing.collect import collect_entries, samples

        entries = collect_entries(sources or (), published=published)
        with reporting_os_errors(out):
            written = write_site(entries, out, pictures=samples(sources or ()))
        errors().print(
            f"{written.files} files, {written.size / 1e6:.1f} MB, written to {out}. Open {out / 'index.html'}.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


@leaderboard_app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="What `robust-eval leaderboard site` wrote.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 8000,
) -> None:
    """Show a site to a browser on this machine, until Ctrl-C."""
    with error_boundary():
        from .serve_site import server

        with server(folder, port) as running:
            output().print(f"http://127.0.0.1:{running.server_port}/ (Ctrl-C ends it)", highlight=False)
            try:
                running.serve_forever()
            except KeyboardInterrupt:
                raise typer.Exit(0) from None


@leaderboard_app.command()
def schema() -> None:
    """Print the JSON Schema of an entry."""
    with error_boundary():
        import json

        from robustbench_eff.leaderboards.entry import Entry

        print(json.dumps(Entry.model_json_schema(), indent=1))


@leaderboard_app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Entries, or folders of them.")],
    store: Annotated[list[str] | None, typer.Option(help="Outcomes to compute the numbers from again.")] = None,
) -> None:
    """Look for what cannot be in entries: ranges, counts, intervals, checksums; with --store score them again."""
    with error_boundary():
        from robustbench_eff.publishing.collect import validate_entries

        found = validate_entries(files, store or ())
        for path, problem in found:
            text = f"{path}: {problem.where}: {problem.what}."
            output().print(text, markup=False, highlight=False, soft_wrap=True)
        if not found:
            output().print("Nothing is wrong.")
    if found:
        raise typer.Exit(1)


@leaderboard_app.command()
def audit(
    sources: Annotated[list[str], typer.Argument(help=SOURCES)],
    out: Annotated[Path | None, typer.Option(help="Write there: .md, .csv or .json.")] = None,
) -> None:
    """What was measured here minus what was published of the same models, with the interval of the difference."""
    with error_boundary():
        from robustbench_eff.core.disk import reporting_os_errors
        from robustbench_eff.leaderboards import audit as auditing
        from robustbench_eff.publishing.collect import collect_entries

        if out is not None and out.suffix.removeprefix(".") not in auditing.FORMATS:
            raise UsageError(f"{out} has no format.", "Endings: .csv, .json, .md.")
        found = auditing.audit(collect_entries(sources, published=True))
        if out is not None:
            with reporting_os_errors(out):
                out.write_text(auditing.FORMATS[out.suffix.removeprefix(".")](found), encoding="utf-8")
        elif found:
            output().print(auditing.markdown(found), markup=False, highlight=False, soft_wrap=True)
        if not found:
            errors().print("Nothing that was measured here was published.")


@leaderboard_app.command(name="import")
def import_(
    form: Annotated[
        str, typer.Argument(help="robustbench (model_info/DATASET/THREAT/ID.json) or timm (results-….csv).")
    ],
    files: Annotated[list[Path], typer.Argument(help="Files of that form.")],
    out: Annotated[Path, typer.Option(help="Folder for a file of every model.")],
) -> None:
    """Read other people's results as entries: what they published, and what they claim."""
    with error_boundary():
        from robustbench_eff.leaderboards.import_export import READERS
        from robustbench_eff.publishing.collect import write_entries
        from robustbench_eff.publishing.model_names import merge_entries

        written = write_entries(merge_entries(entry for file in files for entry in _of(READERS, form)(file)), out)
        output().print(f"{len(written)} entries written to {out}.", markup=False, highlight=False, soft_wrap=True)


@leaderboard_app.command()
def export(
    form: Annotated[str, typer.Argument(help="robustbench, or model-index of a Hugging Face model card.")],
    sources: Annotated[list[str], typer.Argument(help=SOURCES)],
    out: Annotated[Path, typer.Option(help="Folder.")],
) -> None:
    """Write what was measured in other people's formats."""
    with error_boundary():
        from robustbench_eff.core.disk import atomic_write, reporting_os_errors
        from robustbench_eff.leaderboards.import_export import WRITERS
        from robustbench_eff.publishing.collect import collect_entries

        written: set[Path] = set()
        for entry in collect_entries(sources, published=False):
            for path, text in _of(WRITERS, form)(entry):
                if path in written:
                    raise UsageError(f"{entry.model} and another model would both be {path}.", "Export them apart.")
                with reporting_os_errors(out / path):
                    atomic_write(out / path, text.encode())
                written.add(path)
        if not written:
            raise UsageError(f"Nothing that was measured has a place in {form}.", "RobustBench wants AutoAttack.")
        output().print(f"{len(written)} files written to {out}.", markup=False, highlight=False, soft_wrap=True)


def _of(forms: Mapping[str, Form], name: str) -> Form:
    if name not in forms:
        raise UsageError(f"Unknown form {name!r}.", did_you_mean(name, forms) or f"Known: {', '.join(forms)}.")
    return forms[name]
