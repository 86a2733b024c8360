"""Training recipes, the loop that runs them, and the small checkpoints they made."""

from .schedule import Schedule
from .standard import Standard
from .trainer import Training, train

__all__ = ["Schedule", "Standard", "Training", "train"]
