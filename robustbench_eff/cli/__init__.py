"""The `robust-eval` command. Heavy modules are imported only where they are used."""

from .main import app, main

__all__ = ["app", "main"]
