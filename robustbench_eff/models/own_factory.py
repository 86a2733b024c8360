"""The factory of a Python file that the user named without one: the only sensible one, or the one that fits weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from robustbench_eff.core.definitions import Definitions, read_definitions
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.user_code import get_attribute, load_module, neighbours_first

from .exported import as_module
from .factories import NUM_CLASSES, Factory, factories, sensible
from .model_names import names_file
from .request import ModelRequest
from .state_facts import outputs_of
from .weights import fits, read_state

_SHOWN = 12
"""Number of names that a message lists."""


class OwnFactory(NamedTuple):
    """What stands for the file of a request."""

    target: str
    """`path/to/file.py:factory`."""
    notes: tuple[str, ...]
    """What was assumed."""


def resolve(target: str, request: ModelRequest) -> OwnFactory:
    """Return the factory that a target names, or that stands for its file.

    The text of the file is read first. Only if several of its factories could be meant and there are weights, the file
    is run and each of them called, without memory for its tensors, to see which the weights fit.

    Args:
        target: `path/to/file.py`, or any target with a factory, which is returned as it is.
        request: The user's options.

    Raises:
        UsageError: The file is not Python, or has no factory, or several; the message lists them. Or a file names it
            and is not trusted.
        ModelError: The weights cannot be read.
    """
    if not names_file(target):
        return OwnFactory(target, ())
    file = target.removesuffix(":")
    request.origin.check(file, "")
    path = Path(file).expanduser()
    definitions = read_definitions(path)
    found = factories(definitions)
    candidates = sensible(found, definitions, request.model_args)
    if not candidates:
        raise _none(file, found, definitions, request)
    if len(candidates) == 1:
        return OwnFactory(
            f"{file}:{candidates[0].name}", (_assumed(file, candidates[0], found, "which needs no arguments"),)
        )
    if request.weights is None or not request.weights.is_file():
        raise _several(file, candidates, "")
    fitting, name = _fitting(file, candidates, request), request.weights.name
    if len(fitting) == 1:
        note = _assumed(file, fitting[0], (), f"the only one of {len(candidates)} that {name} fits")
        return OwnFactory(f"{file}:{fitting[0].name}", (note,))
    which = _listed([factory.name for factory in fitting]) if fitting else "none of them as it is"
    raise _several(file, fitting or candidates, f" {name} fits {which}.")


def _assumed(file: str, factory: Factory, others: Sequence[Factory], why: str) -> str:
    rest = [other.name for other in others if other != factory]
    beside = f", not {_listed(rest, 'or')}" if rest else ""
    return f"assumed: the network is {factory.name} of {file}, {why}{beside} (--model {file}:NAME)"


def _none(file: str, found: Sequence[Factory], definitions: Definitions, request: ModelRequest) -> UsageError:
    given = f" with {', '.join(request.model_args)}" if request.model_args else " without arguments"
    if found:
        lacking = [name for name in found[0].parameters.required if name not in {*request.model_args, NUM_CLASSES}]
        words = " ".join(f"--model-arg {name}=VALUE" for name in lacking)
        calls = _listed([factory.call for factory in found])
        return UsageError(
            f"{file} has no network that can be built{given}; it defines {calls}.",
            f"Give the arguments, such as --model {file}:{found[0].name} {words}".rstrip()
            + ", or write a function that takes none.",
        )
    public = [name for name in definitions.own if not name.startswith("_")]
    defines = f"; it defines {_listed(public)}" if public else ""
    return UsageError(
        f"{file} defines no function that returns a network, and no network, that can be recognised{defines}.",
        f"Name the function or the class: --model {file}:{public[0] if len(public) == 1 else 'NAME'}",
    )


def _several(file: str, candidates: Sequence[Factory], which: str) -> UsageError:
    names = [factory.name for factory in candidates]
    return UsageError(
        f"{file} has {len(names)} networks to choose from: {_listed(names)}.{which}",
        f"Name one: --model {file}:{names[0]}",
    )


def _fitting(file: str, candidates: Sequence[Factory], request: ModelRequest) -> list[Factory]:
    """The candidates whose tensors have the names and shapes of the weights."""
    assert request.weights is not None
    state, _ = read_state(request.weights, trust=request.trust_checkpoint)
    code = load_module(file)
    outputs = request.num_classes or outputs_of(state)
    fitting = []
    with neighbours_first(Path(file).expanduser()):
        for factory in candidates:
            asks = NUM_CLASSES in (*factory.parameters.required, *factory.parameters.optional)
            arguments = {NUM_CLASSES: outputs} if asks and outputs is not None else {}
            module = _on_meta(get_attribute(code, factory.name, file), {**arguments, **request.model_args})
            if module is not None and fits(module, state):
                fitting.append(factory)
    return fitting


def _on_meta(factory: Any, arguments: dict[str, Any]) -> nn.Module | None:
    """The network without memory for its tensors; None if it cannot be built so."""
    try:
        with torch.device("meta"):
            built = factory if isinstance(factory, nn.Module) else factory(**arguments)
    except Exception:  # noqa: BLE001, the user's code may raise anything; the chosen factory is called again
        return None
    module = as_module(built)
    return module if isinstance(module, nn.Module) else None


def _listed(names: Sequence[str], last: str = "and") -> str:
    shown = [*names[:_SHOWN], *([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
