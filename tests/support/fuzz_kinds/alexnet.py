"""AlexNet's figures."""

from __future__ import annotations

from fuzzing import text_file
from strange_texts import read

_SAMPLES = [
    b'{"imagenet_c": {"clean_error": 0.4, "per_severity": {"fog": [0.1, 0.2, 0.3, 0.4, 0.5]}}, '
    b'"imagenet_p": {"flip_probability": {"tilt": 0.1}}}',
]

KIND = text_file("alexnet.json", _SAMPLES, read)
