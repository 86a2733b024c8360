"""The models that the options of a run name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.errors import UsageError
from robustbench_eff.models.aliases import aliases
from robustbench_eff.models.model_names import looks_like_file, names_file, unknown
from robustbench_eff.registry.model_sources import FORMS
from robustbench_eff.storage.model_names import check_model_name

from .common import parse_geometry, parse_input_size, parse_model_args, parse_numbers

if TYPE_CHECKING:
    from robustbench_eff.models.request import ModelRequest

MODEL_OPTIONS = (
    "weights",
    "num_classes",
    "mean",
    "std",
    "input_size",
    "geometry",
    "model_arg",
    "trust_checkpoint",
    "random_weights",
)
"""Options that apply to one model."""


def model_requests(options: Mapping[str, Any]) -> list[ModelRequest]:
    """Return the models of --model, with the options for one model, and those of the file of --models.

    Args:
        options: Values of the options by parameter name, as in `typer.Context.params`.

    Raises:
        UsageError: There is none, an option has a wrong value or would apply to several, or two have one name.
    """
    models: Sequence[str] = options["model"] or ()
    names: Sequence[str] = options.get("name") or ()
    file: Path | None = options.get("models")
    if not models and file is None:
        raise UsageError("--model is missing.", "Try: robust-eval --model digits_standard, or --help.")
    if names and len(names) != len(models):
        raise UsageError(
            f"--name is given {len(names)} times, and --model {len(models)} times.",
            "Give one --name for each --model, in the same order; the models of --models have names in the file.",
        )
    given = [name for name in MODEL_OPTIONS if options[name] and not (file and name == "trust_checkpoint")]
    if given and (file or len(models) > 1):
        named = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(
            f"{named} would apply to {f'the models of {file}' if file else f'{len(models)} models'}.",
            "Give each model its own command, or write its options into the file of --models.",
        )
    requests = _of_options(options, models, names)
    if file is not None:
        from robustbench_eff.registry.models_file import read_models

        trusted = {name: options[name] for name in ("trust_code", "trust_checkpoint")}
        requests += read_models(file, **trusted)
    _check_names(requests)
    return requests


def _of_options(options: Mapping[str, Any], models: Sequence[str], names: Sequence[str]) -> list[ModelRequest]:
    from robustbench_eff.models.request import ModelRequest, normalization_fields, weights_fields

    mean, std = (parse_numbers(f"--{name}", options[name]) for name in ("mean", "std"))
    fields = {
        "num_classes": options["num_classes"],
        "input_size": parse_input_size(options["input_size"]),
        "geometry": parse_geometry(options["geometry"]),
        "model_args": parse_model_args(options["model_arg"] or []),
        "trust_checkpoint": options["trust_checkpoint"],
        "random_weights": options["random_weights"],
        **weights_fields(options["weights"]),
        **normalization_fields(mean, std),
    }
    for form in models:
        if ":" not in form and form not in aliases() and not names_file(form) and not looks_like_file(form):
            raise unknown(form, FORMS)  # before anything heavy is imported
    for name in names:
        check_model_name(name)
    if not names:
        return [ModelRequest(name=form, **fields) for form in models]
    return [ModelRequest(name=name, found_by=form, **fields) for name, form in zip(names, models, strict=True)]


def _check_names(requests: Sequence[ModelRequest]) -> None:
    """Refuse one name for two models: tables could not tell them apart."""
    forms: dict[str, str] = {}
    for request in requests:
        if forms.setdefault(request.name, request.form) != request.form:
            raise UsageError(
                f"{request.name} would be the name of {forms[request.name]} and of {request.form}.",
                "Give each a name of its own with --name, or in the file of --models.",
            )
