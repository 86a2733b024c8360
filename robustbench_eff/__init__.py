"""Evaluate how robust an image classifier is with `evaluate`, and train robust ones with `train`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Settings": "robustbench_eff.evaluation.settings",
    "TrainSettings": "robustbench_eff.training.settings",
    "bpda": "robustbench_eff.models.bpda",
    "certify": "robustbench_eff.evaluation.certify",
    "evaluate": "robustbench_eff.evaluation.evaluate",
    "load_classifier": "robustbench_eff.registry.load_classifier",
    "train": "robustbench_eff.training.train",
}

__all__ = ["Settings", "TrainSettings", "bpda", "certify", "evaluate", "load_classifier", "train", "__version__"]

if TYPE_CHECKING:
    from robustbench_eff.evaluation.certify import certify
    from robustbench_eff.evaluation.evaluate import evaluate
    from robustbench_eff.evaluation.settings import Settings
    from robustbench_eff.models.bpda import bpda
    from robustbench_eff.registry.load_classifier import load_classifier
    from robustbench_eff.training.settings import TrainSettings
    from robustbench_eff.training.train import train


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that importing the package stays fast and does not need torch."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
