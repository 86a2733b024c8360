"""Lists of classes in the order of the outputs."""

from __future__ import annotations

from fuzzing import text_file
from strange_texts import read

_SAMPLES = [
    b'["b", "a"]',
    b'{"b": 0, "a": 1, "c": 2}',
    b'{"id2label": {"0": "a", "1": "b"}, "architectures": ["Net"]}',
    b"b\na\n",
]

KIND = text_file("order.json", _SAMPLES, read)
