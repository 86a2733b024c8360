"""Maps from classes to outputs."""

from __future__ import annotations

from fuzzing import text_file
from strange_texts import read

_SAMPLES = [
    b'{"a": [281, 282], "b": 151}',
    b"class,output\na,281,282\nb;151\n",
]

KIND = text_file("map.json", _SAMPLES, read)
