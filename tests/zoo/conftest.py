"""No network, and a user's model file."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_models import USER_MODEL


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, and nothing in its caches."""
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: False)
    monkeypatch.setattr("robustbench_eff.system.network.cached_on_hugging_face", lambda *names: False)
    monkeypatch.setattr("robustbench_eff.system.network.cached_by_torch", lambda url: False)


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "their_model.py"
    path.write_text(USER_MODEL)
    return path
