"""The `robust-eval` command. Nothing heavy is imported before it is needed."""

from .main import app, main

__all__ = ["app", "main"]
