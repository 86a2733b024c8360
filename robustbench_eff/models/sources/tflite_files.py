"""`tflite:FILE`: a network of TensorFlow Lite, computed by ai-edge-litert on the CPU; a black box without gradients."""

from __future__ import annotations

import dataclasses
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from robustbench_eff.core.errors import Missing, MissingExtra, ModelError, reason

from ..assumed import PIXELS
from ..black_box import AnswerFormat, Array, BlackBox, ImageFormat
from ..model_file import finished, missing_file, preprocessing_for, read_model, source_of
from ..native_trial import check_survives
from ..request import LoadedModule, ModelRequest

IDENTIFIER = b"TFL3"
"""Bytes 4 to 7 of a file."""
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0))
"""Values that black and white have in networks of whole numbers whose steps are those of bytes."""
ALMOST = 0.02
"""Deviation from such a range, in parts of its width, up to which it is recognised."""
STEP_OF_PROBABILITIES = 1 / 256
"""Step of the outputs of a softmax or a sigmoid in whole numbers of 8 bits, which TensorFlow Lite prescribes."""
Size = tuple[int, int]


class TfliteNetwork:
    """A network of TensorFlow Lite; its interpreter is opened when it is first needed, also after unpickling."""

    library = "ai-edge-litert"

    def __init__(self, content: bytes, name: str, shape: tuple[int, ...] | None = None) -> None:
        """Hold a network.

        Args:
            content: The file.
            name: Name of the network, for messages.
            shape: Shape of its images, for a file that does not state it.
        """
        self.content, self.name, self.shape = content, name, shape
        self._interpreter: Any = None
        self._threads = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling and hashing by the content of the file: an interpreter can be neither pickled nor copied."""
        return TfliteNetwork, (self.content, self.name, self.shape)

    def run(self, images: Array) -> list[Array]:
        """Return every output for a batch. See `Runtime`.

        Args:
            images: Images in the layout and type of the network.

        Raises:
            ModelError: It cannot be computed for them.
        """
        interpreter = self.interpreter()
        try:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.library} fails on a batch of shape {images.shape}: {reason(error)}") from error
        return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]

    def interpreter(self) -> Any:
        """Return the interpreter, which computes with as many threads as torch does.

        Raises:
            ModelError: The network is not valid, or has operators that the library lacks.
        """
        if self._interpreter is None or self._threads != torch.get_num_threads():
            self._threads = torch.get_num_threads()
            self._interpreter = self._open()
        return self._interpreter

    def _open(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=self.content, num_threads=self._threads)
            if self.shape is not None:
                interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], self.shape)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self.library} cannot load {self.name}: {reason(error)}",
                "Operators of TensorFlow and other libraries are not loaded: convert it with built-in ones alone.",
            ) from error
        return interpreter


@dataclass(frozen=True, slots=True)
class TfliteFiles:
    """Networks of TensorFlow Lite, by their files. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the file if it does not exist. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.

        Raises:
            MissingExtra: ai-edge-litert is not installed.
        """
        if importlib.util.find_spec("ai_edge_litert") is None:
            raise MissingExtra("ai-edge-litert", "tflite")
        return missing_file(target, request)

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the network of a file. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.
        """
        file = Path(target).expanduser()
        content = read_model(file)
        if content[4:8] != IDENTIFIER:
            raise ModelError(f"{file} is not a file of TensorFlow Lite: its bytes 4 to 7 are not TFL3.")
        check_survives(content, TfliteNetwork.library, str(file))
        network = TfliteNetwork(content, str(file))
        interpreter = network.interpreter()
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        images = _images(inputs, network.name, request)
        preprocessing = preprocessing_for(request, images.size, images.format.channels)
        if images.size is None:
            shape = (images.format.batch or 1, *preprocessing.geometry.shape, images.format.channels)
            network = TfliteNetwork(content, str(file), shape)
        box = BlackBox(network, images.format, _answers(outputs[0]))
        return finished(box, preprocessing, request, source_of("tflite", content), images.notes)

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `custom` by default. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.
        """
        del target
        return request.label_space("custom")


TFLITE_FILES = TfliteFiles()


class _Images(NamedTuple):
    format: ImageFormat
    size: Size | None
    notes: tuple[str, ...]


def _images(inputs: list[dict[str, Any]], name: str, request: ModelRequest) -> _Images:
    """The images that a network takes, by what its file states; its layout is always (N, H, W, C)."""
    if len(inputs) != 1:
        raise ModelError(f"{name} has {len(inputs)} inputs, not images alone.")
    shape, signature, dtype = inputs[0]["shape"], inputs[0]["shape_signature"], np.dtype(inputs[0]["dtype"])
    if len(shape) != 4 or dtype.name not in ("float32", "uint8", "int8"):
        raise ModelError(f"{name} takes {dtype.name} of shape {tuple(map(int, shape))}, not images of (N, H, W, C).")
    batch, height, width, channels = map(int, shape)
    if channels not in (1, 3):
        raise ModelError(f"{name} takes images with {channels} channels, not 1 or 3.")
    found = ImageFormat(batch=batch, channels=channels, channels_last=True, dtype=dtype.name)
    size = None if min(signature[1:3]) < 0 else (height, width)
    if dtype.kind == "f":
        return _Images(found, size, () if request.mean is not None else (PIXELS,))
    scale, zero_point = inputs[0]["quantization"]
    return _whole_numbers(found, size, (float(scale), int(zero_point)), name, request)


def _whole_numbers(
    images: ImageFormat, size: Size | None, step: tuple[float, int], name: str, request: ModelRequest
) -> _Images:
    """The images of a network that takes bytes; the user's normalisation gives numbers that its steps express."""
    (scale, zero_point), least = step, int(np.iinfo(images.dtype).min)
    if request.mean is not None and scale:
        note = f"its images are rounded to {images.dtype}, in steps of {scale:.4g}"
        return _Images(dataclasses.replace(images, scale=scale, zero_point=zero_point), size, (note,))
    if request.mean is not None:
        raise ModelError(f"{name} takes bytes, and no --mean and --std.", "Leave them out.")
    black, white = ((least + byte - zero_point) * scale for byte in (0, 255))
    if scale and not any(_is_almost(black, white, *known) for known in RANGES):
        raise ModelError(
            f"{name} takes bytes that stand for {black:.3g} to {white:.3g}, which is no usual range of pixels.",
            "State how its images were normalised with --mean and --std, such as --mean 0.485,0.456,0.406 --std "
            "0.229,0.224,0.225.",
        )
    note = f"its images are bytes, rounded: black is {least} and white {least + 255}"
    note += f", which stand for {black:.3g} and {white:.3g}" if scale else ""
    return _Images(dataclasses.replace(images, scale=1 / 255, zero_point=least), size, (note,))


def _is_almost(black: float, white: float, low: float, high: float) -> bool:
    return max(abs(black - low), abs(white - high)) <= ALMOST * (high - low)


def _answers(output: dict[str, Any]) -> AnswerFormat:
    """How whole numbers of an output are read. Those of a softmax are known by their prescribed step."""
    scale, zero_point = map(float, output["quantization"])
    dtype = np.dtype(output["dtype"])
    if dtype.kind == "f" or not scale:
        return AnswerFormat()
    is_probability = scale == STEP_OF_PROBABILITIES and zero_point == np.iinfo(dtype).min
    least = STEP_OF_PROBABILITIES / 2 if is_probability else 0.0
    return AnswerFormat(scale=scale, zero_point=int(zero_point), least_probability=least)
