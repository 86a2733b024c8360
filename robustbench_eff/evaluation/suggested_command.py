"""The command to repeat with local files for everything that is missing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields

from robustbench_eff.core.errors import Missing
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry.perturbation import as_perturbation

from .settings import Settings

_LISTS = {"benchmarks": "--benchmark", "attacks": "--attack", "corruptions": "--corruption"}


def suggested_commands(
    requests: Sequence[ModelRequest],
    missing_of_models: Mapping[str, Sequence[Missing]],
    missing_of_benchmarks: Mapping[str, Sequence[Missing]],
    settings: Settings,
) -> str:
    """Return one command per model, with FILE and PATH in the place of what is missing, one below the other.

    Args:
        requests: The requested models.
        missing_of_models: What is missing, by the name of the model.
        missing_of_benchmarks: What is missing, by the name of the benchmark.
        settings: The options of the run.
    """
    tail = _setting_words(settings, [name for name, items in missing_of_benchmarks.items() if items])
    commands = []
    for request in requests:
        options = {item.option for item in missing_of_models.get(request.name, [])}
        if "" not in options:
            named = ["--name", request.name] if request.found_by else []
            commands.append(
                ["robust-eval", "--model", request.form, *named, *_model_words(request, bool(options)), *tail]
            )
    return "\n  ".join(shlex.join(command) for command in commands)


def command_for(request: ModelRequest, settings: Settings) -> str:
    """Return the command that evaluates a model with these settings.

    Args:
        request: The model.
        settings: The options of the run; those with their default are left out.
    """
    words = ["robust-eval", "--model", request.form, *_model_words(request, needs_file=False)]
    return shlex.join([*words, *_setting_words(settings, ())])


def _model_words(request: ModelRequest, needs_file: bool) -> list[str]:
    """The options of a model as they were given, with FILE for weights that are missing."""
    size = request.input_size
    single = {
        "--weights": "FILE" if needs_file else request.weights_address or request.weights,
        "--num-classes": request.num_classes,
        "--mean": None if request.mean is None else ",".join(f"{value:g}" for value in request.mean),
        "--std": None if request.std is None else ",".join(f"{value:g}" for value in request.std),
        "--input-size": size if isinstance(size, int | None) else f"{size[0]}x{size[1]}",
        "--geometry": request.geometry,
    }
    words = [word for option, value in single.items() if value is not None for word in (option, str(value))]
    words += [word for key, value in request.model_args.items() for word in ("--model-arg", f"{key}={value}")]
    switches = {"--trust-checkpoint": request.trust_checkpoint, "--random-weights": request.random_weights}
    return [*words, *(option for option, is_set in switches.items() if is_set)]


def _setting_words(settings: Settings, without_images: Sequence[str]) -> list[str]:
    """The options of the run that were given, with PATH for images that are missing."""
    words: list[str] = []
    for name, option in _LISTS.items():
        for value in getattr(settings, name):
            words += [option, value if isinstance(value, str) else as_perturbation(value).text]
    for name, path in {**settings.data, **dict.fromkeys(without_images, "PATH")}.items():
        words += ["--data", f"{name}={path}"]
    for field in fields(settings):
        value, option = getattr(settings, field.name), f"--{field.name.replace('_', '-')}"
        if field.name in (*_LISTS, "data") or str(value) == str(field.default):
            continue
        words += [option] if value is True else [option, str(value)]
    return words
