"""Training recipes, the training loop, and the small checkpoints that the package ships."""

from .schedule import Schedule
from .standard import Standard
from .trainer import Training, train

__all__ = ["Schedule", "Standard", "Training", "train"]
