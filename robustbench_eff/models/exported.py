"""Networks that are programs: TorchScript, and `torch.export`, which fixes the mode and often the shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.nn.parameter import is_lazy

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.quantized import has_no_mode, integer_layer

MODE_ARGUMENTS = ("train", "training")
"""Arguments of the operators whose result depends on the mode: dropout and batch norm."""


def as_module(model: Any) -> Any:
    """Return the module of an `ExportedProgram`, and anything else as it is.

    Args:
        model: Any object.
    """
    kind = type(model)
    # By name, so that torch.export, which is slow to import, is not needed for other models.
    if kind.__name__ == "ExportedProgram" and kind.__module__.startswith("torch.export"):
        return model.module()
    return model


def name_of(module: nn.Module) -> str:
    """Return the name of a module's class, for TorchScript that of the original one.

    Args:
        module: Any network.
    """
    return str(getattr(module, "original_name", type(module).__name__))


def set_eval(module: nn.Module) -> None:
    """Put a module into eval mode, exported parts as `mark_eval` does.

    Args:
        module: Any network.
    """
    if not _exported_parts(module):
        module.eval()
        return
    mark_eval(module)
    for part in module.modules():
        part.training = False


def mark_eval(module: nn.Module) -> None:
    """Check that exported parts were exported in eval mode, and mark them and the modules around them so.

    Torch marks every exported module as in train mode, and neither it nor a module around it can be put into eval mode.
    It leaves the layers that quantisation replaces in train mode too, though they have none.

    Args:
        module: Any network.

    Raises:
        ModelError: A part was exported in train mode.
    """
    for part in module.modules():
        if has_no_mode(part):
            part.training = False
    exported_parts = _exported_parts(module)
    for exported in exported_parts:
        if operators := [str(node.target) for node in exported.graph.nodes if _is_in_train_mode(node)]:
            raise ModelError(
                f"{name_of(module)} was exported in train mode: {operators[0]} depends on the batch or on chance.",
                "Call eval() on the original network, and export it again.",
            )
    inner = {id(part) for exported in exported_parts for part in exported.modules()}
    for part in module.modules() if inner else ():
        if any(id(child) in inner for child in part.modules()):
            part.training = False


def check_shape(module: nn.Module, shape: tuple[int, int]) -> None:
    """Check that an exported network takes batches of any size, and images of this shape.

    Args:
        module: Any network; only one that is exported as a whole is checked.
        shape: Height and width of the images.

    Raises:
        ModelError: It does not.
    """
    stated = _image_shape(module)
    if stated is None:
        return
    batch, *image = stated
    if isinstance(batch, int):
        raise ModelError(
            f"The network was exported for batches of exactly {batch} image{'' if batch == 1 else 's'}.",
            "Export it with dynamic_shapes=({0: torch.export.Dim('batch')},) and an example of at least 2 images.",
        )
    height, width = (int(side) if isinstance(side, int) else None for side in image[1:])
    if height not in (None, shape[0]) or width not in (None, shape[1]):
        raise ModelError(
            f"The network was exported for images of {height}×{width} pixels, not {shape[0]}×{shape[1]} "
            "(height × width).",
            f"Pass --input-size {height}x{width}, or input_size=({height}, {width}) in Python.",
        )


def fixed_batch(module: nn.Module) -> int | None:
    """Return the number of images that a network takes if it was exported for batches of one size; None for any.

    Args:
        module: Any network; only one that is exported as a whole is looked at.
    """
    shape = _image_shape(module)
    return shape[0] if shape is not None and isinstance(shape[0], int) else None


def stated_size(module: nn.Module) -> tuple[int, int] | None:
    """Return the height and width of the images that a network was exported for; None if it takes any.

    Args:
        module: Any network; only one that is exported as a whole is looked at.
    """
    height, width = (_image_shape(module) or (None, None, None, None))[2:]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def failure_hint(module: nn.Module, device: torch.device) -> str:
    """Return what may help with a network that fails on a batch of images.

    Args:
        module: The network.
        device: Device of the images.
    """
    if integer_layer(module) and device.type != "cpu":
        return "Networks that compute with integers run on a CPU only: --device cpu."
    if hasattr(module, "inlined_graph"):
        return (
            "A traced module may only work for the batch and image size of its example: use torch.jit.script, or the "
            "original network; the image size is set with --input-size."
        )
    return "Its forward must take the images alone, at this size: see --input-size and --model-arg."


def _image_shape(module: nn.Module) -> tuple[Any, ...] | None:
    """The shape of the images that a network was exported for as a whole, with symbols for what may vary."""
    if not isinstance(module, GraphModule) or not any(part is module for part in _exported_parts(module)):
        return None
    inputs = [node.meta["val"].shape for node in module.graph.nodes if node.op == "placeholder" and "val" in node.meta]
    return tuple(inputs[0]) if len(inputs) == 1 and len(inputs[0]) == 4 else None


def _exported_parts(module: nn.Module) -> list[GraphModule]:
    """The parts that torch.export made, whose `eval` it replaces by a function that raises an error."""
    return [part for part in module.modules() if isinstance(part, GraphModule) and "eval" in vars(part)]


def _is_in_train_mode(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None:
        return False
    given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False)) | node.kwargs
    return any(given.get(name) is True for name in MODE_ARGUMENTS)


def check_initialised(model: nn.Module) -> None:
    """Raise ModelError if a parameter or buffer has no values yet.

    Args:
        model: Any network.
    """
    tensors = (*model.named_parameters(), *model.named_buffers())
    if lacking := [name for name, value in tensors if is_lazy(value)]:
        raise ModelError(
            f"{lacking[0]} of {type(model).__name__} is not initialised: a lazy layer draws its weights when it is "
            "first called.",
            "Call the module once on a batch, load its weights, and then evaluate it.",
        )
