"""Small networks in ONNX, made without torch: eight by eight pixels, and five classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES, SIDE = 5, 8


def small_onnx(
    shape: Sequence[int | str] = ("batch", 3, SIDE, SIDE),
    *,
    kind: int = TensorProto.FLOAT,
    classes: int = CLASSES,
    last: str = "",
    domain: str = "",
) -> onnx.ModelProto:
    """Return a linear network of the pixels.

    Args:
        shape: Shape of its images.
        kind: Type of its images.
        classes: Number of its outputs.
        last: Operator after the last layer, such as `Softmax`.
        domain: Where that operator is defined; ONNX by default.
    """
    draw = np.random.default_rng(0)
    pixels = int(np.prod([side for side in shape[1:] if isinstance(side, int)]))
    weights = numpy_helper.from_array(draw.normal(size=(pixels, classes)).astype(np.float32) / 4, "weights")
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node(last or "Identity", ["scores"], ["logits"], domain=domain),
    ]
    images = helper.make_tensor_value_info("images", kind, list(shape))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [shape[0], classes])
    graph = helper.make_graph(nodes, "small", [images], [logits], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answers(network: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """Return what a linear network of `small_onnx` without a last operator answers, computed by NumPy.

    Args:
        network: The network.
        images: Its images, in its own layout.
    """
    weights: np.ndarray = numpy_helper.to_array(network.graph.initializer[0])
    return images.reshape(len(images), -1).astype(np.float32) @ weights
