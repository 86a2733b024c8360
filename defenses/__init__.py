"""Training recipes, and the small checkpoints they made."""

from .standard import Standard

__all__ = ["Standard"]
