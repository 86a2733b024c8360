"""Small networks of TensorFlow Lite: one layer over all pixels of eight by eight, and five classes."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

CLASSES, SIDE, PIXELS = 5, 8, 8 * 8 * 3
TYPES = {"float32": schema.TensorType.FLOAT32, "uint8": schema.TensorType.UINT8, "int8": schema.TensorType.INT8}
Step = tuple[float, int]


def weights() -> np.ndarray:
    """Return the weights of every network, shape (classes, pixels); pixels are in the order of the layout NHWC."""
    draw: np.ndarray = np.random.default_rng(0).normal(size=(CLASSES, PIXELS)).astype(np.float32) / 4
    return draw


def small_tflite(kind: str = "float32", step: Step | None = None, *, softmax: bool = False, batch: int = 1) -> bytes:
    """Return a network that dequantises its images if they are whole numbers, and answers in floats.

    Args:
        kind: Type of its images: `float32`, `uint8` or `int8`.
        step: Scale and zero point of whole numbers.
        softmax: Whether it ends with one.
        batch: Number of images that it takes at once.
    """
    model = schema.ModelT()
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []

    def tensor(name: str, shape: tuple[int, ...], dtype: str = "float32", values: np.ndarray | None = None) -> int:
        made, made.name, made.shape, made.type = schema.TensorT(), name, list(shape), TYPES[dtype]
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            model.buffers.append(buffer)
            made.buffer = len(model.buffers) - 1
        if step is not None and dtype != "float32":
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [step[0]], [step[1]]
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def layer(code: int, inputs: list[int], output: int, options: Any = None, kind_of_options: int = 0) -> int:
        operator_code, operator = schema.OperatorCodeT(), schema.OperatorT()
        operator_code.builtinCode = operator_code.deprecatedBuiltinCode = code
        operator_code.version = 1
        model.operatorCodes.append(operator_code)
        operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes) - 1, inputs, [output]
        operator.builtinOptions, operator.builtinOptionsType = options, kind_of_options
        graph.operators.append(operator)
        return output

    images = current = tensor("images", (batch, SIDE, SIDE, 3), kind)
    if kind != "float32":
        codes = schema.BuiltinOperator
        current = layer(codes.DEQUANTIZE, [images], tensor("floats", (batch, SIDE, SIDE, 3)))
    dense = schema.FullyConnectedOptionsT()
    inputs = [current, tensor("weights", (CLASSES, PIXELS), values=weights())]
    output = tensor("scores", (batch, CLASSES))
    options = schema.BuiltinOptions.FullyConnectedOptions
    current = layer(schema.BuiltinOperator.FULLY_CONNECTED, [*inputs, -1], output, dense, options)
    if softmax:
        soft = schema.SoftmaxOptionsT()
        soft.beta = 1.0
        output = tensor("probabilities", (batch, CLASSES))
        current = layer(schema.BuiltinOperator.SOFTMAX, [current], output, soft, schema.BuiltinOptions.SoftmaxOptions)
    graph.inputs, graph.outputs, model.subgraphs = [images], [current], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
