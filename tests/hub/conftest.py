"""What the cases share: the hub, and small models of the libraries that use it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import loopback_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> loopback_hub.LoopbackHub:
    """The hub of this process, without failures; clients repeat what fails without waiting."""
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    loopback_hub.current.failures.clear()
    return loopback_hub.current


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that save_pretrained wrote: five named classes, 32 pixels."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    names = ["ant", "bee", "cat", "dog", "eel"]
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("saved") / "vit"
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6]).save_pretrained(folder)
    return folder
