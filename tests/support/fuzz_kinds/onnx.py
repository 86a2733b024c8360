"""Networks in ONNX."""

from __future__ import annotations

from pathlib import Path

from fuzzing import Kind
from robustbench_eff import load_classifier
from small_onnx import small_onnx


def _read(content: bytes, folder: Path) -> object:
    file = folder / "network.onnx"
    file.write_bytes(content)
    return load_classifier(f"onnx:{file}", device="cpu", input_size=8)


KIND = Kind(lambda _folder: [small_onnx(last="Softmax").SerializeToString()], _read, inputs=8)
