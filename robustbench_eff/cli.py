"""The `robust-eval` command. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from robustbench_eff import __version__, catalog, report, spec
from robustbench_eff.benchmarks import locations
from robustbench_eff.errors import Interrupted, RobustEvalError, RobustEvalWarning, UsageError
from robustbench_eff.zoo import aliases

EXAMPLES = """
How robust is this image classifier, really?

**Examples**

    robust-eval --model digits_standard

    robust-eval --model effnet_b7_advprop --data imagenet=/data/imagenet/val

    robust-eval --model my_model.py:build --weights my.safetensors --input-size 32
                --benchmark cifar10 --data cifar10=test.npz --attack 'pgd(eps=8/255, steps=50)'

    robust-eval score robust-eval-store

The same command again continues where it stopped. Exit codes: 0 all done, 1 failed while running,
2 bad usage or missing input, 130 interrupted.
"""

app = typer.Typer(
    add_completion=True, no_args_is_help=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
)
list_app = typer.Typer(help="List what there is: models, benchmarks, attacks, suites.", no_args_is_help=True)
app.add_typer(list_app, name="list")


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="robust-eval")


def _complete_model(incomplete: str) -> list[str]:
    return [name for name in aliases.aliases() if name.startswith(incomplete)]


@app.callback(invoke_without_command=True, help=EXAMPLES)
def evaluate(
    context: typer.Context,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Alias, timm:NAME, torchvision:NAME, open_clip:ARCH/TAG, package.module:factory or "
            "path/to/file.py:factory; repeat for several.",
            autocompletion=_complete_model,
        ),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="Shipped suite or YAML file.", autocompletion=lambda: list(catalog.SUITES))
    ] = "standard",
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            help="Run on these instead of the suite's for the model's label space.",
            autocompletion=lambda: list(catalog.BENCHMARKS),
        ),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(help="Run these instead of the suite's, e.g. 'pgd(eps=4/255, steps=50)'."),
    ] = None,
    data: Annotated[list[str] | None, typer.Option(help="NAME=PATH or NAME=hf:ID[@SPLIT].")] = None,
    weights: Annotated[Path | None, typer.Option(help="safetensors or PyTorch state_dict.")] = None,
    trust_checkpoint: Annotated[bool, typer.Option("--trust-checkpoint", help="Unpickle --weights.")] = False,
    num_classes: Annotated[int | None, typer.Option(help="Outputs of the model.")] = None,
    mean: Annotated[str | None, typer.Option(help="Per channel, e.g. 0.5 or '0.485,0.456,0.406'.")] = None,
    std: Annotated[str | None, typer.Option(help="Per channel.")] = None,
    input_size: Annotated[int | None, typer.Option(help="Pixels a side.")] = None,
    geometry: Annotated[str | None, typer.Option(help="crop, squash or none.")] = None,
    model_arg: Annotated[list[str] | None, typer.Option(help="KEY=VALUE for the constructor.")] = None,
    limit: Annotated[int | None, typer.Option(help="The first N samples of each benchmark.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    batch_size: Annotated[str, typer.Option(help="auto or a number; changes no outcome.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    store: Annotated[Path, typer.Option(help="Folder of outcomes.")] = Path("robust-eval-store"),
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="Run what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"robust-eval {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        if model:
            _errors().print(f"error: --model does not go with `{context.invoked_subcommand}`.")
            raise typer.Exit(2)
        return
    with _reported():
        if not model:
            raise UsageError("No model was named.", "Try: robust-eval --model digits_standard, or --help.")
        given = {
            "weights": weights,
            "num_classes": num_classes,
            "mean": _numbers("--mean", mean),
            "std": _numbers("--std", std),
            "input_size": input_size,
            "geometry": _geometry(geometry),
            "model_args": _model_args(model_arg or []),
            "trust_checkpoint": trust_checkpoint,
        }
        options: dict[str, Any] = {
            "suite": suite,
            "benchmarks": tuple(benchmark or ()),
            "attacks": tuple(part for text in attack or () for part in spec.split(text)),
            "data": locations.from_options(data or []),
            "limit": limit,
            "device": device,
            "batch_size": _batch_size(batch_size),
            "seed": seed,
            "store": store,
            "skip_missing": skip_missing,
        }
        _evaluate(model, given, options, as_json=as_json, quiet=quiet)


def _evaluate(models: list[str], given: dict[str, Any], options: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    if len(models) > 1 and (set_options := [name for name, value in given.items() if value]):
        names = ", ".join("--" + name.removesuffix("s").replace("_", "-") for name in set_options)
        raise UsageError(f"{names} would apply to {len(models)} models.", "Give such models a command each.")
    from robustbench_eff.api.evaluate import evaluate as run
    from robustbench_eff.api.settings import Settings
    from robustbench_eff.zoo.request import ModelRequest

    settings = Settings(**options)
    requests = [ModelRequest(name=name, **given) for name in models]
    errors = _errors()
    try:
        result = run(*requests, settings=settings, listener=report.Display(errors, quiet=quiet))
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"Interrupted. What was finished is in {settings.store}.",
            f"To go on, repeat the command:\n  {shlex.join(['robust-eval', *sys.argv[1:]])}",
        ) from stop
    if as_json:
        print(report.json_object(result.scores, str(result.store), result.missing))
        return
    report.score_table(result.scores, _output())
    if result.other_seeds and not quiet:
        seeds = ", ".join(str(number) for number in result.other_seeds)
        errors.print(f"The store also holds these evaluations with seed {seeds}; they are kept apart.")
    for item in result.missing:
        errors.print(f"skipped, missing: {item}", markup=False, highlight=False, soft_wrap=True)
    _output().print(f"Outcomes: {result.store}", highlight=False, soft_wrap=True)


@app.command()
def score(
    store: Annotated[Path, typer.Argument(help="Folder of outcomes.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compute every score of a store again, from its outcomes alone."""
    with _reported():
        from robustbench_eff.scores.from_store import store_scores
        from robustbench_eff.store import Store

        scores = store_scores(Store.existing(store))
        if as_json:
            print(report.json_object(scores, str(store), []))
        else:
            report.score_table(scores, _output())


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks for an evaluation."""
    with _reported():
        from robustbench_eff.doctor import findings

        table = Table(box=None, show_header=False)
        fine = True
        for what, finding, good in findings():
            table.add_row("[green]✓" if good else "[red]✗", what, finding)
            fine = fine and good
        _output().print(table)
    raise typer.Exit(0 if fine else 1)


@list_app.command("models")
def list_models(
    pattern: Annotated[str | None, typer.Argument(help="Part of a name, or a glob.")] = None,
) -> None:
    """Aliases, and where their weights come from."""
    with _reported():
        found = aliases.matching(pattern)
        if not found:
            raise UsageError(f"No alias matches {pattern!r}.", "Any timm:NAME or torchvision:NAME works too.")
        rows = [(alias.name, f"{alias.source}:{alias.target}", alias.defense) for alias in found]
        _print_rows(("alias", "stands for", "defense"), rows)


@list_app.command("benchmarks")
def list_benchmarks() -> None:
    """Benchmarks, whether their images are found, and where they can be had."""
    with _reported():
        rows = []
        for name, row in catalog.BENCHMARKS.items():
            item = catalog.benchmark(name, {})
            place = locations.location(name, {}) or (item.where if item.embedded is not None else None)
            rows.append((name, row.summary, place or f"not found; get it: {item.where}"))
        _print_rows(("benchmark", "what", "where"), rows)


@list_app.command("attacks")
def list_attacks() -> None:
    """Attacks that `--attack` and suites know."""
    with _reported():
        _print_rows(("attack", "what"), list(catalog.attack_names().items()))


@list_app.command("suites")
def list_suites() -> None:
    """Shipped suites."""
    with _reported():
        _print_rows(("suite", "what"), list(catalog.SUITES.items()))


def _print_rows(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*header, box=None)
    for row in rows:
        table.add_row(*row)
    _output().print(table)


@contextmanager
def _reported() -> Iterator[None]:
    """User errors as sentences on stderr with their exit code; warnings as sentences too."""
    errors = _errors()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RobustEvalWarning)
        try:
            yield
        except RobustEvalError as error:
            report.print_error(error, errors)
            raise typer.Exit(error.exit_code) from error
        finally:
            for warning in caught:
                if issubclass(warning.category, RobustEvalWarning):
                    errors.print(f"note: {warning.message}", markup=False, highlight=False, soft_wrap=True)


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    parts = text.replace(",", " ").split()
    if len(parts) not in (1, 3):
        raise UsageError(f"{option} takes one number or three, got {text!r}.")
    return tuple(spec.number(part) for part in parts)


def _geometry(text: str | None) -> str | None:
    if text not in (None, "crop", "squash", "none"):
        raise UsageError(f"--geometry must be crop, squash or none, got {text!r}.")
    return text


def _model_args(options: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in options:
        key, equals, _ = option.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--model-arg takes KEY=VALUE, got {option!r}.")
        found |= spec.parse(f"model({option})").arguments
    return found


def _batch_size(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit():
        raise UsageError(f"--batch-size must be auto or a number, got {text!r}.")
    return int(text)


def _output() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def _errors() -> Console:
    return Console(stderr=True)
