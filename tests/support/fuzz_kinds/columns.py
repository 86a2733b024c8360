"""Layouts of tables."""

from __future__ import annotations

from fuzzing import text_file
from strange_texts import read

_SAMPLES = [
    b"title: a\nsort: [b]\ndigits: 3\ncolumns:\n- {label: b, benchmark: 'imagenet*|digits', metric: accuracy}\n",
]

KIND = text_file("columns.yaml", _SAMPLES, read)
