"""How robust is this image classifier, really? `evaluate` and `load_classifier` are the main job, `train` the other."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Settings": "robustbench_eff.api.settings",
    "TrainSettings": "robustbench_eff.api.train_settings",
    "evaluate": "robustbench_eff.api.evaluate",
    "load_classifier": "robustbench_eff.api.models",
    "train": "robustbench_eff.api.train",
}

__all__ = ["Settings", "TrainSettings", "evaluate", "load_classifier", "train", "__version__"]

if TYPE_CHECKING:
    from robustbench_eff.api.evaluate import evaluate
    from robustbench_eff.api.models import load_classifier
    from robustbench_eff.api.settings import Settings
    from robustbench_eff.api.train import train
    from robustbench_eff.api.train_settings import TrainSettings


def __getattr__(name: str) -> Any:
    """Public names are looked up when first used, so that importing the package stays light."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
