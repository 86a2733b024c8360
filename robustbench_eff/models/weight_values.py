"""Whether the tensors of a file are weights of a network: plain, of the same kind of number, and finite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError

NAME_LENGTH = 80
"""Letters of a tensor's name that a message shows."""
COUNTER = "num_batches_tracked"
"""End of the name of a batch norm's counter, which evaluation does not use."""
_FORMS: tuple[tuple[Callable[[Tensor], bool], str, str], ...] = (
    (lambda value: value.is_meta, "has no values (device meta)", "Save the network after its weights are loaded."),
    (lambda value: value.is_nested, "is nested", "Save a plain tensor."),
    (lambda value: value.layout != torch.strided, "is sparse", "Save a dense tensor: state[NAME].to_dense()."),
    (
        lambda value: value.is_quantized,
        "is quantised",
        "Save a plain tensor, state[NAME].dequantize(); or load the quantised network in a factory.",
    ),
    (
        lambda value: type(value) not in (Tensor, nn.Parameter, nn.Buffer),
        "is no plain tensor, but of a class of its own",
        "Save a plain tensor.",
    ),
)
"""What a tensor may be instead of a plain one, how that is said, and what to do."""


def shown(name: object) -> str:
    """Return a name for a message: short, and without characters that a terminal obeys.

    Args:
        name: Key of a dictionary from a file.
    """
    if not isinstance(name, str | int):
        return f"a {type(name).__name__}"
    text = str(name)[: NAME_LENGTH + 1]
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= NAME_LENGTH else f"{text[:NAME_LENGTH]}…"


def shape_text(value: Tensor) -> str:
    """Return the shape of a tensor for a message.

    Args:
        value: Any tensor.
    """
    return "nested" if value.is_nested else str(tuple(value.shape))


def has_shape(value: Tensor, wanted: Tensor) -> bool:
    """Return whether a tensor of a file has the shape of the network's; a nested one, which has none, passes.

    Args:
        value: Tensor of the file.
        wanted: Tensor of the network.
    """
    return value.is_nested or value.shape == wanted.shape


def check_values(
    wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], parameters: Collection[str], path: Path
) -> tuple[str, ...]:
    """Check tensors that have the names and shapes of a network's.

    Args:
        wanted: Tensors of the network.
        state: Tensors of the file, by the same names.
        parameters: Names of the network's parameters; other tensors may be infinite, such as a mask.
        path: The file, for messages.

    Returns:
        Notes on numbers that are converted to another type.

    Raises:
        ModelError: A tensor is of another form than the network's, of another kind of number, or not finite.
    """
    rounded: dict[str, int] = {}
    for name, value in state.items():
        target, place = wanted[name], f"{name} of {path}"
        _check_form(value, target, place)
        if name.endswith(COUNTER):
            continue
        if _kind(value) != _kind(target):
            raise ModelError(
                f"{place} holds {_type(value)}, where the network has {_type(target)}.",
                f"Save it as {_type(target)}, with its scale applied if it has one.",
            )
        if not value.is_floating_point() or value.layout != torch.strided or value.is_quantized:
            continue
        _check_finite(value, target, name in parameters, place)
        if value.dtype != target.dtype and not _is_exact(value, target.dtype):
            conversion = f"{_type(value)} to {_type(target)}"
            rounded[conversion] = rounded.get(conversion, 0) + 1
    return tuple(f"{count} tensors rounded from {conversion}" for conversion, count in rounded.items())


def _check_form(value: Tensor, target: Tensor, place: str) -> None:
    for differs, what, hint in _FORMS:
        if differs(value) and not differs(target):
            raise ModelError(f"{place} {what}.", hint)


def _check_finite(value: Tensor, target: Tensor, is_parameter: bool, place: str) -> None:
    numbers = value if value.dtype.itemsize > 1 else value.float()
    if bool(numbers.isnan().any()):
        raise ModelError(
            f"{place} holds NaN, in {int(numbers.isnan().sum())} of {numbers.numel()} numbers.",
            "The training failed, or the file is damaged: use an earlier checkpoint.",
        )
    if is_parameter and bool(numbers.isinf().any()):
        raise ModelError(
            f"{place} holds infinite numbers, {int(numbers.isinf().sum())} of {numbers.numel()}.",
            "The training failed, or float16 was too small for them: use an earlier checkpoint, or save float32.",
        )
    if bool((numbers.to(target.dtype).isinf() & ~numbers.isinf()).any()):
        raise ModelError(f"{place} holds numbers beyond {_type(target)}.", "Use an earlier checkpoint.")


def _is_exact(value: Tensor, dtype: torch.dtype) -> bool:
    return torch.equal(value.double(), value.to(dtype).double())


def _kind(value: Tensor) -> str:
    if value.dtype == torch.bool:
        return "bool"
    return "float" if value.is_floating_point() else "complex" if value.is_complex() else "int"


def _type(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
