"""Configurations of models that transformers saved."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForImageClassification, ViTForImageClassification

from fuzzing import text_file
from robustbench_eff.models import transformers_networks as networks
from robustbench_eff.models.request import ModelRequest

_CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "model_type": "vit",
    "hidden_size": 4,
    "intermediate_size": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 8,
    "id2label": {"0": "cat", "1": "dog"},
    "label2id": {"cat": 0, "dog": 1},
}


# What takes seconds to import is imported before inputs are timed.
_IMPORTED = AutoConfig, AutoModelForImageClassification, ViTForImageClassification


def _read(file: Path) -> object:
    weights = file.with_name("model.safetensors")
    if not weights.exists():
        save_file({"classifier.weight": torch.zeros(2, 4)}, weights)
    with networks.quiet():
        request = ModelRequest(name="hf:./fuzz")
        return networks.build(file.parent, weights, networks.describe(file.parent, "fuzz", request), request)


KIND = text_file("fuzz/config.json", [json.dumps(_CONFIG, indent=1).encode()], _read)
