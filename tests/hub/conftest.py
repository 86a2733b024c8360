"""What the cases share: the hub, and small models of the libraries that use it."""

from __future__ import annotations

from pathlib import Path

import pytest

import loopback_hub
from small_models import save_small_vit


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> loopback_hub.LoopbackHub:
    """The hub of this process, without failures; clients repeat what fails without waiting."""
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    loopback_hub.current.failures.clear()
    return loopback_hub.current


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that save_pretrained wrote: five named classes, 32 pixels."""
    folder = tmp_path_factory.mktemp("saved") / "vit"
    save_small_vit(folder)
    return folder
