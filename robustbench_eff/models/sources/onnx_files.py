"""`onnx:FILE`: a network in ONNX, computed by onnxruntime on the CPU; a black box without gradients."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from robustbench_eff.core.errors import Missing, MissingExtra, ModelError, UsageError, reason
from robustbench_eff.core.outside_files import check_file

from ..assumed import PIXELS
from ..black_box import AnswerFormat, Array, BlackBox, ImageFormat
from ..model_file import MAX_MODEL_BYTES, finished, missing_file, preprocessing_for, read_model, source_of
from ..native_trial import check_survives
from ..request import LoadedModule, ModelRequest

TYPES: Mapping[str, str] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
"""NumPy's names of the types of images that are accepted, by ONNX's."""
LESS_SAVED = "Save it as one file of a network alone: onnx.save(onnx.load(FILE), NEW)."


class OnnxNetwork:
    """A network in ONNX; its session is opened when it is first needed, also after unpickling."""

    library = "onnxruntime"

    def __init__(self, content: bytes, name: str) -> None:
        """Hold a network.

        Args:
            content: The file, with all of its weights.
            name: Name of the network, for messages.
        """
        self.content, self.name = content, name
        self._session: Any = None
        self._threads = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling and hashing by the content of the file: a session can be neither pickled nor copied."""
        return OnnxNetwork, (self.content, self.name)

    def run(self, images: Array) -> list[Array]:
        """Return every output for a batch. See `Runtime`.

        Args:
            images: Images in the layout and type of the network.

        Raises:
            ModelError: It cannot be computed for them.
        """
        session = self.session()
        try:
            outputs: list[Array] = session.run(None, {session.get_inputs()[0].name: images})
        except Exception as error:  # onnxruntime derives each of its errors from Exception alone
            raise ModelError(
                f"onnxruntime fails on a batch of shape {images.shape}: {reason(error)}",
                "If the network takes images of another size, pass --input-size.",
            ) from error
        return outputs

    def session(self) -> Any:
        """Return the session, which computes with as many threads as torch does.

        Raises:
            ModelError: The network is not valid, or has operators that onnxruntime lacks.
        """
        if self._session is None or self._threads != torch.get_num_threads():
            self._threads = torch.get_num_threads()
            self._session = _open(self.content, self.name, self._threads)
        return self._session


def _open(content: bytes, name: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # its errors arrive as exceptions
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other processes need the cores
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime derives each of its errors from Exception alone
        raise ModelError(
            f"onnxruntime cannot load {name}: {reason(error)}",
            "Operators of other libraries are not loaded; export the network with standard ones.",
        ) from error


@dataclass(frozen=True, slots=True)
class OnnxFiles:
    """Networks in ONNX, by their files. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the file if it does not exist. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.

        Raises:
            MissingExtra: onnxruntime or onnx is not installed.
        """
        for package in ("onnxruntime", "onnx"):
            if importlib.util.find_spec(package) is None:
                raise MissingExtra(package, "onnx")
        return missing_file(target, request)

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the network of a file. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.
        """
        file = Path(target).expanduser()
        content = _self_contained(read_model(file), file)
        check_survives(content, OnnxNetwork.library, str(file))
        network = OnnxNetwork(content, str(file))
        images = _images(network)
        preprocessing = preprocessing_for(request, images.size, images.format.channels)
        if images.format.dtype == "uint8" and request.mean is not None:
            raise UsageError(f"{request.name} takes bytes from 0 to 255, and no --mean and --std.", "Leave them out.")
        notes = images.notes if request.mean is None else images.notes[1:]
        box = BlackBox(network, images.format, AnswerFormat())
        return finished(box, preprocessing, request, source_of("onnx", content), notes)

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `custom` by default. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.
        """
        del target
        return request.label_space("custom")


ONNX_FILES = OnnxFiles()


class _Images(NamedTuple):
    format: ImageFormat
    size: tuple[int, int] | None
    notes: tuple[str, ...]
    """The first one is about normalisation."""


def _images(network: OnnxNetwork) -> _Images:
    """The images that a network takes, by what it states."""
    inputs = network.session().get_inputs()
    if len(inputs) != 1:
        raise ModelError(
            f"{network.name} has {len(inputs)} inputs ({', '.join(item.name for item in inputs)}), not images alone."
        )
    kind, shape = inputs[0].type, inputs[0].shape
    if kind not in TYPES or len(shape) != 4:
        raise ModelError(
            f"{network.name} takes {kind} of shape {tuple(shape)}, not images of shape (N, C, H, W) or (N, H, W, C).",
            f"Types of images: {', '.join(TYPES)}.",
        )
    batch, *image = [side if isinstance(side, int) and side > 0 else None for side in shape]
    if image[0] in (1, 3) or (image[0] is None and image[2] is None):
        layout, channels, size = "(N, C, H, W)", image[0] or 3, image[1:]
    elif image[2] in (1, 3):
        layout, channels, size = "(N, H, W, C)", image[2], image[:2]
    else:
        raise ModelError(f"{network.name} takes images of shape {tuple(shape)}, with neither 1 nor 3 channels.")
    notes = ["its images are bytes from 0 to 255, rounded" if TYPES[kind] == "uint8" else PIXELS]
    if image[0] is None and image[2] is None:
        notes.append("its file does not state the layout of images: (N, 3, H, W) is assumed")
    found = ImageFormat(
        batch=batch, channels=channels, channels_last=layout == "(N, H, W, C)", dtype=TYPES[kind], scale=1 / 255
    )
    height, width = size
    return _Images(found, None if height is None or width is None else (height, width), tuple(notes))


def _self_contained(content: bytes, file: Path) -> bytes:
    """The network with the weights that its file keeps in others, which must lie in the same folder or below it."""
    import onnx
    from google.protobuf.message import DecodeError
    from onnx.external_data_helper import load_external_data_for_tensor

    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ModelError(f"{file} is not an ONNX file, or is damaged: {reason(error)}.") from error
    if not model.graph.node:
        raise ModelError(f"{file} is not an ONNX file: it holds no network.")
    outside = [tensor for tensor in _tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in outside:
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        place = file.parent / location
        if not location or not place.resolve().is_relative_to(file.parent.resolve()):
            raise ModelError(f"{file} reads weights from {location!r}, outside its folder.", LESS_SAVED)
        check_file(place, ModelError, limit=MAX_MODEL_BYTES)
        try:
            load_external_data_for_tensor(tensor, str(file.parent))
        except Exception as error:  # onnx's checker has errors of its own for files that do not hold the tensor
            raise ModelError(f"{file} cannot read its weights from {location}: {reason(error)}", LESS_SAVED) from error
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    if not outside:
        return content
    if model.ByteSize() > MAX_MODEL_BYTES:
        raise ModelError(f"{file} has more than 2 GiB of weights.", "Such a large network is not read.")
    complete: bytes = model.SerializeToString(deterministic=True)
    return complete


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor of a network, wherever it is: in graphs, in attributes, in functions."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in value if field.is_repeated else [value]:
            if field.message_type.name == "TensorProto":
                yield item
            else:
                yield from _tensors(item)
