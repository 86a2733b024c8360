"""timm's tables of results."""

from __future__ import annotations

from fuzzing import text_file
from strange_texts import read

_SAMPLES = [
    b"model,top1,top5,img_size\nresnet50,80.1,95,224\nresnet50,81.2,95.5,288\nvit,85,97,\n",
]

KIND = text_file("results-imagenet.csv", _SAMPLES, read)
