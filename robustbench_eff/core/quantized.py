"""Which networks have no gradient: those that compute with integers, on a CPU only, and those outside of torch."""

from __future__ import annotations

from torch import nn

INTEGER_OPERATORS = "quantized::"
"""Namespace of torch's operators on integers in TorchScript."""


def integer_layer(network: object) -> str:
    """Return the name of a layer that computes with integers, empty if there is none.

    Args:
        network: Any network; one that is not an `nn.Module` has no layers.
    """
    if not isinstance(network, nn.Module):
        return ""
    return next((name or type(part).__name__ for name, part in network.named_modules() if _is_integer(part)), "")


def outside_torch(network: object) -> str:
    """Return the name of the runtime that computes a network in torch's place, empty if torch does.

    Args:
        network: Any network; one that is not an `nn.Module` is torch's.
    """
    if not isinstance(network, nn.Module):
        return ""
    return next((name for part in network.modules() if isinstance(name := vars(part).get("outside_torch"), str)), "")


def without_gradient(network: object) -> str:
    """Return why a network has no gradient, such as `computes with integers in fc`; empty if nothing is known.

    Args:
        network: Any network.
    """
    if layer := integer_layer(network):
        return f"computes with integers in {layer}"
    if runtime := outside_torch(network):
        return f"runs in {runtime}, outside of torch"
    return ""


def has_no_mode(part: nn.Module) -> bool:
    """Return whether a module computes the same in train mode: torch's own integer layers, and the identity.

    Args:
        part: Any module.
    """
    kind = type(part)
    # Float networks use FloatFunctional, which is in the same package.
    is_integer = "quantized" in kind.__module__ and "FloatFunctional" not in kind.__name__
    return kind is nn.Identity or (kind.__module__.startswith("torch.ao.nn") and is_integer)


def _is_integer(part: nn.Module) -> bool:
    if type(part) is not nn.Identity and has_no_mode(part):
        return True
    graph = getattr(part, "inlined_graph", None)  # of TorchScript
    return graph is not None and INTEGER_OPERATORS in str(graph)
