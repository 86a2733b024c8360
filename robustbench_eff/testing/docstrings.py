"""Checks of docstrings that several kinds of component share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def class_names_its_source(kind: type | Callable[..., Any]) -> None:
    """Check that the docstring of a class has the sections `Source:` and `Differs:`.

    Args:
        kind: The class of a component.

    Raises:
        AssertionError: A section is missing.
    """
    documents = kind.__doc__ or ""
    assert "Source:" in documents, "no Source: in the docstring"
    assert "Differs:" in documents, "no Differs: in the docstring"


def kernel_names_its_source(function: Callable[..., Any]) -> None:
    """Check that the docstring of a kernel's function, or of its module, has the section `Source:`.

    Args:
        function: The function that changes the pixels.

    Raises:
        AssertionError: Neither docstring names a source.
    """
    documents = (function.__doc__ or "") + (inspect.getdoc(inspect.getmodule(function)) or "")
    assert "Source:" in documents, "no Source: in the docstring of the kernel's module"
