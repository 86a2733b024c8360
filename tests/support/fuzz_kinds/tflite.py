"""Networks of TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path

from fuzzing import Kind
from robustbench_eff import load_classifier
from small_tflite import small_tflite


def _samples(_folder: Path) -> list[bytes]:
    return [small_tflite(softmax=True), small_tflite("int8", (1 / 255, -128))]


def _read(content: bytes, folder: Path) -> object:
    file = folder / "network.tflite"
    file.write_bytes(content)
    return load_classifier(f"tflite:{file}", device="cpu", input_size=8)


KIND = Kind(_samples, _read, inputs=8)
