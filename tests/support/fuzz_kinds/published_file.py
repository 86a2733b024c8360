"""RobustBench's files."""

from __future__ import annotations

from fuzzing import text_file
from strange_texts import read

_SAMPLES = [
    b'{"dataset": "cifar10", "eps": "8/255", "clean_acc": "94.2", "autoattack_acc": "50", "reported": 51.5, '
    b'"external": null, "unreliable": true, "architecture": "WideResNet-28-10"}',
]

KIND = text_file("cifar10/Linf/Some2020Model.json", _SAMPLES, read)
